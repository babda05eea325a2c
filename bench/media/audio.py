"""Read audio: any container and codec, exact windows, float32 at the native rate.

Sample 0 is at time 0 of the file's clock (``bench.media.clock``): audio that starts after the
video begins with silence, holes in the time stamps become silence, and overlaps are cut. The
priming of a codec and the parts that an edit list hides are skipped.

A window is decoded from the start of the file, without a seek: a seek ends at a packet, the samples
of lossy codecs depend on the packets before (the overlap of MDCT blocks, the bit reservoir of MP3),
and some formats have no index. Decoding 10 s costs milliseconds.

Samples are not clamped. Full scale is 1, but lossy codecs overshoot it and floating-point files may
exceed it, and the published evaluators (torchaudio) do not clamp either.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import MediaError
from bench.media.clock import Timeline, check_complete, make_no_samples_error
from bench.media.container import (
    MAX_SECONDS,
    check_window,
    choose_audio,
    decode_frames,
    make_damage_error,
    open_media,
)
from bench.types import Audio, Excerpt, Waveform

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

#: Containers whose time stamps of FLAC are counts of samples, so that a leap is a missing frame.
COUNTS_SAMPLES = ("flac", "ogg")
#: Above the rounding of time stamps, below a frame of FLAC (1,152 samples are 6 ms at 192 kHz).
MAX_LEAP_S = 0.005
#: 30 dB beyond full scale; integers in a file of floating-point numbers have far more.
MAX_PEAK = 32.0
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000


def read_audio(excerpt: Excerpt, *, mono: bool = False, shortfall_s: float = 0.0) -> Audio:
    """Return the audio of ``excerpt`` at its native rate, ``[C, T]`` with one or two channels.

    T is ``round(seconds * rate)``, from sample ``round(start_s * rate)``; a file that ends up to
    ``shortfall_s`` too early is filled with zeros. More than two channels are mixed down to stereo
    with the ITU coefficients, scaled to sum to one at most (libswresample; ``ffmpeg -ac 2`` does
    the same for 16-bit files). ``mono`` takes the mean over channels after that, ``[1, T]``.

    Raises MediaError when there is no audio, when the file ends before the window does or was cut
    off, when its data are damaged, not finite, integers in a file of floating-point numbers, or
    change rate or channels in the middle, and when its time stamps go back.
    """
    check_window(excerpt)
    path = excerpt.path
    with open_media(path) as container:
        stream = choose_audio(container, path)
        timeline = Timeline(container, stream, path)
        blocks = _iterate_blocks(container, stream, timeline, path)
        first = next(blocks, None)
        if first is None:
            raise make_no_samples_error(path)
        rate = timeline.sample_rate_hz
        samples, n_decoded = _cut_window(itertools.chain([first], blocks), excerpt, rate)
        if excerpt.seconds is None:
            check_complete(container, stream, n_decoded / rate, path)
    _check_values(samples, path)
    samples = _pad_to_window(samples, excerpt, rate, n_decoded, shortfall_s)
    audio = Audio(samples, rate, timeline.n_repaired / rate)
    return replace(audio, samples=audio.mono()[np.newaxis]) if mono else audio


def cut_audio(audio: Audio, excerpt: Excerpt, *, shortfall_s: float = 0.0) -> Audio:
    """Return the window of ``excerpt`` out of ``audio``, its decoded file, as ``read_audio`` would.

    Raises MediaError when the file ends more than ``shortfall_s`` before the window does.
    """
    check_window(excerpt)
    rate, n_decoded = audio.sample_rate_hz, audio.samples.shape[1]
    start, n_samples = _find_bounds(excerpt, rate)
    samples = audio.samples[:, start : start + n_samples]
    return replace(audio, samples=_pad_to_window(samples, excerpt, rate, n_decoded, shortfall_s))


def _iterate_blocks(
    container: InputContainer, stream: AudioStream, timeline: Timeline, path: Path
) -> Iterator[Waveform]:
    """Yield the audio as ``[C, n]``, C one or two, with silence where the clock has a hole."""
    is_flac = stream.codec_context.name == "flac"
    if is_flac:
        # FLAC has a checksum per frame, which ffmpeg ignores unless it is asked to.
        stream.codec_context.options = {"err_detect": "crccheck+explode"}
    frames = decode_frames(container, stream, path)
    if is_flac and container.format.name in COUNTS_SAMPLES:
        frames = _check_gapless(frames, stream, path)
    mixer = None
    for frame in frames:
        mixer = mixer or _Mixer(frame, path)
        n_silent, n_overlap = timeline.advance(frame)
        block = mixer.mix(frame)
        if n_silent:
            yield np.zeros((len(block), n_silent), dtype=np.float32)
        yield block[:, n_overlap:]


def _check_gapless(
    frames: Iterator[AudioFrame], stream: AudioStream, path: Path
) -> Iterator[AudioFrame]:
    """Yield ``frames``; raise MediaError at a leap of their times.

    The parser drops a frame with a wrong checksum without an error, so that only the leap shows it.
    """
    first_s, decoded_s = None, 0.0
    for frame in frames:
        if frame.time is not None:
            first_s = frame.time if first_s is None else first_s
            if abs(frame.time - first_s - decoded_s) > MAX_LEAP_S:
                raise make_damage_error(stream, path, decoded_s, "a frame with a wrong checksum")
        decoded_s += frame.samples / frame.sample_rate
        yield frame


class _Mixer:
    """Converts to planar float of one or two channels; refuses a change of rate or layout."""

    def __init__(self, first: AudioFrame, path: Path) -> None:
        import av

        self._path, self._expected = path, _format(first)
        if not MIN_RATE_HZ <= first.sample_rate <= MAX_RATE_HZ:
            raise MediaError(f"cannot read the audio of {path}: its rate is {self._expected}")
        self._layout = "mono" if len(first.layout.channels) == 1 else "stereo"
        # By default libswresample normalises a mix to integers only: in float a 5.1 file at full
        # scale would come out beyond it.
        options = {"rematrix_maxval": "1.0"}
        self._resampler = av.AudioResampler("fltp", self._layout, options=options)

    def mix(self, frame: AudioFrame) -> Waveform:
        """Return ``frame`` as ``[C, n]``."""
        import av

        found = _format(frame)
        if found != self._expected:
            raise MediaError(
                f"cannot read the audio of {self._path}: {self._expected} turns into {found}"
            )
        try:
            parts = [each.to_ndarray() for each in self._resampler.resample(frame)]
            return np.concatenate(parts, axis=1)
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(
                f"cannot mix {found} of {self._path} down to {self._layout}: {error}"
            ) from error


def _format(frame: AudioFrame) -> str:
    return f"{frame.sample_rate} Hz {frame.layout.name}"


def _check_values(samples: Waveform, path: Path) -> None:
    """Raise MediaError for samples that are not finite, or integers stored as floats."""
    if not np.isfinite(samples).all():
        raise MediaError(f"cannot read the audio of {path}: it has samples that are not finite")
    peak = float(np.abs(samples).max(initial=0.0))
    # Integers of a quiet file stay below MAX_PEAK, but then all samples are whole numbers.
    if peak > MAX_PEAK or (peak > 1 and (samples == samples.round()).all()):
        raise MediaError(
            f"cannot read the audio of {path}: its peak is {peak:.6g} where full scale is 1, so it "
            "holds integers as floating-point numbers; divide them by their full scale (32768)"
        )


def _cut_window(
    blocks: Iterable[Waveform], excerpt: Excerpt, sample_rate_hz: int
) -> tuple[Waveform, int]:
    """Return the samples of the window ``[C, n]``, and how many were decoded up to its end."""
    start, n_samples = _find_bounds(excerpt, sample_rate_hz)
    stop, n_decoded, parts = start + n_samples, 0, []
    for block in blocks:
        parts.append(block[:, max(start - n_decoded, 0) : max(stop - n_decoded, 0)])
        n_decoded += block.shape[1]
        if n_decoded > stop and excerpt.seconds is None:
            raise MediaError(
                f"cannot read all of {excerpt.path}: it lasts more than {MAX_SECONDS:g} s, "
                "read a window of it"
            )
        if n_decoded >= stop and excerpt.seconds is not None:
            break
    return np.concatenate(parts, axis=1), n_decoded


def _find_bounds(excerpt: Excerpt, sample_rate_hz: int) -> tuple[int, int]:
    """Return the first sample of the window and its length in samples."""
    seconds = MAX_SECONDS if excerpt.seconds is None else excerpt.seconds
    return round(excerpt.start_s * sample_rate_hz), round(seconds * sample_rate_hz)


def _pad_to_window(
    samples: Waveform, excerpt: Excerpt, sample_rate_hz: int, n_decoded: int, shortfall_s: float
) -> Waveform:
    """Return ``samples`` at the length of the window, with up to ``shortfall_s`` of zeros added.

    Codecs round to frames, so that a clip cut to 8 s may hold a few milliseconds less. Raises
    MediaError where more is missing.
    """
    start, n_samples = _find_bounds(excerpt, sample_rate_hz)
    n_missing = 0 if excerpt.seconds is None else n_samples - samples.shape[1]
    if samples.size and n_missing <= shortfall_s * sample_rate_hz:
        return np.pad(samples, ((0, 0), (0, n_missing)))
    end_s = excerpt.start_s + (excerpt.seconds or 0)
    raise MediaError(
        f"the audio of {excerpt.path} lasts {n_decoded / sample_rate_hz:.3f} s, "
        f"the window from {excerpt.start_s:g} s needs more than that, up to {end_s:g} s"
    )
