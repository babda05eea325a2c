"""Rows to numbers: means, intervals, chance levels, groups and notes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.judges import open_judge
from bench.metrics import frechet_influence
from bench.pipeline.aggregate import (
    N_SHUFFLES,
    aggregate,
    chance_levels,
    groups_of,
    onset_notes,
    set_scores,
    with_reasons,
)
from bench.pipeline.feature_store import FeatureStore
from bench.pipeline.roles import Pair, Scoring
from bench.suite import scores, select
from bench.types import Clip, Excerpt

METRICS = select("av-benchmark", ["onset_acc", "mcd"])


def rows(*values: float | None) -> list[dict[str, object]]:
    """One row per value, each a cluster of its own."""
    return [
        {"clip": f"c{i}", "cluster": f"c{i}", "mcd": value, "onset_acc": 0.5}
        for i, value in enumerate(values)
    ]


def test_the_value_is_the_mean_of_the_scored_clips_and_n_counts_them():
    score = aggregate(rows(1.0, 2.0, None, 6.0), METRICS)["mcd"]
    assert (score.value, score.n) == (3.0, 3)
    assert score.low < 3.0 < score.high


def test_nothing_scored_is_no_value_and_not_zero():
    score = aggregate(rows(None, None), METRICS)["mcd"]
    assert (score.value, score.low, score.high, score.n) == (None, None, None, 0)
    assert score.reason == "no clip has a score"


def test_clips_of_one_cluster_count_once():
    values = np.random.default_rng(0).normal(5, 1, 20)
    data = rows(*np.repeat(values, 4))
    for i, row in enumerate(data):
        row["cluster"] = f"t{i // 4}"
    whole, once = aggregate(data, METRICS)["mcd"], aggregate(rows(*values), METRICS)["mcd"]
    assert (whole.n, whole.n_clusters) == (80, 20)
    assert (whole.low, whole.high) == pytest.approx((once.low, once.high))


def test_the_interval_is_the_same_every_time_and_for_each_metric_its_own():
    data = rows(*np.random.default_rng(0).normal(5, 1, 50))
    assert aggregate(data, METRICS) == aggregate(data, METRICS)


def test_groups_come_in_order_and_clips_without_one_belong_to_none():
    assert groups_of(["y", "", "x", "y"]) == ["x", "y"]
    assert groups_of(["", ""]) == []


def test_notes_count_the_clips_at_the_edges_of_the_onset_rules():
    data = [
        {"true_onsets": 0, "generated_onsets": 3},
        {"true_onsets": 2, "generated_onsets": 0},
        {"true_onsets": 2, "generated_onsets": 2},
    ]
    assert onset_notes(data) == (
        "1 of 3 clips have no true onset",
        "1 of 3 samples have no onset",
    )
    assert onset_notes(data[2:]) == ()


def scored_pair(store: FeatureStore, clip: str, target: str, onset: int, cluster: str = ""):
    """A pair whose sample equals its truth: one onset."""
    (extractor,) = open_judge("signal", "av-benchmark").select(["onset"])
    ones = np.ones(1)
    names = ("rectified_confidence", "rectified_height", "signed_confidence", "signed_height")
    features = {"positions": np.array([onset]), **dict.fromkeys(names, ones)}
    for key in (target, f"{clip}-made"):
        store.save(extractor, key, features)
    pair = Pair(Clip(clip, Excerpt(Path(target)), 8.0, cluster=cluster), Excerpt(Path("b")))
    return pair, {"target": target, "generated": f"{clip}-made"}


@pytest.fixture
def scoring(home):
    return Scoring(METRICS, open_judge("signal", "av-benchmark"), None)


def test_chance_compares_with_the_truth_of_other_clips(scoring):
    store = scoring.store("target")
    apart = [scored_pair(store, f"c{i}", f"t{i}", 20_000 * i) for i in range(4)]
    assert chance_levels(apart, scoring) == {"onset_acc": 0.0}
    alike = [scored_pair(store, f"d{i}", f"u{i}", 5_000) for i in range(4)]
    assert chance_levels(alike, scoring) == {"onset_acc": 1.0}


def test_clips_that_share_their_target_are_no_chance_for_one_another(scoring):
    store = scoring.store("target")
    shared = [scored_pair(store, f"c{i}", "same", 5_000) for i in range(3)]
    assert chance_levels(shared, scoring) == {"onset_acc": None}


def test_clips_of_one_cluster_are_no_chance_for_one_another(scoring):
    """Two excerpts of one video hit each other's onsets; excerpts of other videos do not."""
    store = scoring.store("target")
    places = {"a1": 5_000, "a2": 5_000, "b1": 90_000, "b2": 90_000}
    pairs = [scored_pair(store, c, f"t-{c}", place, c[0]) for c, place in places.items()]
    assert chance_levels(pairs, scoring) == {"onset_acc": 0.0}
    alone = [scored_pair(store, c, f"t-{c}", place, c) for c, place in places.items()]
    assert chance_levels(alone, scoring)["onset_acc"] > 0


def short_pair(seconds: float, **about: object) -> tuple[Pair, dict[str, str]]:
    clip = Clip("c", Excerpt(Path("a.wav")), seconds, **about)
    return Pair(clip, Excerpt(Path("b.wav"))), {"target": "t", "generated": "g"}


@pytest.mark.parametrize(
    ("name", "scored", "reason"),
    [
        ("kl_panns", [], "no clip was scored"),
        (
            "kl_panns",
            [short_pair(0.3)],
            "samples of 0.3 s: KL PANNs takes clips of 0.31 s and more",
        ),
        (
            "kl_passt",
            [short_pair(11.0), short_pair(12.5)],
            "samples of 11 to 12.5 s: KL PaSST takes clips of up to 10 s",
        ),
        ("mcd_ref", [short_pair(8.0)], "no clip has a reference"),
        ("onset_acc_hits", [short_pair(8.0)], "no clip has annotated hits"),
        (
            "env_corr",
            [short_pair(8.0)],
            "not defined for any of 1 clips (clips with a side of constant level, such as silence)",
        ),
    ],
)
def test_a_mean_without_a_value_states_what_is_missing_in_the_clips(name, scored, reason):
    metrics = select("av-benchmark", [name])
    empty = aggregate([], metrics)
    assert with_reasons(empty, scored, metrics)[name].reason == reason


def test_a_set_without_a_value_states_what_is_missing(scoring):
    metrics = select("av-benchmark", ["fd_panns"])
    of_sets = Scoring(metrics, scoring.judge, None)
    (alone,) = set_scores([short_pair(8.0)], of_sets).values()
    assert (alone.value, alone.reason) == (None, "1 clip: a set needs at least 2")
    (short,) = set_scores([short_pair(0.3)] * 3, of_sets).values()
    assert short.reason == (
        "samples of 0.3 s: FD PANNs takes clips of 0.31 s and more; a set needs at least 2 clips"
    )


def test_one_clip_alone_has_no_chance_level(scoring):
    alone = [scored_pair(scoring.store("target"), "c", "t", 5_000)]
    assert chance_levels(alone, scoring) == {"onset_acc": None}


def test_the_columns_of_one_network_share_its_features_and_its_distance(home, rng, monkeypatch):
    metrics = select("av-benchmark", ["fd_vgg", "fd_inf_vgg", "kid_vgg", "fd_panns"])
    scoring = Scoring(metrics, open_judge("mini", "av-benchmark"), None)
    store, scored = scoring.store("target"), []
    for i in range(6):
        pair, keys = Pair(Clip(f"c{i}", Excerpt(Path("a")), 8.0), Excerpt(Path("b"))), {}
        for role in ("target", "generated"):
            keys[role] = f"{role}-{i}"
            for extractor in scoring.judge.select(["vggish", "panns"]):
                store.save(extractor, keys[role], {"embedding": rng.normal(size=(2, 3))})
        scored.append((pair, keys))
    apart = {
        metric.name: set_scores(scored, Scoring((metric,), scoring.judge, None))[metric.name]
        for metric in metrics
    }
    loads, distances = [], []
    load, estimate = FeatureStore.load, frechet_influence.frechet_influence
    monkeypatch.setattr(FeatureStore, "load", lambda *a: loads.append(a[1].name) or load(*a))
    monkeypatch.setattr(
        frechet_influence, "frechet_influence", lambda *a: distances.append(a) or estimate(*a)
    )
    together = set_scores(scored, scoring)
    assert together == apart
    assert list(together) == [metric.name for metric in metrics]
    assert Counter(loads) == {"vggish": 12, "panns": 12}
    assert len(distances) == 2


def test_the_columns_of_onsets_share_the_match_of_a_pair(scoring, monkeypatch):
    metrics = select("av-benchmark", ["onset_acc", "onset_ap", "onset_f1"])
    of_onsets, store = Scoring(metrics, scoring.judge, None), scoring.store("target")
    scored = [scored_pair(store, f"c{i}", f"t{i}", 3_000 * i) for i in range(4)]
    apart = {
        metric.name: chance_levels(scored, Scoring((metric,), scoring.judge, None))[metric.name]
        for metric in metrics
    }
    matched = []
    match = scores.metrics.onset_scores
    monkeypatch.setattr(
        scores.metrics, "onset_scores", lambda *a, **k: matched.append(a) or match(*a, **k)
    )
    assert chance_levels(scored, of_onsets) == apart
    assert len(matched) == 4 * N_SHUFFLES
