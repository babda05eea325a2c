"""Extractors of features, and the media of a clip that they read.

An extractor turns audio, video, both, or a prompt into named arrays, the *features* that metrics
read. There are two kinds:

    SignalExtractor    one function of the media of one clip
    NetworkExtractor   prepare(media) -> arrays        decode, resample, front end: in any thread
                       open() -> embed                 load the weights, once per process
                       embed([arrays, ...]) -> [features, ...]     a batch of clips at a time

so that clips are prepared in the background while a network computes. The version is part of
every cache key: it changes with the code's preprocessing, with the profile, and with the
checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

import numpy.typing as npt

from bench.types import MAX_SHORTFALL_S, Audio, Excerpt, Pixels, Waveform

#: The part of a clip that an extractor reads. ``both`` compares audio with video.
Modality = Literal["sound", "picture", "both", "prompt"]

Features = Mapping[str, npt.NDArray[Any]]

#: One clip's input to a network by name, without a batch dimension.
Prepared = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class ClipMedia:
    """Audio, its window, video and prompt of one clip; media are decoded when first read.

    Signal extractors read the window. The published evaluator's networks process the full file
    before they cut it (its mean is removed, its end resampled), so ``file()`` is there as well; for
    a window that starts later, the window is the file, as if it had been cut out beforehand.
    Decoded media are kept for the next extractor, and a window is cut from its file if that was
    decoded before. Not thread-safe: one thread at a time.
    """

    audio: Excerpt | None
    video: Excerpt | None = None
    prompt: str = ""
    _decoded: dict[str, Any] = field(default_factory=dict)

    def window(self) -> Audio:
        """The audio of the window, exactly as long as it."""
        audio: Audio = self._once("window", self._read_window)
        return audio

    def file(self) -> Audio:
        """The audio of the full file, or the window if that starts later."""
        audio: Audio = self._once("file", self._read_file)
        return audio

    def signal(self, sample_rate_hz: int) -> Waveform:
        """Mono mean of the window at this rate, resampled by soxr, as signal extractors read it."""
        name = f"signal {sample_rate_hz}"
        waveform: Waveform = self._once(name, lambda: self._resampled(sample_rate_hz))
        return waveform

    def frames(self, fps: float, short_side: int) -> Pixels:
        """The frames of the window, ``[T, H, W, 3]`` uint8 RGB, resized at the short side."""
        name = f"frames {fps} {short_side}"
        pixels: Pixels = self._once(name, lambda: self._read_frames(fps, short_side))
        return pixels

    def _read_window(self) -> Audio:
        from bench.media import cut_audio, read_audio

        excerpt = self._audio_excerpt()
        if "file" in self._decoded and excerpt.start_s == 0:
            return cut_audio(self.file(), excerpt, shortfall_s=MAX_SHORTFALL_S)
        return read_audio(excerpt, shortfall_s=MAX_SHORTFALL_S)

    def _read_file(self) -> Audio:
        from bench.media import read_audio

        excerpt = self._audio_excerpt()
        return self.window() if excerpt.start_s > 0 else read_audio(Excerpt(excerpt.path))

    def _resampled(self, sample_rate_hz: int) -> Waveform:
        from bench.media import resample

        audio = self.window()
        return resample(audio.mono(), audio.sample_rate_hz, sample_rate_hz, method="soxr_hq")

    def _read_frames(self, fps: float, short_side: int) -> Pixels:
        from bench.media import read_frames

        if self.video is None:
            raise ValueError("this clip has no video")
        frames = read_frames(self.video, fps, short_side=short_side, shortfall_s=MAX_SHORTFALL_S)
        return frames.pixels

    def _audio_excerpt(self) -> Excerpt:
        if self.audio is None:
            raise ValueError("this clip has no audio")
        return self.audio

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._decoded:
            self._decoded[name] = make()
        return self._decoded[name]


#: The function of a signal extractor; it may run in several threads at once.
Extract = Callable[[ClipMedia], Features]

#: The half of a network extractor that needs no network: it may run in several threads at once.
Prepare = Callable[[ClipMedia], Prepared]

#: The other half: prepared arrays of one or more clips, each array with the same shape in all of
#: them, to the features of each, in the same order. Called by one thread. Features of a clip do not
#: depend on the others in its batch, beyond rounding.
Embed = Callable[[Sequence[Prepared]], Sequence[Features]]


def name_versions(packages: Sequence[str]) -> list[str]:
    """Return names with installed versions, ``["soxr-1.0.0"]``: parts of an extractor's version."""
    return [f"{name}-{metadata.version(name)}" for name in packages]


@dataclass(frozen=True)
class Extractor:
    """One row of a judge: the fields that both kinds share.

    ``modality``: the audio (``sound``), the video (``picture``), both, or the prompt. ``after``
    names the video extractors whose features an extractor of both reads. ``weights`` names the
    checkpoint of the table of official files that it needs, empty for none, and ``also`` the other
    files.
    """

    name: str
    version: str
    modality: Modality = "sound"
    after: tuple[str, ...] = ()
    weights: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SignalExtractor(Extractor):
    """An extractor without a network; ``open`` makes it ready."""

    open: Callable[[], Extract]


@dataclass(frozen=True, kw_only=True)
class NetworkExtractor(Extractor):
    """An extractor with a network, which takes batches; ``open`` loads it once per process.

    One of both modalities prepares its audio; ``embed`` finds the features of ``after`` among
    the arrays of each clip, under ``<extractor>.<feature>`` (``sync_picture.tokens``).
    """

    prepare: Prepare
    open: Callable[[], Embed]
