"""Published samples are found by name, read unchanged, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError, MediaError, MissingError
from bench.matching import make_clip_name
from bench.media import read_audio, write_audio
from bench.plugins import open_system
from bench.types import Audio, Clip, Excerpt, Request
from tests.baselines.calls import generate_one

RATE_HZ = 16_000

Ask = Callable[..., Request]


def sample(directory: Path, ask: Ask, **changes: object) -> Audio:
    system = open_system(f"precomputed:{directory}")
    return generate_one(system.open("cpu"), ask(system, **changes))


def write_tone(path: Path, seconds: float, level: float = 0.5) -> None:
    samples = np.full((1, round(seconds * RATE_HZ)), level, np.float32)
    write_audio(path, Audio(samples, RATE_HZ))


def test_the_sample_of_a_clip_is_found_and_read_at_its_own_rate(
    samples: Path, ask: Ask, clip: Clip
) -> None:
    audio = sample(samples, ask)
    assert np.abs(audio.samples - read_audio(clip.audio).samples).max() < 1e-6


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
def test_a_sample_keeps_its_own_length(tmp_path: Path, ask: Ask, seconds: float) -> None:
    write_tone(tmp_path / "test_000000.wav", seconds)
    audio = sample(tmp_path, ask)
    assert audio.samples.shape == (1, round(seconds * RATE_HZ))
    assert audio.samples.all()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "test_000000.wav").write_text("no audio")
    with pytest.raises(MediaError, match=r"test_000000\.wav"):
        sample(tmp_path, ask)


def test_a_clip_without_a_file_is_refused_with_an_example_of_the_files(
    samples: Path, ask: Ask
) -> None:
    expected = f"no file for clip 'absent' in {samples}: 1 files, e.g. 'test_000000_generated.flac'"
    with pytest.raises(BenchError, match=re.escape(expected)):
        sample(samples, ask, name="absent")


def test_a_file_that_differs_only_in_case_is_named_and_not_used(tmp_path: Path, ask: Ask) -> None:
    write_tone(tmp_path / "Dog.wav", 2.5)
    expected = f"no file for clip 'dog' in {tmp_path}: 'Dog.wav' differs from 'dog' only in case"
    with pytest.raises(BenchError, match=re.escape(expected)):
        sample(tmp_path, ask, name="dog")


def test_samples_behind_links_and_of_unknown_suffixes_are_found(tmp_path: Path, ask: Ask) -> None:
    folder, store = tmp_path / "samples", tmp_path / "store"
    folder.mkdir()
    write_tone(store / "a.wav", 2.5)
    (store / "a.wav").rename(store / "a.sample")
    (folder / "shard").symlink_to(store)
    assert sample(folder, ask, name="a").seconds == 2.5
    (folder / "gone.wav").symlink_to("nowhere")
    with pytest.raises(MediaError, match=r"gone\.wav: No such file"):
        sample(folder, ask, name="gone")


def test_two_files_for_a_clip_are_refused_by_name(tmp_path: Path, ask: Ask) -> None:
    for folder in ("a", "b"):
        write_tone(tmp_path / folder / "test_000000.wav", 2.5)
    with pytest.raises(BenchError, match=r"2 files .* 'test_000000'.*: a/\S+wav, b/\S+wav"):
        sample(tmp_path, ask)


def test_a_file_named_like_one_clip_is_no_sample_of_another(tmp_path: Path, ask: Ask) -> None:
    write_tone(tmp_path / "take_000001_2.flac", 2.5)
    system = open_system(f"precomputed:{tmp_path}")
    assert system.with_clips is not None
    knowing = system.with_clips(("take_000001", "take_000001_2"))
    generate = knowing.open("cpu")
    assert generate_one(generate, ask(knowing, name="take_000001_2")).seconds == 2.5
    with pytest.raises(BenchError, match="no file for clip 'take_000001'"):
        generate_one(generate, ask(knowing, name="take_000001"))


@pytest.mark.parametrize("stem", ["my dog", "sub/cat", "犬", "sub/a b"])
def test_a_sample_is_found_at_the_path_of_the_video_of_its_clip(
    tmp_path: Path, ask: Ask, stem: str
) -> None:
    write_tone(tmp_path / f"{stem}.flac", 2.5)
    write_tone(tmp_path / "猫.flac", 1.0)
    assert sample(tmp_path, ask, name=make_clip_name(Path(f"{stem}.mp4"))).seconds == 2.5


def test_the_input_of_a_clip_is_the_file_that_is_read(tmp_path: Path) -> None:
    for name in ("a/both", "b/both", "one_generated"):
        write_tone(tmp_path / f"{name}.flac", 0.5)
    inputs = open_system(f"precomputed:{tmp_path}").inputs
    assert inputs is not None
    assert inputs("one") == (tmp_path / "one_generated.flac",)
    assert inputs("both") == inputs("absent") == ()


def test_unused_files_are_counted(tmp_path: Path) -> None:
    for name in ("one.wav", "one.mp4", "Y0DCit2EBtjs_000030_0.wav", "Y0DCit2EBtjs_000030_1.wav"):
        (tmp_path / name).touch()
    for name in ("else.wav", "log.txt"):
        (tmp_path / name).touch()
    system = open_system(f"precomputed:{tmp_path}")
    assert system.with_clips is not None
    notes = system.with_clips(("one", "0DCit2EBtjs_000030")).notes
    assert notes is not None
    assert notes() == (
        "1 files of the samples belong to no clip of the split",
        "1 further samples of the same clips not used",
        f"1 videos in {tmp_path.name} have an audio file beside them, which was taken",
        f"1 file is neither audio nor video in {tmp_path.name}: log.txt",
    )


def test_a_directory_is_resolved_when_the_system_is_opened(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(samples)
    monkeypatch.chdir(tmp_path)
    system = open_system("precomputed:link")
    monkeypatch.chdir("/")
    assert system.inputs is not None
    assert system.inputs("test_000000") == (samples / "test_000000_generated.flac",)


def test_a_directory_without_samples_is_refused_when_it_is_opened(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="holds no audio or video file"):
        open_system(f"precomputed:{tmp_path}").open("cpu")


def test_without_a_directory_the_sample_that_the_split_names_is_read(ask: Ask, clip: Clip) -> None:
    system = open_system("precomputed")
    assert not system.is_anchor
    audio = generate_one(system.open("cpu"), ask(system))
    expected = read_audio(Excerpt(clip.audio.path))
    assert np.array_equal(audio.samples, expected.samples)


def test_a_split_that_names_no_samples_is_refused_with_the_remedy(ask: Ask, clip: Clip) -> None:
    system = open_system("precomputed")
    with pytest.raises(BenchError, match="names no sample of its own: ask for precomputed:DIR"):
        generate_one(system.open("cpu"), ask(system, clip=replace(clip, generated=None)))


def test_real_samples_of_a_published_system_are_found(shared: Path, ask: Ask) -> None:
    audio = sample(shared / "media" / "v2a-outputs", ask, name="-26aVYRtEAc_000030", seconds=8.0)
    assert (audio.sample_rate_hz, audio.seconds) == (16_000, 10.242)
