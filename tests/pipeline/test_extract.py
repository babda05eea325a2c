"""One pass over clips: the same features however they are batched, and failures of single clips."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import bench.media
from bench.engine import InlineEngine, LocalEngine
from bench.judges import open_judge
from bench.media import write_audio, write_video
from bench.pipeline import extract
from bench.pipeline.evaluate import RunLog, evaluate
from bench.pipeline.extract import extract_features
from bench.pipeline.roles import Pair, Scoring
from bench.pipeline.workers import are_networks_small
from bench.suite import select
from bench.types import Audio, Clip, Excerpt
from tests.conftest import ROOT
from tests.pipeline import passes
from tests.pipeline.networks import (
    CHOKES,
    DIES,
    HANGS,
    METRICS,
    NOT_FINITE,
    judge_of_processes,
    small_judge,
)

SECONDS = (2.0, 2.0, 1.0, 2.0, 1.0, 2.0, 2.0)


def _write_audio(path: Path, seconds: float, seed: int, peak: float = 0.5) -> Excerpt:
    samples = np.random.default_rng(seed).uniform(-0.3, 0.3, (1, round(16_000 * seconds)))
    samples[0, 100] = peak
    write_audio(path, Audio(samples.astype(np.float32), 16_000))
    return Excerpt(path, 0.0, seconds)


def _pair(folder: Path, number: int, seconds: float, peak: float = 0.5) -> Pair:
    shades = np.random.default_rng(number).integers(0, 255, 50)
    frames = (np.full((48, 64, 3), shade, np.uint8) for shade in shades[: round(25 * seconds)])
    write_video(folder / f"{number}.mp4", frames, 25)
    clip = Clip(
        f"clip {number}",
        _write_audio(folder / f"{number}.wav", seconds, number),
        seconds,
        video=Excerpt(folder / f"{number}.mp4", 0.0, seconds),
    )
    return Pair(clip, _write_audio(folder / f"made-{number}.wav", seconds, 100 + number, peak))


@pytest.fixture
def pairs(tmp_path: Path) -> list[Pair]:
    """Seven clips of two lengths."""
    return [_pair(tmp_path / "media", number, s) for number, s in enumerate(SECONDS)]


@pytest.fixture(params=["small", "large"])
def network_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Networks in each worker, or in a process of their own."""
    monkeypatch.setattr(extract, "are_networks_small", lambda scoring: request.param == "small")
    return request.param


def _scoring(tmp_path: Path, name: str, batch_size: int) -> Scoring:
    """The small judge with a store of its own for samples; true features lie in ``home``."""
    return Scoring(METRICS, small_judge(tmp_path / f"{name}.log", batch_size), tmp_path / name)


def _scores(pairs: list[Pair], scoring: Scoring, workers: int = 0) -> tuple[dict, dict]:
    """Scores and failures by clip."""
    run_log = RunLog(lambda stage, done, total: None)
    rows = {row.pair.clip.name: row.scores for row in evaluate(pairs, scoring, workers, run_log)}
    return rows, {failure.clip: failure for failure in run_log.failures}


def _given(tmp_path: Path, name: str) -> Counter[str]:
    """Count the batches of each network by shape."""
    log = tmp_path / f"{name}.log"
    return Counter(log.read_text().splitlines() if log.exists() else ())


def _same(rows: dict, expected: dict) -> bool:
    return rows.keys() == expected.keys() and all(
        rows[clip][metric] == pytest.approx(expected[clip][metric], rel=1e-5, abs=1e-5)
        for clip in expected
        for metric in ("distance", "difference", "product")
    )


@pytest.mark.usefixtures("network_size")
def test_scores_do_not_depend_on_batch_size_workers_or_order(pairs, tmp_path, home):
    expected, failures = _scores(pairs, _scoring(tmp_path, "one", 1))
    assert len(expected) == len(pairs)
    assert failures == {}
    assert len({row["distance"] for row in expected.values()}) == len(pairs)
    for name, batch_size, workers, order in (
        ("three", 3, 0, pairs),
        ("more", 16, 2, pairs),
        ("reversed", 2, 1, pairs[::-1]),
    ):
        shutil.rmtree(home)
        rows, failures = _scores(order, _scoring(tmp_path, name, batch_size), workers)
        assert failures == {}
        assert _same(rows, expected), name
        for clip in expected:  # no network: equal to the bit
            assert rows[clip]["difference"] == expected[clip]["difference"]


def test_large_networks_have_a_process_of_their_own_and_small_ones_are_in_each_worker(
    pairs, tmp_path, home, network_size
):
    judge = judge_of_processes()
    scoring = Scoring(METRICS[:2], judge, tmp_path / "run")
    found = []
    for outcome in extract_features(pairs, scoring, LocalEngine(2)):
        side = scoring.load("generated", outcome.item.clip, outcome.value, ["loudness", "ear"])
        found.append((int(side["loudness"]["loudness"][0]), int(side["ear"]["embedding"][0])))
    signals, networks = ({each[side] for each in found} for side in (0, 1))
    assert os.getpid() not in signals | networks
    assert len(signals) == 2
    if network_size == "small":
        assert all(signal == network for signal, network in found)
    else:
        assert len(networks) == 1
        assert networks.isdisjoint(signals)


def test_networks_are_small_by_the_size_of_their_files_and_on_a_cpu_only(tmp_path):
    def are_small(judge: str, column: str, device: str = "cpu") -> bool:
        opened = open_judge(judge, "strict", tmp_path, device)
        return are_networks_small(Scoring(select("strict", [column]), opened, None))

    assert are_small("mini", "fd_passt")
    assert not are_small("mini", "fd_passt", "cuda")
    assert not are_small("paper", "fd_passt")
    assert not are_small("paper", "fd_vgg")  # of unknown size
    assert are_small("paper", "mcd")  # no network at all
    assert are_small("paper", "mcd", "cuda")


def test_clips_of_one_shape_share_a_batch(pairs, tmp_path, home):
    _scores(pairs, _scoring(tmp_path, "run", 16))
    assert _given(tmp_path, "run") == {
        "ear [10, 16000]": 1,  # five clips of 2 s, true and generated
        "ear [4, 8000]": 1,
        "eye [5, 10, 32, 32, 3]": 1,
        "eye [2, 5, 32, 32, 3]": 1,
        "both [5, 16000]": 1,
        "both [2, 8000]": 1,
    }


def test_no_batch_is_larger_than_was_asked_for(pairs, tmp_path, home):
    _scores(pairs, _scoring(tmp_path, "run", 2))
    sizes = [int(line.split("[")[1].split(",")[0]) for line in _given(tmp_path, "run").elements()]
    assert max(sizes) == 2


def test_a_second_system_reuses_the_true_features_and_a_rerun_reuses_everything(
    pairs, tmp_path, home
):
    expected, _ = _scores(pairs, _scoring(tmp_path, "first", 3))
    again = Scoring(METRICS, small_judge(tmp_path / "again.log", 3), tmp_path / "first")
    assert _scores(pairs, again)[0] == expected
    assert _given(tmp_path, "again") == {}
    _scores(pairs, _scoring(tmp_path, "second", 16))
    assert _given(tmp_path, "second") == {
        "ear [5, 16000]": 1,
        "ear [2, 8000]": 1,
        "both [5, 16000]": 1,
        "both [2, 8000]": 1,
    }


def test_features_stored_by_an_interrupted_pass_are_not_computed_again(pairs, tmp_path, home):
    expected, _ = _scores(pairs, _scoring(tmp_path, "straight", 2))
    shutil.rmtree(home)
    stopped = _scoring(tmp_path, "stopped", 2)
    outcomes = extract_features(pairs, stopped, InlineEngine())
    for _ in range(3):
        next(outcomes)
    outcomes.close()
    n_before = _given(tmp_path, "stopped").total()
    rows, failures = _scores(pairs, stopped)
    assert failures == {}
    assert _same(rows, expected)
    n_in_one_go = _given(tmp_path, "straight").total()
    assert 0 < n_before < n_in_one_go
    assert _given(tmp_path, "stopped").total() <= n_in_one_go + 2


@pytest.mark.parametrize(
    ("peak", "message"),
    [(CHOKES, "the ear chokes"), (NOT_FINITE, "ear gave values that are not finite")],
)
def test_one_clip_that_breaks_its_batch_is_one_failure(tmp_path, pairs, home, peak, message):
    expected, _ = _scores(pairs, _scoring(tmp_path, "whole", 4))
    bad = _pair(tmp_path / "bad", 3, 2.0, peak)
    with_broken = [*pairs[:3], bad, *pairs[4:]]
    rows, failures = _scores(with_broken, _scoring(tmp_path, "broken", 4))
    assert {clip: failure.error for clip, failure in failures.items()} == {"clip 3": message}
    del expected["clip 3"]
    assert _same(rows, expected)


@pytest.mark.usefixtures("network_size")
def test_one_clip_that_kills_the_process_of_the_networks_is_one_failure(tmp_path, pairs, home):
    bad = _pair(tmp_path / "bad", 3, 2.0, DIES)
    outcomes = extract_features([pairs[0], bad], _scoring(tmp_path, "broken", 2), LocalEngine(1))
    failures = {each.item.clip.name: each.failure for each in outcomes}
    assert failures["clip 0"] is None
    assert "died (exit code 5) on this item" in failures["clip 3"].message


@pytest.mark.usefixtures("network_size")
@pytest.mark.parametrize(
    ("network_size", "metrics"),
    [
        pytest.param("small", METRICS, id="small-networks", marks=pytest.mark.slow),
        pytest.param("large", METRICS, id="large-networks", marks=pytest.mark.slow),
        pytest.param("small", METRICS[1:2], id="small-signal", marks=pytest.mark.slow),
        pytest.param("large", METRICS[1:2], id="large-signal", marks=pytest.mark.slow),
    ],
    indirect=["network_size"],
)
def test_a_clip_whose_extraction_never_ends_is_one_failure(tmp_path, pairs, home, metrics):
    bad = _pair(tmp_path / "bad", 3, 2.0, HANGS)
    scoring = Scoring(metrics, small_judge(tmp_path / "log", 2), tmp_path)
    outcomes = list(
        extract_features([pairs[0], bad, pairs[1]], scoring, LocalEngine(1), timeout_s=5.0)
    )
    assert len(outcomes) == 3
    (failed,) = (each for each in outcomes if each.failure)
    assert failed.item == bad
    assert (
        "killed after 5 s without a result on this item; --timeout sets" in failed.failure.message
    )


def test_a_file_that_cannot_be_decoded_is_one_failure(tmp_path, pairs, home):
    expected, _ = _scores(pairs, _scoring(tmp_path, "whole", 4))
    pairs[2].generated.path.write_bytes(b"no audio")
    pairs[4].clip.video.path.unlink()
    rows, failures = _scores(pairs, _scoring(tmp_path, "broken", 4))
    assert failures.keys() == {"clip 2", "clip 4"}
    assert "not a media file" in failures["clip 2"].error
    assert "there is no file" in failures["clip 4"].error
    assert _same(rows, {clip: expected[clip] for clip in rows})
    assert len(rows) == len(pairs) - 2


def test_networks_compute_in_full_precision_with_all_cores(tmp_path, pairs, home):
    given: list[tuple[bool, int]] = []
    earlier = torch.backends.cudnn.allow_tf32, torch.get_num_threads()

    def embed(prepared):
        given.append((torch.backends.cudnn.allow_tf32, torch.get_num_threads()))
        return [{"embedding": np.zeros(1, np.float32)} for _ in prepared]

    judge = small_judge(tmp_path / "log", 16)
    ear = replace(judge.select(["ear"])[0], open=lambda: embed)
    scoring = Scoring(METRICS[:1], replace(judge, extractors=(ear,)), None)
    assert all(each.failure is None for each in extract_features(pairs, scoring, InlineEngine()))
    assert set(given) == {(False, earlier[1])}
    assert (torch.backends.cudnn.allow_tf32, torch.get_num_threads()) == earlier


def test_audio_shared_by_several_clips_is_encoded_once(tmp_path, pairs, home):
    twins = [Pair(pairs[0].clip, each.generated) for each in pairs if each.clip.seconds == 2.0]
    _, failures = _scores(twins, _scoring(tmp_path, "run", 16))
    assert failures == {}
    assert _given(tmp_path, "run")["ear [6, 16000]"] == 1
    assert _given(tmp_path, "run")["eye [1, 10, 32, 32, 3]"] == 1


@pytest.mark.parametrize("profile", ["av-benchmark", "strict"])
def test_each_audio_file_is_decoded_once_for_all_extractors(
    tmp_path, pairs, home, profile, monkeypatch
):
    decoded: Counter[str] = Counter()
    read = bench.media.read_audio

    def counting(excerpt: Excerpt, **options: object) -> Audio:
        decoded[excerpt.path.name] += 1
        return read(excerpt, **options)

    monkeypatch.setattr(bench.media, "read_audio", counting)
    metrics = select(profile, ["kl_panns", "fd_vgg", "kl_passt", "onset_acc", "mcd"])
    judge = open_judge("paper", profile, tmp_path / "weights")
    outcomes = extract_features([pairs[0]], Scoring(metrics, judge, None), InlineEngine())
    assert "no checkpoint" in next(outcomes).failure.message  # after everything was prepared
    assert decoded == {"0.wav": 1, "made-0.wav": 1}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_pass_that_is_stopped_goes_on_where_it_was(tmp_path, home, how):
    media, straight = tmp_path / "media", tmp_path / "straight"
    for number in range(8):
        _pair(media, number, passes.SECONDS)
    shutil.copytree(media, straight)
    expected = passes.scores(straight, 0)
    shutil.rmtree(home)
    log = media / "log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.pipeline.passes", str(media)]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not log.exists():
        assert time.monotonic() < deadline, "no network was given anything"
        time.sleep(0.005)
    process.send_signal(how)
    process.communicate(timeout=60)
    found = passes.scores(media, 0)
    assert found.keys() == expected.keys()
    for clip, scores in expected.items():
        assert found[clip] == pytest.approx(scores, rel=1e-5, abs=1e-5)
