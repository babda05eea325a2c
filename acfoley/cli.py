"""The ``acfoley`` command. Everything heavy is imported inside the command that needs it."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from acfoley.params import sequence_lengths
from acfoley.train import cli as training
from bench import __version__
from bench.errors import BenchError, MediaError
from bench.io import require_target
from bench.terminal import print_line, print_notice, run_app
from bench.types import MAX_SHORTFALL_S, Audio, Excerpt

if TYPE_CHECKING:
    from acfoley.generate import Settings

#: What can be written; ``bench.types.AUDIO_SUFFIXES`` are the many that can be read.
AUDIO_SUFFIXES = (".wav", ".flac")

app = typer.Typer(
    help="AC-Foley: audio for a silent video, guided by reference audio.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WeightsFolder = Annotated[
    Path | None,
    typer.Option(
        "--weights", help="The folder of official files.", show_default="$BENCH_HOME/weights"
    ),
]
PUBLISHED = "acfoley, small_44k, medium_44k, large_44k or large_44k_v2"
Preset = Annotated[str, typer.Option(help=f"{PUBLISHED}.")]


@app.callback()
def _root() -> None:
    """AC-Foley: audio for a silent video, guided by reference audio."""


@app.command()
def version() -> None:
    """Print the version."""
    print_line(__version__)


@app.command()
def lengths(
    seconds: Annotated[float, typer.Option(help="Length of the video, 1 to 30 s.")] = 8.0,
) -> None:
    """Print the number of tokens of each stream of the model for a video of this length."""
    for name, count in asdict(sequence_lengths(seconds)).items():
        print_line(f"{name:<12} {count:>9,}")


@app.command()
def generate(
    video: Annotated[Path, typer.Option(help="The video; its audio is not read.")],
    reference: Annotated[
        Path | None, typer.Option(help="Audio (or a video) with the timbre to aim for.")
    ] = None,
    prompt: Annotated[str, typer.Option(help="A description of the audio.")] = "",
    negative: Annotated[str, typer.Option(help="A description of audio to avoid.")] = "",
    mask: Annotated[str, typer.Option(help="Mask audio, sync, video, text (by commas).")] = "",
    mask_scope: Annotated[str, typer.Option(help="whole, or vector: only the pooled vector.")] = (
        "whole"
    ),
    seconds: Annotated[float, typer.Option(help="Length, 1 to 30 s, from the start.")] = 8.0,
    steps: Annotated[int, typer.Option(help="Steps from noise to audio.")] = 25,
    cfg: Annotated[
        float | None,
        typer.Option(help="Classifier-free guidance; 1 is none.  [default: 4.5; mini: 1.5]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same audio.")] = 42,
    preset: Annotated[
        str,
        typer.Option(
            help=f"{PUBLISHED}; mini, mini_attention or mini_clap come with this package."
        ),
    ] = "acfoley",
    checkpoint: Annotated[
        Path | None, typer.Option(help="Other weights of the flow network, of the same preset.")
    ] = None,
    weights: WeightsFolder = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1.")] = "cpu",
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16: the flow network's.")] = (
        "float32"
    ),
    low_memory: Annotated[
        bool, typer.Option("--low-memory", help="On a GPU: networks take turns there.")
    ] = False,
    compile_: Annotated[bool, typer.Option("--compile", help="Compile the flow network.")] = False,
    whole_reference: Annotated[
        bool,
        typer.Option("--whole-reference", help="Read up to 30 s of it, not its first 2.02 s."),
    ] = False,
    parity: Annotated[
        str, typer.Option(help="own, or official: noise in the order of the published inference.")
    ] = "own",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .mp4, .mov, .wav or .flac file."),
    ] = None,
) -> None:
    """Generate audio for a video."""
    from acfoley.encoders.clip import tokenise
    from acfoley.generate import Job, checked_settings
    from acfoley.loading import Loading, open_model
    from acfoley.official import SHIPPED
    from bench.checkpoints.registry import weights_directory
    from bench.media import check_muxing
    from bench.media.write import VIDEO_SUFFIXES

    # All that can be refused is refused before anything heavy is loaded.
    sequence_lengths(seconds)
    settings = checked_settings(
        steps, cfg, mask, mask_scope, parity, "whole" if whole_reference else "published"
    )
    destination = output_path(output, video)
    check_video(video, seconds)
    if destination.suffix.lower() in VIDEO_SUFFIXES:
        check_muxing(video, destination)
    reference_audio = read_reference(reference, settings)
    # The small presets have no tokens of CLIP; their encoders report what they cut.
    if preset not in SHIPPED:
        for text in (prompt, negative):
            if text.strip() and (message := tokenise(text).message):
                print_notice(message)
    loading = Loading(device, dtype, checkpoint, low_memory, compile_)
    model = open_model(preset, weights or weights_directory(), loading, seconds=seconds)
    excerpt = Excerpt(video.absolute())
    job = Job(seconds, seed, excerpt, prompt, negative, reference_audio)

    def on_step(done: int) -> None:
        if done % 5 == 0 or done == settings.n_steps:
            print_notice(f"  step {done} of {settings.n_steps}")

    (generated,) = model.generate([job], settings, on_stage=print_notice, on_step=on_step)
    write_result(destination, video, generated)
    print_line(f"{destination}: {generated.seconds:g} s, {generated.samples.shape[1]:,} samples")


@app.command()
def fetch(
    preset: Preset = "acfoley",
    weights: WeightsFolder = None,
    mirror: Annotated[
        str | None, typer.Option(help="A folder, or the URL of one, with the official file names.")
    ] = None,
    offline: Annotated[
        bool, typer.Option(envvar="BENCH_OFFLINE", help="Never touch the network.")
    ] = False,
) -> None:
    """Download the official files of a preset that are missing; resume partial downloads."""
    from acfoley.official import fetch_command, needed_files
    from bench.checkpoints.commands import fetch_files
    from bench.checkpoints.fetch import Origin
    from bench.checkpoints.registry import weights_directory

    directory = weights or weights_directory()
    command = fetch_command(preset, directory)
    fetch_files(needed_files(preset), directory, Origin(mirror, offline), command=command)


@app.command(name="weights")
def list_weights(weights: WeightsFolder = None) -> None:
    """List the official files, and which of them are in the folder."""
    from bench.checkpoints.commands import print_files
    from bench.checkpoints.registry import OFFICIAL_FILES, weights_directory

    rows = [row for row in OFFICIAL_FILES.values() if row.part]
    print_files(rows, weights or weights_directory())


def output_path(output: Path | None, video: Path) -> Path:
    """Return the file of the result, audio alone or with the video; by default in this folder.

    Raises:
        BenchError: no file with this suffix can be written, or it would overwrite the video.
    """
    from bench.media.write import VIDEO_SUFFIXES

    path = output or Path(f"{video.stem}_acfoley.mp4")
    known = (*AUDIO_SUFFIXES, *VIDEO_SUFFIXES)
    if path.suffix.lower() not in known:
        raise BenchError(f"cannot write {path}: {path.suffix!r} is none of {', '.join(known)}")
    if path.absolute() == video.absolute():
        raise BenchError(f"{path} is the video itself: name another file with -o")
    return require_target(path)


def check_video(video: Path, seconds: float) -> None:
    """Make sure that ``video`` lasts ``seconds``, to within ``MAX_SHORTFALL_S``.

    Raises:
        MediaError: the file holds no video, or it is shorter.
    """
    from bench.media import probe

    info = probe(video)
    if info.video is None:
        raise MediaError(f"{video} has no video stream: give a video, its audio is not needed")
    # The length of the stream where it is known: that of the file may be the audio's.
    known_s = info.video.seconds or info.seconds
    if known_s is not None and seconds > known_s + MAX_SHORTFALL_S:
        # Rounded down to tenths: the proposed length must not be refused again.
        raise MediaError(
            f"{video} lasts {known_s:.2f} s, {seconds:g} s were asked for: "
            f"use --seconds {int(known_s * 10) / 10:g}, or a longer video"
        )


def read_reference(path: Path | None, settings: Settings) -> Audio | None:
    """Read the reference and check that it can be used.

    Raises:
        MediaError: it cannot be read, or is empty, silent, too short or too long.
    """
    if path is None:
        return None
    from acfoley.encoders.encoders import prepare_reference
    from bench.media import read_audio

    audio = read_audio(Excerpt(path.absolute()))
    try:
        prepare_reference(audio, settings.reference_length)
    except MediaError as error:
        raise MediaError(f"{path}: {error}") from error
    return audio


def write_result(destination: Path, video: Path, audio: Audio) -> None:
    """Write the audio, alone or with the video.

    Where the video cannot be written, that error is raised after the audio is kept in a file of its
    own, which a notice names.
    """
    from bench.media import mux_audio, write_audio
    from bench.media.write import VIDEO_SUFFIXES

    if destination.suffix.lower() not in VIDEO_SUFFIXES:
        write_audio(destination, audio)
        return
    try:
        mux_audio(video, audio, destination)
    except BaseException:  # whatever it is, also an interrupt: the audio took minutes to generate
        # Under a new name: a file of another call may be there, and nobody agreed to lose it.
        path = destination.with_suffix(".flac")
        numbered = (path.with_stem(f"{path.stem}_{number}") for number in itertools.count(2))
        kept = next(each for each in itertools.chain([path], numbered) if not each.exists())
        write_audio(kept, audio)
        print_notice(f"the video is not written: the audio is kept in {kept}")
        raise


# Here, so that training is the last group of commands in the help.
for _command in (training.precompute, training.train, training.ema):
    app.command()(_command)


def main() -> None:
    """Run the command line; refusals and bad values become one line and exit code 2."""
    run_app(app, ValueError)
