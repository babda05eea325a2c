"""Published samples are found by name, read as they are, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from baselines import open_system
from bench.errors import BenchError, MediaError, MissingError
from bench.media import read_audio, write_audio
from bench.types import Audio, Clip, Excerpt, Request

RATE_HZ = 16_000

Ask = Callable[..., Request]


def sample(directory: Path, ask: Ask, **changes: object) -> Audio:
    system = open_system(f"precomputed:{directory}")
    return system.open("cpu")(ask(system, **changes))


def write_tone(path: Path, seconds: float, level: float = 0.5) -> None:
    samples = np.full((1, round(seconds * RATE_HZ)), level, np.float32)
    write_audio(path, Audio(samples, RATE_HZ))


def test_the_sample_of_a_clip_is_found_and_read_at_its_own_rate(
    samples: Path, ask: Ask, clip: Clip
) -> None:
    audio = sample(samples, ask)
    assert np.abs(audio.samples - read_audio(clip.sound).samples).max() < 1e-6


def test_the_system_is_named_after_its_directory(samples: Path) -> None:
    system = open_system(f"precomputed:{samples}")
    assert system.name == "precomputed=some_model"
    assert not system.is_anchor


def test_the_lowest_of_several_samples_counts(tmp_path: Path, ask: Ask) -> None:
    for number in (3, 1, 10):
        write_tone(tmp_path / f"Y-1pRmoJIGQc_000010_{number}.wav", 2.5, number / 20)
    audio = sample(tmp_path, ask, name="-1pRmoJIGQc_000010")
    assert audio.samples.max() == pytest.approx(0.05)


@pytest.mark.parametrize("seconds", [9.0, 2.5 - 0.012])
def test_a_sample_keeps_its_own_length_for_the_runner_to_judge(
    tmp_path: Path, ask: Ask, seconds: float
) -> None:
    write_tone(tmp_path / "test_000000.wav", seconds)
    audio = sample(tmp_path, ask)
    assert audio.samples.shape == (1, round(seconds * RATE_HZ))
    assert audio.samples.all()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "test_000000.wav").write_text("no sound")
    with pytest.raises(MediaError, match=r"test_000000\.wav"):
        sample(tmp_path, ask)


def test_a_clip_without_a_file_is_refused_with_what_there_is(samples: Path, ask: Ask) -> None:
    expected = f"no file for clip 'absent' in {samples}: 1 files, e.g. 'test_000000_generated.flac'"
    with pytest.raises(BenchError, match=re.escape(expected)):
        sample(samples, ask, name="absent")


def test_two_files_for_a_clip_are_refused_by_name(tmp_path: Path, ask: Ask) -> None:
    for folder in ("a", "b"):
        write_tone(tmp_path / folder / "test_000000.wav", 2.5)
    with pytest.raises(BenchError, match=r"2 files .* 'test_000000'.*: a/\S+wav, b/\S+wav"):
        sample(tmp_path, ask)


def test_a_directory_without_samples_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no sound or video file"):
        open_system(f"precomputed:{tmp_path}").open("cpu")


def test_without_a_directory_the_sample_that_the_split_names_is_read(ask: Ask, clip: Clip) -> None:
    system = open_system("precomputed")
    assert not system.is_anchor
    audio = system.open("cpu")(ask(system))
    expected = read_audio(Excerpt(clip.sound.path))
    assert np.array_equal(audio.samples, expected.samples)


def test_a_split_that_names_no_samples_is_refused_with_the_remedy(ask: Ask, clip: Clip) -> None:
    system = open_system("precomputed")
    with pytest.raises(BenchError, match="names no sample of its own: ask for precomputed:DIR"):
        system.open("cpu")(ask(system, clip=replace(clip, generated=None)))


def test_real_samples_of_a_published_system_are_found(shared: Path, ask: Ask) -> None:
    audio = sample(shared / "media" / "v2a-outputs", ask, name="-26aVYRtEAc_000030", seconds=8.0)
    assert (audio.sample_rate_hz, audio.seconds) == (16_000, 10.242)
