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

Remarks on media are features as well, so that they are stored with those of the scores and read
again. They belong to no metric and no judge: every file that a metric reads is described.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import metadata
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bench.types import MAX_SHORTFALL_S, Audio, Excerpt, Pixels, Waveform

#: The part of a clip that an extractor reads. ``both`` compares audio with video.
Modality = Literal["sound", "picture", "both", "prompt"]

#: Raised when a remark changes.
REMARKS_VERSION = "1"

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
        from bench.media import cut_audio, read_audio

        if "window" not in self._decoded:
            excerpt = self._audio_excerpt()
            # Cutting what is decoded costs nothing; decoding the window alone costs less than the
            # file, which signal extractors do not need.
            self._decoded["window"] = (
                cut_audio(self._decoded["file"], excerpt, shortfall_s=MAX_SHORTFALL_S)
                if "file" in self._decoded and excerpt.start_s == 0
                else read_audio(excerpt, shortfall_s=MAX_SHORTFALL_S)
            )
        window: Audio = self._decoded["window"]
        return window

    def file(self) -> Audio:
        """The audio of the full file, or the window if that starts later."""
        from bench.media import read_audio

        if "file" not in self._decoded:
            excerpt = self._audio_excerpt()
            self._decoded["file"] = (
                self.window() if excerpt.start_s > 0 else read_audio(Excerpt(excerpt.path))
            )
        file: Audio = self._decoded["file"]
        return file

    def signal(self, sample_rate_hz: int) -> Waveform:
        """Mono mean of the window at this rate, resampled by soxr, as signal extractors read it."""
        from bench.media import resample

        name = f"signal {sample_rate_hz}"
        if name not in self._decoded:
            mono, rate_hz = self.window().mono(), self.window().sample_rate_hz
            self._decoded[name] = resample(mono, rate_hz, sample_rate_hz, method="soxr_hq")
        waveform: Waveform = self._decoded[name]
        return waveform

    def frames(self, fps: float, short_side: int) -> Pixels:
        """The frames of the window, ``[T, H, W, 3]`` uint8 RGB, resized at the short side."""
        from bench.media import read_frames

        name = f"frames {fps} {short_side}"
        if name not in self._decoded:
            if self.video is None:
                raise ValueError("this clip has no video")
            self._decoded[name] = read_frames(
                self.video, fps, short_side=short_side, shortfall_s=MAX_SHORTFALL_S
            ).pixels
        pixels: Pixels = self._decoded[name]
        return pixels

    def _audio_excerpt(self) -> Excerpt:
        if self.audio is None:
            raise ValueError("this clip has no audio")
        return self.audio


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


def describe_video(media: ClipMedia) -> Features:
    """Tracks and start gap of the file (``MediaRemarks``); nothing is decoded."""
    from bench.media import describe_media

    # A clip with audio is described by the file of its audio, which is what is scored.
    excerpt = media.audio or media.video
    if excerpt is None:
        raise ValueError("this clip has neither audio nor video")
    remarks = asdict(describe_media(excerpt.path))
    return {name: np.array(value, dtype=np.float64) for name, value in remarks.items()}


def describe_audio(media: ClipMedia) -> Features:
    """The same of the file of the audio, and facts found while decoding.

    ``peak`` is that of the window, full scale 1, before channels are mixed to mono; ``repaired_s``
    is that of ``Audio``.
    """
    audio = media.window()
    return {
        **describe_video(media),
        "peak": np.array(np.abs(audio.samples).max(), dtype=np.float64),
        "repaired_s": np.array(audio.repaired_s, dtype=np.float64),
    }


def open_function(extract: Extract) -> Extract:
    """Return ``extract``: the ``open`` of an extractor that has nothing to load."""
    # A function of this module, because extractors are pickled into workers.
    return extract


AUDIO_REMARKS = SignalExtractor(
    "audio_remarks", REMARKS_VERSION, open=partial(open_function, describe_audio)
)
VIDEO_REMARKS = SignalExtractor(
    "video_remarks", REMARKS_VERSION, "picture", open=partial(open_function, describe_video)
)
