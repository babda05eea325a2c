"""The table of metrics, and the features that it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.features import FeatureStore, extract, sound_key
from bench.judges import EXTRACTORS, extractors
from bench.media import write_audio
from bench.suite import PROFILES, select
from bench.types import Audio, Excerpt


def test_profiles_have_the_same_columns_and_other_definitions():
    names = [[metric.name for metric in rows] for rows in PROFILES.values()]
    assert names[0] == names[1]
    strict, published = select("strict", ["mcd"])[0], select("av-benchmark", ["mcd"])[0]
    assert strict.score is not published.score


def test_the_columns_that_others_script_against_are_there():
    assert {"onset_acc", "onset_ap", "mcd"} <= {row.name for row in PROFILES["av-benchmark"]}


def test_every_metric_reads_extractors_that_exist():
    for rows in PROFILES.values():
        for metric in rows:
            assert set(metric.reads) <= set(EXTRACTORS)


def test_metrics_come_in_the_order_of_the_table_whatever_is_asked_first():
    assert [m.name for m in select("av-benchmark", ["mcd", "onset_acc"])] == ["onset_acc", "mcd"]


def test_an_unknown_metric_or_profile_is_refused_with_the_known_ones():
    with pytest.raises(BenchError, match="no metric 'fad'; there are: onset_acc"):
        select("av-benchmark", ["fad"])
    with pytest.raises(BenchError, match="no profile 'x'; there are: av-benchmark, strict"):
        select("x")


@pytest.fixture
def sound(tmp_path: Path, rng: np.random.Generator) -> Excerpt:
    path = tmp_path / "sound.wav"
    samples = rng.normal(0, 0.1, (2, 44_100)).clip(-1, 1).astype(np.float32)
    write_audio(path, Audio(samples, 44_100))
    return Excerpt(path, 0.0, 1.0)


def test_features_of_every_extractor_survive_the_disk(sound, tmp_path):
    store = FeatureStore(tmp_path / "store")
    wanted = extractors(EXTRACTORS)
    key = extract(sound, wanted, store)
    for extractor in wanted:
        loaded = store.load(extractor, key)
        assert loaded
        assert all(np.isfinite(array).all() for array in loaded.values())


def test_features_that_are_there_are_not_computed_again(sound, tmp_path):
    store = FeatureStore(tmp_path / "store")
    wanted = extractors(["onset"])
    key = extract(sound, wanted, store)
    before = store.path(wanted[0], key).stat().st_mtime_ns
    assert extract(sound, wanted, store) == key
    assert store.path(wanted[0], key).stat().st_mtime_ns == before


def test_the_key_is_the_content_and_the_window_and_not_the_name(sound, tmp_path):
    copy = tmp_path / "copy.wav"
    copy.write_bytes(sound.path.read_bytes())
    assert sound_key(Excerpt(copy, 0.0, 1.0)) == sound_key(sound)
    assert sound_key(Excerpt(sound.path, 0.0, 0.5)) != sound_key(sound)
    assert sound_key(Excerpt(sound.path, 0.1, 0.9)) != sound_key(sound)
    copy.write_bytes(sound.path.read_bytes() + b"\0")
    assert sound_key(Excerpt(copy, 0.0, 1.0)) != sound_key(sound)


def test_missing_sounds_and_damaged_features_are_refused_by_name(sound, tmp_path):
    store = FeatureStore(tmp_path / "store")
    with pytest.raises(BenchError, match="no file.*none.wav"):
        extract(Excerpt(tmp_path / "none.wav", 0.0, 1.0), extractors(["onset"]), store)
    (onset,) = extractors(["onset"])
    key = extract(sound, [onset], store)
    store.path(onset, key).write_bytes(b"damaged")
    with pytest.raises(BenchError, match="cannot read the features.*delete it"):
        store.load(onset, key)
