"""Isolated systems, each driven through its real adapter against a stand-in of its scripts.

A stand-in has the arguments, file names, lengths and quirks of the official scripts, as
``tests/baselines/standins`` describes them, and runs in an interpreter of its own.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from baselines.describe import describe as describe_systems
from bench.isolation import Adapter, IsolatedSystem
from bench.isolation.setup import set_up
from bench.media import write_video
from bench.plugins import open_system
from bench.system import System
from bench.types import Audio, Excerpt, Request

STANDINS = Path(__file__).with_name("standins")
SECONDS = 8.0

SetUp = Callable[[str], System]


def get_adapter(name: str) -> Adapter:
    system = open_system(name)
    assert isinstance(system, IsolatedSystem)
    assert system.adapter is not None
    return system.adapter


@pytest.fixture
def set_up_standin(tmp_path: Path, home: Path) -> SetUp:
    """Set a system up with its stand-in as the checkout, and empty files as weights."""

    def set_up_one(name: str) -> System:
        adapter = get_adapter(name)
        checkout = tmp_path / "checkouts" / name
        shutil.copytree(STANDINS / name, checkout)
        for script in list(checkout.rglob("*.py")):  # scripts import from their own folder
            shutil.copy(STANDINS / "_standin.py", script.with_name("_standin.py"))
        for weight in adapter.weights:
            path = checkout / weight.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        set_up(adapter, checkout, Path(sys.executable), print)
        return adapter.system()

    return set_up_one


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Excerpt]:
    """Three videos of 10 s with an audio track."""
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(5)
    for index in range(3):
        frames = (np.full((48, 64, 3), (40 * index + n) % 256, np.uint8) for n in range(250))
        noise = rng.uniform(-0.5, 0.5, (1, 441_000)).astype(np.float32)
        write_video(folder / f"-{index}.mp4", frames, 25, Audio(noise, 44_100))
    return [Excerpt(folder / f"-{index}.mp4", 0.0, SECONDS) for index in range(3)]


def make_requests(videos: list[Excerpt], prompts: str = "abc") -> list[Request]:
    return [
        Request(f"-id_{index}", SECONDS, seed=index, video=video, prompt=f"dog {prompts[index]}")
        for index, video in enumerate(videos)
    ]


def describe(results: object) -> list[tuple[int, float]]:
    """The rate and length of every sample; a failure fails the test with its reason."""
    assert isinstance(results, list)
    for each in results:
        assert isinstance(each, Audio), str(each)
    return [(each.sample_rate_hz, round(each.seconds, 3)) for each in results]


def test_foleycrafter_groups_by_prompt_and_gets_eight_seconds(set_up_standin, videos) -> None:
    generate = set_up_standin("foleycrafter").open("cpu")
    assert describe(generate(make_requests(videos, "aab"))) == [(16_000, 8.0)] * 3


def test_the_page_of_systems_is_that_of_the_adapters() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "systems.md"
    assert page.read_text() == describe_systems(), "python -m baselines.describe > docs/systems.md"
