"""Reading sound: any container and codec, exact windows, float32 in [-1, 1] at the native rate.

Sample 0 is the first decoded sample, as in ``ffmpeg -i clip.mp4 clip.wav``: the priming of a codec
and what an edit list hides are skipped, and samples follow one another whatever their time stamps
say. A window is therefore found by decoding from the start of the file, never by seeking.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import MediaError
from bench.media.container import (
    MAX_SECONDS,
    check_complete,
    check_window,
    damage,
    decoded,
    first_audio,
    open_media,
)
from bench.types import Audio, Excerpt, Waveform

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

#: Rounding of time stamps in Matroska stays below, a frame of FLAC above.
MAX_LEAP_S = 0.005
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000


def read_audio(excerpt: Excerpt, *, mono: bool = False, shortfall_s: float = 0.0) -> Audio:
    """The sound of ``excerpt`` at its native rate, ``[C, T]`` with one or two channels.

    T is ``round(seconds * rate)``, from sample ``round(start_s * rate)``; a file that ends up to
    ``shortfall_s`` too early is filled with zeros. More than two channels are mixed down to stereo
    with the ITU coefficients, scaled to sum to one at most (libswresample; ``ffmpeg -ac 2`` does
    the same for 16-bit files). ``mono`` takes the mean over channels after that, ``[1, T]``. Lossy
    codecs overshoot: samples beyond full scale are clamped to [-1, 1].

    Raises MediaError when there is no sound, when the file ends before the window does or was cut
    off, and when its data are damaged, not finite, or change rate or channels on the way.
    """
    check_window(excerpt)
    path = excerpt.path
    with open_media(path) as container:
        stream = first_audio(container, path)
        if is_flac := stream.codec_context.name == "flac":
            stream.codec_context.options = {"err_detect": "crccheck+explode"}
        frames = decoded(container, stream, path)
        frames = _uniform(_gapless(frames, stream, path) if is_flac else frames, path)
        first = next(frames, None)
        if first is None:
            raise MediaError(f"cannot read the sound of {path}: it has no samples")
        rate = first.sample_rate
        samples, n_decoded = _window(itertools.chain([first], frames), excerpt, rate)
        if excerpt.seconds is None:
            check_complete(container, stream, n_decoded / rate, path)
    if not np.isfinite(samples).all():
        raise MediaError(f"cannot read the sound of {path}: it has samples that are not finite")
    samples = _filled(samples, excerpt, rate, n_decoded, shortfall_s)
    audio = Audio(samples.clip(-1, 1), rate)
    return Audio(audio.mono()[np.newaxis], rate) if mono else audio


def cut_audio(audio: Audio, excerpt: Excerpt, *, shortfall_s: float = 0.0) -> Audio:
    """The window of ``excerpt`` out of ``audio``, which is its whole file: as if it had been read.

    Raises MediaError when the file ends more than ``shortfall_s`` before the window does.
    """
    check_window(excerpt)
    rate, n_decoded = audio.sample_rate_hz, audio.samples.shape[1]
    start, n_samples = _start_and_length(excerpt, rate)
    samples = audio.samples[:, start : start + n_samples]
    return Audio(_filled(samples, excerpt, rate, n_decoded, shortfall_s), rate)


def _gapless(frames: Iterator[AudioFrame], stream: AudioStream, path: Path) -> Iterator[AudioFrame]:
    """Yield ``frames``; a frame dropped for its checksum, seen as a leap, is refused."""
    first_s, decoded_s = None, 0.0
    for frame in frames:
        if frame.time is not None:
            first_s = frame.time if first_s is None else first_s
            if abs(frame.time - first_s - decoded_s) > MAX_LEAP_S:
                raise damage(stream, path, decoded_s, "a frame with a wrong checksum")
        decoded_s += frame.samples / frame.sample_rate
        yield frame


def _uniform(frames: Iterator[AudioFrame], path: Path) -> Iterator[AudioFrame]:
    """Yield ``frames`` as planar float of one or two channels; a change of format is refused."""
    import av

    mixer, expected = None, None
    for frame in frames:
        found = f"{frame.sample_rate} Hz {frame.layout.name}"
        if mixer is None:
            if not MIN_RATE_HZ <= frame.sample_rate <= MAX_RATE_HZ:
                raise MediaError(f"cannot read the sound of {path}: its rate is {found}")
            expected, layout = found, "mono" if len(frame.layout.channels) == 1 else "stereo"
            # Without the bound a mix to float keeps unit gain for the front, and clips loud films.
            mixer = av.AudioResampler("fltp", layout, options={"rematrix_maxval": "1.0"})
        if found != expected:
            raise MediaError(f"cannot read the sound of {path}: {expected} turns into {found}")
        try:
            yield from mixer.resample(frame)
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(f"cannot mix {found} of {path} down to {layout}: {error}") from error


def _window(
    frames: Iterable[AudioFrame], excerpt: Excerpt, sample_rate_hz: int
) -> tuple[Waveform, int]:
    """The samples of the window ``[C, n]``, and how many were decoded to find its end."""
    start, n_samples = _start_and_length(excerpt, sample_rate_hz)
    stop, n_decoded, blocks = start + n_samples, 0, []
    for frame in frames:
        block = frame.to_ndarray()
        blocks.append(block[:, max(start - n_decoded, 0) : max(stop - n_decoded, 0)])
        n_decoded += block.shape[1]
        if n_decoded > stop and excerpt.seconds is None:
            raise MediaError(
                f"cannot read all of {excerpt.path}: it lasts more than {MAX_SECONDS:g} s, "
                "read a window of it"
            )
        if n_decoded >= stop and excerpt.seconds is not None:
            break
    return np.concatenate(blocks, axis=1), n_decoded


def _start_and_length(excerpt: Excerpt, sample_rate_hz: int) -> tuple[int, int]:
    seconds = MAX_SECONDS if excerpt.seconds is None else excerpt.seconds
    return round(excerpt.start_s * sample_rate_hz), round(seconds * sample_rate_hz)


def _filled(
    samples: Waveform, excerpt: Excerpt, sample_rate_hz: int, n_decoded: int, shortfall_s: float
) -> Waveform:
    """``samples`` at the length of the window, filled up with zeros where that is permitted."""
    start, n_samples = _start_and_length(excerpt, sample_rate_hz)
    n_missing = 0 if excerpt.seconds is None else n_samples - samples.shape[1]
    if samples.size and n_missing <= shortfall_s * sample_rate_hz:
        return np.pad(samples, ((0, 0), (0, n_missing)))
    end_s = excerpt.start_s + (excerpt.seconds or 0)
    raise MediaError(
        f"the sound of {excerpt.path} lasts {n_decoded / sample_rate_hz:.3f} s, "
        f"the window from {excerpt.start_s:g} s needs more than that, up to {end_s:g} s"
    )
