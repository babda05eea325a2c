"""One small clip with every input that a system may declare; stand-ins of isolated systems."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.isolation import Adapter, IsolatedSystem
from bench.isolation.setup import set_up
from bench.media import read_audio, write_audio, write_video
from bench.plugins import open_system
from bench.synthetic.audio import render_audio
from bench.synthetic.scene import make_scene, scene_to_truth
from bench.system import System
from bench.types import Audio, Clip, Excerpt, FloatArray, Pixels, Request

RATE_HZ = 44_100
SECONDS = 2.5
HITS_S = (0.5, 1.1, 1.9)

Ask = Callable[..., Request]


def bouncing_disc(times_s: FloatArray, hits_s: Sequence[float]) -> Iterator[Pixels]:
    """Frames ``[96, 128, 3]``: a disc that touches the ground at the hits and soars in between."""
    down, right = np.mgrid[:96, :128]
    texture = 90 + 20 * np.sin(right / 5.0) * np.cos(down / 7.0)
    corners = [2 * hits_s[0] - hits_s[1], *hits_s, 2 * hits_s[-1] - hits_s[-2]]
    for time_s in times_s:
        place = np.interp(time_s, corners, range(len(corners)))
        height = 40 * np.sin(np.pi * (place % 1.0))
        distance = np.hypot(down - (76 - height), right - 64)
        disc = np.clip(13 - distance, 0, 1)
        grey = texture * (1 - disc) + 230 * disc
        grey = np.where(down >= 90, 40, grey)
        yield np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


@pytest.fixture(scope="session")
def disc() -> Callable[[FloatArray, Sequence[float]], Iterator[Pixels]]:
    return bouncing_disc


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A clip of the mini world whose video shows a bouncing disc."""
    folder = tmp_path_factory.mktemp("clip")
    scene = make_scene("test", 0, seconds=4.0)
    write_audio(folder / "sound.flac", Audio(render_audio(scene, RATE_HZ)[None], RATE_HZ))
    frames = bouncing_disc(np.arange(70) / 25, HITS_S)
    write_video(folder / "picture.mp4", frames, 25)
    return Clip(
        name=scene.name,
        audio=Excerpt(folder / "sound.flac", 0.5, SECONDS),
        seconds=SECONDS,
        video=Excerpt(folder / "picture.mp4", 0.0, SECONDS),
        reference=Excerpt(folder / "sound.flac", 3.0, 1.0),
        prompt="striking metal",
        generated=folder / "sound.flac",
        truth=scene_to_truth(scene),
    )


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Another clip of the same split."""
    path = tmp_path_factory.mktemp("other") / "other.flac"
    write_audio(path, Audio(render_audio(make_scene("test", 1, seconds=4.0))[None], RATE_HZ))
    return Clip("test_000001", Excerpt(path, 1.0, SECONDS), SECONDS)


@pytest.fixture(scope="session")
def ask(clip: Clip, other: Clip) -> Ask:
    """A function that makes the request a system is owed, as the runner does: nothing more."""
    assert clip.reference is not None
    whole = Request(
        clip.name,
        clip.seconds,
        seed=1,
        video=clip.video,
        reference=read_audio(clip.reference),
        prompt=clip.prompt,
        clip=clip,
        other=other,
    )

    def request(system: System, **changes: object) -> Request:
        asked = {
            "video": "video",
            "reference": "reference",
            "prompt": "prompt",
            "clip": "truth",
            "other": "other",
        }
        withheld = {key: None for key, use in asked.items() if use not in system.uses}
        if "prompt" in withheld:
            withheld["prompt"] = ""  # type: ignore[assignment]
        return replace(whole, **{**withheld, **changes})  # type: ignore[arg-type]

    return request


@pytest.fixture
def samples(clip: Clip, tmp_path: Path) -> Path:
    """A directory with one published sample of the clip, named as HunyuanVideo-Foley names it."""
    generated = read_audio(clip.audio)
    write_audio(tmp_path / "some model" / f"{clip.name}_generated.flac", generated)
    return tmp_path / "some model"


STANDINS = Path(__file__).with_name("standins")
ISOLATED_S = 8.0

SetUp = Callable[[str], System]


def get_adapter(name: str) -> Adapter:
    system = open_system(name)
    assert isinstance(system, IsolatedSystem)
    assert system.adapter is not None
    return system.adapter


def set_up_with_standin(name: str, folder: Path) -> System:
    """Set a system up with its stand-in as the checkout, and empty files as weights."""
    adapter = get_adapter(name)
    checkout = folder / "checkouts" / name
    shutil.copytree(STANDINS / name, checkout)
    for script in list(checkout.rglob("*.py")):  # scripts import from their own folder
        shutil.copy(STANDINS / "_standin.py", script.with_name("_standin.py"))
    for weight in adapter.weights:  # a pattern matches the file that has it as its name
        path = checkout / weight.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    set_up(adapter, checkout, Path(sys.executable), print)
    return adapter.system()


@pytest.fixture
def set_up_standin(tmp_path: Path, home: Path) -> SetUp:
    """Set a system up with its stand-in, in an empty BENCH_HOME."""
    return lambda name: set_up_with_standin(name, tmp_path)


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Excerpt]:
    """Three videos of 10 s with an audio track."""
    folder = tmp_path_factory.mktemp("videos")
    rng = np.random.default_rng(5)
    for index in range(3):
        frames = (np.full((48, 64, 3), (40 * index + n) % 256, np.uint8) for n in range(250))
        noise = rng.uniform(-0.5, 0.5, (1, 441_000)).astype(np.float32)
        write_video(folder / f"-{index}.mp4", frames, 25, Audio(noise, 44_100))
    return [Excerpt(folder / f"-{index}.mp4", 0.0, ISOLATED_S) for index in range(3)]


def make_requests(videos: list[Excerpt], prompts: str = "abc", **fields: Any) -> list[Request]:
    """Return one request for each video; ``fields`` are those that all have."""
    return [
        Request(
            f"-id_{index}",
            **({"seconds": ISOLATED_S, "seed": index, "prompt": f"dog {prompts[index]}"} | fields),
            video=video,
        )
        for index, video in enumerate(videos)
    ]


def describe(results: object) -> list[tuple[int, float]]:
    """The rate and length of every sample; a failure fails the test with its reason."""
    assert isinstance(results, list)
    for each in results:
        assert isinstance(each, Audio), str(each)
    return [(each.sample_rate_hz, round(each.seconds, 3)) for each in results]
