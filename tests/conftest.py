"""Fixtures that every part of the suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench._numba import CACHE_VARIABLE, load_librosa
from bench.engine import open_engine
from bench.media import write_video
from bench.splits.mini import prepare_mini
from bench.types import Audio

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """Compile once, before test processes start; those that tests start use the same cache.

    Runs of tests have no floor and ceiling, which would cost more than the tests, unless they ask.
    """
    os.environ["BENCH_BOUNDS"] = "0"
    # Test processes share the cores already: with threads of their own they take 1.5 times as long.
    # Read when libraries are loaded, so before any test, and by the processes that tests start.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ.setdefault(CACHE_VARIABLE, str(ROOT / "build" / "compiled"))
    load_librosa()


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed, fresh for each test."""
    return np.random.default_rng(20260)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and reference arrays beside the checkout; skips without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder of real clips and reference arrays beside the checkout")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty BENCH_HOME."""
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def mini_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BENCH_HOME with the first four mini clips, for tests that change none of its files.

    Rendering takes a second a clip, and features of the true audio are computed by the first test.
    """
    folder = tmp_path_factory.mktemp("mini_home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_HOME", str(folder))
        list(prepare_mini(4, open_engine(0)).rows)
    return folder


@pytest.fixture
def one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs that name no number of workers start none: two take longer to start than to work."""
    monkeypatch.setattr("bench.pipeline.prepare.core_count", lambda: 0)


@pytest.fixture(scope="session")
def clicks_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three 10 s clips in which a square flashes and a tone bursts at irregular times."""
    folder = tmp_path_factory.mktemp("clicks")
    for number in range(3):
        _write_clicks(folder / f"clip_{number:06d}.mp4", number)
    (folder / "labels.csv").write_text("name,label\nclip_000000,a click\nclip_000001,a tick\n")
    return folder


def _write_clicks(path: Path, number: int) -> None:
    rng = np.random.default_rng(number)
    times = np.cumsum(rng.uniform(0.4, 0.9, size=20))
    clicks = np.zeros(10 * 44_100, dtype=np.float32)
    burst = np.arange(4_000)
    tone = 0.5 * np.exp(-burst / 900) * np.sin(2 * np.pi * (600 + 250 * number) * burst / 44_100)
    for time in times[times < 9.8]:
        start = round(time * 44_100)
        clicks[start : start + len(tone)] += tone
    clicks += rng.normal(0, 1e-3, clicks.shape)
    audio = Audio(clicks[np.newaxis].astype(np.float32), 44_100)
    write_video(path, (_flash(frame / 25, times) for frame in range(250)), 25, audio)


def _flash(time: float, times: np.ndarray) -> np.ndarray:
    pixels = np.full((48, 64, 3), 40, dtype=np.uint8)
    if np.any((time >= times) & (time < times + 0.08)):
        pixels[12:36, 16:48] = 220
    return pixels
