"""Scores of finished runs by the groups of their clips."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.datasets.vggsound_groups import ClipGroups
from bench.datasets.vggsounder import Relabels
from bench.errors import BenchError
from bench.grouping import KNOWN_AXES, OF_SETS, PROTOCOL_AXIS, load_groups
from bench.metrics import mean_interval
from bench.pipeline.compare import compare_runs
from bench.results import mean_score
from bench.splits import open_split
from tests.pipeline.finished import write_run


def write_groups(directory, scores, groups, **options):
    """A finished run whose clips have these groups by their column."""
    write_run(directory, scores, **options)
    path = directory / "scores.parquet"
    pd.read_parquet(path).assign(**groups).to_parquet(path, index=False)
    return directory


def test_a_group_has_the_mean_and_interval_of_its_own_clips(tmp_path, rng):
    mcd = rng.normal(5, 1, 240)
    clusters = [f"target_{i // 3}" for i in range(240)]
    actions = np.where(np.arange(240) % 4, "tapping", "sawing")
    run = write_groups(tmp_path / "run", {"mcd": mcd}, {"by_action": actions}, clusters=clusters)
    [found] = load_groups([run], "action").runs
    assert list(found.groups) == ["sawing", "tapping"]
    for name, group in found.groups.items():
        chosen = actions == name
        # Fewer than 100 clusters: Student's t, which needs no random numbers.
        expected = mean_interval(mcd[chosen], np.array(clusters)[chosen], np.random.default_rng())
        score = group.metrics["mcd"]
        assert (score.value, score.low, score.high) == expected[:3]
        assert (score.n, group.n, score.n_clusters) == (chosen.sum(), chosen.sum(), len(
            set(np.array(clusters)[chosen])
        ))  # fmt: skip


def test_one_group_of_all_clips_has_the_score_of_the_run(tmp_path, rng):
    run = write_groups(tmp_path / "run", {"mcd": rng.normal(5, 1, 240)}, {"by_speech": "speech"})
    [found] = load_groups([run], "speech").runs
    rows = pd.read_parquet(run / "scores.parquet")
    expected = mean_score("mcd", rows["mcd"].tolist(), rows["cluster"].tolist())
    assert found.groups["speech"].metrics["mcd"] == expected
    assert found.groups["speech"].n == 240


def test_one_clip_or_one_cluster_has_a_value_and_the_reason_why_it_has_no_interval(tmp_path):
    scores = {"mcd": np.arange(5.0), "lsd": np.array([1, 1, 1, 1, np.nan])}
    run = write_groups(
        tmp_path / "run",
        scores,
        {"by_action": ["a", "b", "b", "b", "c"]},
        clusters=["p", "q", "q", "q", "r"],
    )
    groups = load_groups([run], "action").runs[0].groups
    alone, together = groups["a"].metrics["mcd"], groups["b"].metrics["mcd"]
    assert (alone.value, alone.low, alone.n) == (0.0, None, 1)
    assert alone.reason == "1 clip: an interval needs at least 2"
    assert (together.value, together.low, together.n) == (2.0, None, 3)
    assert together.reason == "3 clips of one cluster: an interval needs at least 2 clusters"
    assert (groups["c"].n, groups["c"].metrics["lsd"].value) == (1, None)
    assert groups["c"].metrics["lsd"].reason == "no clip has a score"


def test_a_metric_of_whole_sets_has_a_reason_instead_of_a_value(tmp_path):
    scores, groups = {"mcd": np.arange(4.0)}, {"by_action": ["a", "a", "b", "b"]}
    run = write_groups(tmp_path / "run", scores, groups, of_set={"fd_vgg": 7.0})
    for group in load_groups([run], "action").runs[0].groups.values():
        assert (group.metrics["fd_vgg"].value, group.metrics["fd_vgg"].reason) == (None, OF_SETS)


def test_clips_without_a_group_are_one_of_their_own(tmp_path):
    scores, groups = {"mcd": np.arange(4.0)}, {"by_action": ["a", "a", None, ""]}
    run = write_groups(tmp_path / "run", scores, groups)
    found = load_groups([run], "action").runs[0].groups
    assert {name: group.n for name, group in found.items()} == {"a": 2, "no action": 2}


def test_the_groups_of_the_protocol_are_an_axis_too(tmp_path):
    run = write_groups(tmp_path / "run", {"mcd": np.arange(4.0)}, {"group": ["a", "b", "a", "b"]})
    assert list(load_groups([run], "group").runs[0].groups) == ["a", "b"]


def test_an_unknown_axis_is_refused_with_those_that_there_are(tmp_path):
    groups = {"by_material": "wood", "by_action": "tapping"}
    run = write_groups(tmp_path / "run", {"mcd": np.arange(4.0)}, groups)
    with pytest.raises(BenchError, match="no run has groups by 'size'; there are: action, mate"):
        load_groups([run], "size")


def test_runs_without_groups_are_refused_or_named_beside_others(tmp_path):
    plain = write_run(tmp_path / "plain", {"mcd": np.arange(4.0)})
    early = write_run(tmp_path / "early", {"mcd": np.arange(4.0)})
    rows = pd.read_parquet(early / "scores.parquet").drop(columns="cluster").assign(group="a")
    rows.to_parquet(early / "scores.parquet")
    for run in (plain, early):
        with pytest.raises(BenchError, match="has no groups of clips: its split has none, or it"):
            load_groups([run], "group")
    run = write_groups(tmp_path / "run", {"mcd": np.arange(4.0)}, {"by_action": "a"})
    assert load_groups([plain, run], "action").left_out == (plain,)


def test_groups_change_no_comparison(tmp_path, rng):
    first, second = ({"mcd": rng.normal(5, 1, 30)} for _ in range(2))
    plain = [write_run(tmp_path / f"p{i}", each) for i, each in enumerate((first, second))]
    base = write_groups(tmp_path / "g0", first, {"by_action": "a"})
    new = write_groups(tmp_path / "g1", second, {"by_action": "b", "by_material": "c"})
    assert compare_runs(base, new).differences == compare_runs(*plain).differences


def test_the_axes_that_a_shell_completes_are_those_of_the_built_in_splits(home):
    mini = open_split("mini").clips[0].groups
    vggsound = ClipGroups(Relabels({}, "1.0")).of("glLQrEijrKg_000300", "playing bongo")
    assert set(KNOWN_AXES) == {*mini, *vggsound, PROTOCOL_AXIS}
