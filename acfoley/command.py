"""``acfoley generate``: all that can be refused is refused before anything heavy is loaded."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, MediaError
from bench.io import require_target
from bench.media import check_muxing, mux_audio, probe, read_audio, write_audio
from bench.media.write import VIDEO_SUFFIXES
from bench.terminal import print_line, print_notice
from bench.types import MAX_SHORTFALL_S, Audio, Excerpt

if TYPE_CHECKING:
    from acfoley.generate import Loading, Settings

AUDIO_SUFFIXES = (".wav", ".flac")


@dataclass(frozen=True)
class Order:
    """What the user asks for, as typed."""

    video: Path
    reference: Path | None
    prompt: str
    negative: str
    seconds: float
    seed: int
    preset: str
    weights: Path | None
    output: Path | None


def generate_command(order: Order, settings: Settings, loading: Loading) -> None:
    """Check, load, generate, write, and say where."""
    from acfoley.generate import Job, open_model
    from acfoley.official import SHIPPED
    from bench.checkpoints.registry import weights_directory

    destination = output_path(order)
    check_video(order.video, order.seconds)
    if destination.suffix.lower() in VIDEO_SUFFIXES:
        check_muxing(order.video, destination)
    reference = read_reference(order.reference, settings)
    if order.preset not in SHIPPED:
        for message in cut_words(order.prompt, order.negative):
            say(message)
    directory = order.weights or weights_directory()
    model = open_model(order.preset, directory, loading, seconds=order.seconds)
    job = Job(
        seconds=order.seconds,
        seed=order.seed,
        video=Excerpt(order.video.absolute()),
        prompt=order.prompt,
        negative=order.negative,
        reference=reference,
    )
    (generated,) = model.generate(
        [job], settings, on_stage=say, on_step=StepCounter(settings.n_steps)
    )
    write_result(destination, order.video, generated)
    print_line(f"{destination}: {generated.seconds:g} s, {generated.samples.shape[1]:,} samples")


def output_path(order: Order) -> Path:
    """Where the sound goes, alone or with the picture; by default here.

    Raises:
        BenchError: the suffix is that of no file that can be written, or the video would be
            overwritten.
    """
    path = order.output or Path(f"{order.video.stem}_acfoley.mp4")
    known = (*AUDIO_SUFFIXES, *VIDEO_SUFFIXES)
    if path.suffix.lower() not in known:
        raise BenchError(f"cannot write {path}: {path.suffix!r} is none of {', '.join(known)}")
    if path.absolute() == order.video.absolute():
        raise BenchError(f"{path} is the video itself: name another file with -o")
    return require_target(path)


def check_video(video: Path, seconds: float) -> None:
    """Make sure that there is a video of this length, to within ``MAX_SHORTFALL_S``.

    Raises:
        MediaError: there is none, or it is shorter.
    """
    info = probe(video)
    if info.video is None:
        raise MediaError(f"{video} has no picture: give a video, its sound is not needed")
    known_s = info.video.seconds or info.seconds
    if known_s is not None and seconds > known_s + MAX_SHORTFALL_S:
        raise MediaError(
            f"{video} lasts {known_s:.2f} s, {seconds:g} s were asked for: "
            f"use --seconds {int(known_s * 10) / 10:g}, or a longer video"
        )


def write_result(destination: Path, video: Path, audio: Audio) -> None:
    """Write the audio, alone or beside the video; it is kept even where that fails.

    Raises:
        BenchError: it cannot be written.
    """
    if destination.suffix.lower() not in VIDEO_SUFFIXES:
        write_audio(destination, audio)
        return
    try:
        mux_audio(video, audio, destination)
    except Exception as error:  # whatever it is: the audio took minutes to make
        kept = _unused(destination.with_suffix(".flac"))
        write_audio(kept, audio)
        raise BenchError(f"{error}; the audio is kept in {kept}") from error


def _unused(path: Path) -> Path:
    """``path``, or the same with a number where something of that name is there."""
    numbered = (path.with_stem(f"{path.stem}_{number}") for number in itertools.count(2))
    return next(each for each in itertools.chain([path], numbered) if not each.exists())


def read_reference(path: Path | None, settings: Settings) -> Audio | None:
    """The reference sound, found good.

    Raises:
        MediaError: it cannot be read, or is empty, silent, too short or too long.
    """
    if path is None:
        return None
    from acfoley.reference import prepare_reference

    audio = read_audio(Excerpt(path.absolute()))
    try:
        prepare_reference(audio, settings.reference_length)
    except MediaError as error:
        raise MediaError(f"{path}: {error}") from error
    return audio


def cut_words(*prompts: str) -> list[str]:
    """What is said of prompts that are longer than CLIP can read: which words were cut."""
    from acfoley.clip import tokenise

    messages = (tokenise(prompt).message for prompt in prompts if prompt.strip())
    return [message for message in messages if message]


@dataclass(frozen=True)
class StepCounter:
    """Says every fifth step, and the last."""

    n_steps: int

    def __call__(self, done: int) -> None:
        """Say that ``done`` steps are done."""
        if done % 5 == 0 or done == self.n_steps:
            say(f"  step {done} of {self.n_steps}")


def say(line: str) -> None:
    """Tell the user, beside the result."""
    print_notice(line)


def fetch_command(
    preset: str, directory: Path | None, mirror: str | None, is_offline: bool
) -> None:
    """Fetch the official files of a preset that are missing, with progress."""
    from acfoley.official import fetch_command as describe_command
    from acfoley.official import needed_files
    from bench.checkpoints.commands import fetch_files
    from bench.checkpoints.fetch import Origin
    from bench.checkpoints.registry import weights_directory

    directory = directory or weights_directory()
    command = describe_command(preset, directory)
    fetch_files(needed_files(preset), directory, Origin(mirror, is_offline), command=command)


def list_command(directory: Path | None) -> None:
    """Print every official file that a preset needs, and whether it is here."""
    from bench.checkpoints.commands import print_files
    from bench.checkpoints.registry import OFFICIAL_FILES, weights_directory

    rows = [row for row in OFFICIAL_FILES.values() if row.part]
    print_files(rows, directory or weights_directory())
