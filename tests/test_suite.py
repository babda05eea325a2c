"""The table of metrics, the judges, and the features between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.judges import JUDGES, ClipMedia, open_judge
from bench.media import write_audio
from bench.pipeline.aggregate import score_of_set
from bench.pipeline.feature_store import (
    ExtractorCache,
    FeatureStore,
    excerpt_key,
    joint_key,
    require_file,
)
from bench.suite import PROFILES, select, select_computable
from bench.types import Audio, Excerpt

SIGNAL = open_judge("signal", "av-benchmark")
PAPER_COLUMNS = ["fd_passt", "fd_panns", "fd_vgg", "kl_passt", "kl_panns", "ib", "desync"]

SET_COLUMNS = [
    *("fd_inf_passt", "kid_passt", "is_passt", "fd_inf_panns", "kid_panns", "is_panns"),
    *("fd_inf_vgg", "kid_vgg"),
]


def test_profiles_have_the_same_columns_and_other_definitions():
    names = [[metric.name for metric in rows] for rows in PROFILES.values()]
    assert names[0] == names[1]
    strict, published = select("strict", ["mcd"])[0], select("av-benchmark", ["mcd"])[0]
    assert strict.score is not published.score


def test_the_ten_columns_of_the_paper_come_first_and_in_its_order():
    names = [row.name for row in PROFILES["av-benchmark"] if not row.is_extra]
    assert names == [*PAPER_COLUMNS, "onset_acc", "onset_ap", "mcd"]


def test_every_metric_reads_extractors_that_some_judge_has():
    for profile, rows in PROFILES.items():
        assert select_computable(rows, open_judge("paper", profile, Path("weights"))) == rows


@pytest.mark.parametrize(
    ("profile", "column", "extractor"),
    [
        ("av-benchmark", "mcd", "cepstra"),
        ("av-benchmark", "mcd_ref", "cepstra"),
        ("av-benchmark", "mcd_c1", "cepstra_c1"),
        ("strict", "mcd", "cepstra_c1"),
        ("strict", "mcd_ref", "cepstra_c1"),
    ],
)
def test_a_column_of_distortion_reads_the_cepstra_of_its_own_definition_alone(
    profile, column, extractor
):
    (metric,) = select(profile, [column])
    assert metric.reads == (extractor,)


def test_the_signal_judge_computes_all_columns_without_networks():
    rows = select_computable(PROFILES["av-benchmark"], SIGNAL)
    lost = {row.name for row in PROFILES["av-benchmark"]} - {row.name for row in rows}
    assert lost == {*PAPER_COLUMNS, *SET_COLUMNS, "clap"}


def test_clap_is_an_extra_that_only_the_paper_judge_has():
    for profile, rows in PROFILES.items():
        (row,) = select(profile, ["clap"])
        assert row.is_extra
        assert row in select_computable(rows, open_judge("paper", profile, Path("weights")))
        assert row not in select_computable(rows, open_judge("mini", profile))


def test_a_metric_is_of_a_clip_or_of_a_set():
    for rows in PROFILES.values():
        assert all((row.score is None) != (row.score_set is None) for row in rows)


def test_metrics_come_in_the_order_of_the_table_whatever_is_asked_first():
    assert [m.name for m in select("av-benchmark", ["mcd", "onset_acc"])] == ["onset_acc", "mcd"]


def test_an_unknown_metric_profile_or_judge_is_refused_with_the_known_ones():
    with pytest.raises(BenchError, match="no metric 'fad'; there are: fd_passt"):
        select("av-benchmark", ["fad"])
    with pytest.raises(BenchError, match="no profile 'x'; there are: av-benchmark, strict"):
        select("x")
    with pytest.raises(BenchError, match=f"no judge 'x'; there are: {', '.join(JUDGES)}"):
        open_judge("x", "strict")


def test_profiles_and_checkpoints_never_share_features():
    published, strict = (open_judge("paper", p, Path("w")).select(["panns"])[0] for p in PROFILES)
    assert published.version != strict.version
    assert "e2ee543a2791" in published.version


def test_the_inputs_of_an_extractor_are_selected_with_it():
    judge = open_judge("paper", "strict", Path("w"))
    assert [each.name for each in judge.select(["sync"])] == ["sync_picture", "sync"]


@pytest.fixture
def audio(tmp_path: Path, rng: np.random.Generator) -> Excerpt:
    path = tmp_path / "sound.wav"
    samples = rng.normal(0, 0.1, (2, 44_100)).clip(-1, 1).astype(np.float32)
    write_audio(path, Audio(samples, 44_100))
    return Excerpt(path, 0.0, 0.5)


def test_features_of_every_signal_extractor_survive_the_disk(audio, tmp_path):
    store = FeatureStore(tmp_path / "store")
    key = excerpt_key(audio)
    bench, media = ExtractorCache(), ClipMedia(audio)
    for extractor in SIGNAL.extractors:
        store.save(extractor, key, bench.extract(extractor, media))
        loaded = store.load(extractor, key)
        assert loaded
        assert all(np.isfinite(array).all() for array in loaded.values())


def test_a_window_is_exact_and_the_file_is_decoded_to_its_end(audio):
    media = ClipMedia(audio)
    assert media.window().samples.shape == (2, 22_050)
    assert media.file().samples.shape == (2, 44_100)
    assert media.signal(22_050).shape == (11_025,)
    later = ClipMedia(Excerpt(audio.path, 0.25, 0.5))
    assert later.file().samples.shape == (2, 22_050)


def test_the_key_is_the_content_and_the_window_and_not_the_name(audio, tmp_path):
    copy = tmp_path / "copy.wav"
    copy.write_bytes(audio.path.read_bytes())
    assert excerpt_key(Excerpt(copy, 0.0, 0.5)) == excerpt_key(audio)
    assert excerpt_key(Excerpt(audio.path, 0.0, 0.4)) != excerpt_key(audio)
    assert excerpt_key(Excerpt(audio.path, 0.1, 0.4)) != excerpt_key(audio)
    copy.write_bytes(audio.path.read_bytes() + b"\0")
    assert excerpt_key(Excerpt(copy, 0.0, 0.5)) != excerpt_key(audio)
    assert joint_key("a", "b") not in {joint_key("b", "a"), joint_key("a", "c")}


def test_missing_audio_and_damaged_features_are_refused_by_name(audio, tmp_path):
    with pytest.raises(BenchError, match="no file.*none.wav"):
        require_file(Excerpt(tmp_path / "none.wav"))
    store = FeatureStore(tmp_path / "store")
    (onset,) = SIGNAL.select(["onset"])
    store.save(onset, "ab12", ExtractorCache().extract(onset, ClipMedia(audio)))
    store.path(onset, "ab12").write_bytes(b"damaged")
    with pytest.raises(BenchError, match="cannot read the features.*delete it"):
        store.load(onset, "ab12")


def _sides(rng: np.random.Generator, n: int, shift: float) -> list[dict[str, dict]]:
    embeddings = rng.normal(shift, 1, (n, 4)).astype(np.float32)
    logits = rng.normal(0, 3, (n, 5)).astype(np.float32)
    return [
        {"panns": {"embedding": embedding, "logits": row}}
        for embedding, row in zip(embeddings, logits, strict=True)
    ]


def test_metrics_of_sets_distinguish_a_shifted_set_from_one_of_the_same_distribution(rng):
    true, same, shifted = (_sides(rng, 200, shift) for shift in (0.0, 0.0, 2.0))
    for name in ("fd_panns", "fd_inf_panns", "kid_panns"):
        (metric,) = select("av-benchmark", [name])
        near, far = metric.score_set(true, same).value, metric.score_set(true, shifted).value
        assert abs(near) < 0.3 < far, name


def test_the_inception_score_is_of_the_generated_side_and_needs_ten_clips(rng):
    (metric,) = select("av-benchmark", ["is_panns"])
    true, made = _sides(rng, 40, 0.0), _sides(rng, 40, 0.0)
    assert metric.score_set(true, made).value == metric.score_set([], made).value
    assert 1.0 < metric.score_set(true, made).value <= 5.0
    assert np.isnan(metric.score_set(true, made[:9]).value)


def test_the_limit_is_not_scored_for_fewer_than_four_samples(rng):
    (metric,) = select("av-benchmark", ["fd_inf_panns"])
    found = metric.score_set(_sides(rng, 9, 0.0), _sides(rng, 3, 0.0))
    assert np.isnan(found.value)
    assert found.reason == "3 samples: the limit needs at least 4"


def test_a_frechet_distance_of_no_more_clips_than_dimensions_has_no_interval(rng):
    for name in ("fd_panns", "fd_inf_panns"):
        (metric,) = select("av-benchmark", [name])
        found = metric.score_set(_sides(rng, 4, 0.0), _sides(rng, 4, 0.0))
        reason = "n = 4 clips in D = 4 dimensions: no interval below n > D"
        assert (found.dimensions, found.reason) == (4, reason)
        score = score_of_set(found, list("abcd"))
        assert score.value == found.value
        assert (score.low, score.high, score.reason) == (None, None, reason)


def test_a_clip_with_several_embeddings_contributes_once(rng):
    (metric,) = select("av-benchmark", ["fd_vgg"])
    sides = [
        [{"vggish": {"embedding": rng.normal(size=(n, 4)).astype(np.float32)}} for n in counts]
        for counts in ([8, 7, 8, 8, 3, 8], [8, 8, 8, 8, 8, 2])
    ]
    found = metric.score_set(*sides)
    assert found.true.shape == found.generated.shape == (6,)
    assert abs(found.true.sum()) < 1e-6


def test_a_metric_states_the_lengths_it_accepts():
    words = {
        m.name: m.accepted_lengths
        for m in select("av-benchmark", ["fd_passt", "kl_panns", "desync"])
    }
    assert words["fd_passt"] == "clips of up to 10 s"
    assert words["kl_panns"] == "clips of 0.31 s and more"
    assert words["desync"] == "clips of 4.8 s and more"
