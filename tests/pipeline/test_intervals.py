"""Results of two folders: dependent pairs count once, and every missing value has a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.judges import open_judge
from bench.media import write_audio
from bench.pipeline.folders import FolderPlan, score_folders
from bench.suite import select
from bench.types import Audio
from reports.formats import render
from tests.pipeline.test_unpaired import JUDGE, score, write_set


def write_noise(path: Path, seed: int, seconds: float = 1.0) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.normal(0, 0.1, (1, int(16_000 * seconds))).clip(-1, 1).astype(np.float32)
    write_audio(path, Audio(samples, 16_000))


@pytest.fixture
def folders(tmp_path, home):
    """An empty folder of true audio and one of samples."""
    pair = (tmp_path / "true", tmp_path / "made")
    for folder in pair:
        folder.mkdir()
    return pair


def compared(folders: tuple[Path, Path], judge, *names: str):
    true, made = folders
    plan = FolderPlan(made, true, None, None, judge, select("av-benchmark", names), 0)
    return score_folders(plan, lambda stage, done, total: None)


def test_samples_of_one_target_are_one_cluster(folders):
    true, made = folders
    for number, target in enumerate("abc"):
        write_noise(true / f"{target}.wav", number)
        for condition in range(2):
            write_noise(made / f"{target}_to_{condition}.wav", 10 + 2 * number + condition)
    result = compared(folders, open_judge("signal", "av-benchmark"), "lsd")
    score = result.results.metrics["lsd"]
    assert (score.n, score.n_clusters, score.reason) == (6, 3, "")
    clusters = {row["clip"]: row["cluster"] for row in result.rows}
    assert len(set(clusters.values())) == 3
    assert clusters["a_to_0"] == clusters["a_to_1"] != clusters["b_to_0"]


def test_one_short_pair_names_every_column_that_it_cannot_have(folders):
    for folder in folders:
        write_noise(folder / "a.wav", 1, seconds=0.3)
    results = compared(folders, JUDGE, "fd_panns", "kl_panns").results
    too_short = "samples of 0.3 s: FD PANNs takes clips of 0.31 s and more"
    assert results.metrics["fd_panns"].value is None
    assert results.metrics["fd_panns"].reason == f"{too_short}; a set needs at least 2 clips"
    assert results.metrics["kl_panns"].reason == too_short.replace("FD", "KL")
    for style in ("markdown", "latex", "csv"):
        assert "KL PANNs takes clips of 0.31 s and more" in render([results], style)


def test_one_pair_has_values_and_states_why_it_has_no_interval(folders):
    for folder in folders:
        write_noise(folder / "a.wav", 1)
    results = compared(folders, JUDGE, "fd_panns", "kl_panns").results
    assert results.metrics["kl_panns"].value == 0.0
    assert "not scored: FD PANNs (1 clip: a set needs at least 2)" in results.notes
    assert "no interval: KL PANNs (1 clip: an interval needs at least 2)" in results.notes


def test_every_metric_of_two_unpaired_sets_has_an_interval_or_a_reason(tmp_path, home):
    true = write_set(tmp_path / "true", 30, 0.05)
    louder = write_set(tmp_path / "louder", 20, 0.2)
    results = score(louder, true).results
    for name in ("fd_panns", "fd_inf_panns", "kid_panns"):
        found = results.metrics[name]
        assert found.low < found.value < found.high, name
        assert found.n_clusters == 20
    reason = "20 clips: an interval of the inception score needs at least 100"
    assert results.metrics["is_panns"].reason == reason
    assert f"no interval: IS PANNs ({reason})" in results.notes


def test_the_interval_of_a_distance_narrows_with_clips_and_counts_clusters_once(tmp_path, home):
    widths = {}
    for n in (20, 80):
        true, made = (write_set(tmp_path / f"{name}{n}", n, 0.05) for name in ("true", "made"))
        found = score(made, true, metrics=("kid_panns",)).results.metrics["kid_panns"]
        widths[n] = found.high - found.low
    assert widths[80] < 0.8 * widths[20]
