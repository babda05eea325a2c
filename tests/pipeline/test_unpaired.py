"""Two folders as two sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.judges import Judge, SignalExtractor
from bench.media import write_audio
from bench.pipeline.folders import FolderPlan, score_unpaired
from bench.suite import select
from bench.types import Audio

SET_METRICS = ("fd_panns", "fd_inf_panns", "kid_panns", "is_panns")


def embed_level(media):
    """Embed audio as the level of its quarters, so that loud and quiet audio differ."""
    level = np.sqrt(np.mean(np.square(media.signal(16_000).reshape(4, -1)), axis=1))
    return {"embedding": level.astype(np.float32), "logits": level.astype(np.float32)}


def open_embedder():
    return embed_level


JUDGE = Judge("levels", "av-benchmark", (SignalExtractor("panns", "1", open=open_embedder),))


def write_set(folder: Path, n: int, level: float, seconds: float = 1.0) -> Path:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(n)
    for number in range(n):
        audio = rng.normal(0, level * rng.uniform(0.5, 1.5), (1, int(16_000 * seconds)))
        audio = Audio(audio.clip(-1, 1).astype(np.float32), 16_000)
        write_audio(folder / f"{folder.name}_{number}.wav", audio)
    return folder


def score(generated: Path, reference: Path, metrics=SET_METRICS, workers: int = 0):
    chosen = select("av-benchmark", metrics)
    plan = FolderPlan(generated, reference, None, None, JUDGE, chosen, workers)
    return score_unpaired(plan, lambda stage, done, total: None)


def test_sets_of_any_size_and_names_are_compared(tmp_path, home):
    true = write_set(tmp_path / "true", 30, 0.05)
    like, louder = (write_set(tmp_path / name, n, level) for name, n, level in
                    [("like", 12, 0.05), ("louder", 20, 0.2)])  # fmt: skip
    near, far = score(like, true), score(louder, true)
    for name in ("fd_panns", "fd_inf_panns", "kid_panns"):
        assert near.results.metrics[name].value < far.results.metrics[name].value, name
    assert near.results.metrics["fd_panns"].n == 12
    assert near.results.metrics["is_panns"].value >= 1.0
    assert (near.results.scored, near.results.expected, near.failures) == (42, 42, ())
    assert "unpaired: 12 generated against 30 reference files" in near.results.notes


def test_the_same_folder_twice_has_no_distance(tmp_path, home):
    true = write_set(tmp_path / "true", 12, 0.05)
    found = score(true, true).results.metrics
    assert found["fd_panns"].value == pytest.approx(0.0, abs=1e-12)


def test_a_broken_file_is_a_failure_and_the_others_are_scored(tmp_path, home):
    true, made = (write_set(tmp_path / name, 5, 0.05) for name in ("true", "made"))
    (made / "broken.wav").write_bytes(b"RIFF nothing")
    write_audio(made / "short.wav", Audio(np.zeros((1, 160), np.float32), 16_000))
    result = score(made, true, metrics=("fd_panns",))
    assert [Path(failure.clip).name for failure in result.failures] == ["broken.wav", "short.wav"]
    assert (result.results.scored, result.results.failed) == (10, 2)
    assert result.results.metrics["fd_panns"].n == 5


def test_workers_change_nothing(tmp_path, home, monkeypatch):
    true, made = (write_set(tmp_path / name, 6, 0.05) for name in ("true", "made"))
    alone = score(made, true, metrics=("fd_panns",)).results
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "other"))
    assert score(made, true, metrics=("fd_panns",), workers=2).results == alone


def test_an_invalid_set_is_refused_with_the_reason(tmp_path, home):
    true = write_set(tmp_path / "true", 4, 0.05)
    few = write_set(tmp_path / "few", 1, 0.05)
    (few / "broken.wav").write_bytes(b"")
    with pytest.raises(BenchError, match=r"few holds 1 audio files .* at least 2; .*broken.wav"):
        score(few, true)
    with pytest.raises(BenchError, match="mcd compares pairs, --unpaired compares whole sets"):
        score(true, true, metrics=("mcd",))
