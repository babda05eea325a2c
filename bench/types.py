"""The data types of the benchmark: small, frozen, almost without behaviour.

Conventions: a waveform is float32 with channels first, ``[C, T]``, and 1 is full scale: samples
from a file may exceed it, samples to write must not. Times are seconds as float on the clock of a
file, which its audio and video share and which is 0 where the first of them starts. Paths are
absolute.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError

#: What a system is conditioned on, and can be made to do without (paper, Table 6).
COMPONENTS = ("audio", "sync", "video", "text")
SCOPES = ("whole", "vector")

#: A file may end this much before its window does, since codecs round to frames. Audio is padded
#: with silence, video with its last frame.
MAX_SHORTFALL_S = 0.1

#: The kind of a file by its name; its content is only known after opening it.
AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac"}
    | {".aiff", ".aif", ".caf", ".w64", ".au", ".wma"}
)
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ogv", ".flv"}
    | {".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".wmv", ".asf", ".vob", ".mpe", ".f4v", ".qt"}
)

Waveform = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Audio:
    """Audio in memory: ``samples [C, T]`` float32, full scale 1, at ``sample_rate_hz``.

    ``repaired_s`` is the length of the silence inserted into holes of the file's time stamps plus
    that of the overlaps cut out, from the start of the file to the end of these samples.
    """

    samples: Waveform
    sample_rate_hz: int
    repaired_s: float = 0.0

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.dtype != np.float32:
            raise ValueError(
                "samples must be float32 [C, T], "
                f"got {self.samples.dtype} {list(self.samples.shape)}"
            )

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return int(self.samples.shape[1]) / self.sample_rate_hz

    def mono(self) -> Waveform:
        """Return the mean over channels, ``[T]``."""
        mean: Waveform = self.samples.mean(axis=0, dtype=np.float32)
        return mean


@dataclass(frozen=True)
class Excerpt:
    """A window of a media file: ``seconds`` from ``start_s``, or to the end where it is None."""

    path: Path
    start_s: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True)
class Clip:
    """One item of a split: a video, its true audio, and the inputs of a system.

    ``audio`` is None where no true audio exists, as for generated videos: only columns that compare
    with the video or the prompt, or with nothing, can then be computed.
    ``reference`` is audio with the timbre to generate; ``group`` is a category that the protocol
    also reports by (the five references of Table 7); ``groups`` are further ones by their axis
    (``{"action": "tapping"}``), for ``bench table --by``, and change no score; ``cluster`` is the
    name that clips share which depend on one another, such as a target or a source video ("": the
    clip's own name); ``label`` is the class of the clip where its prompt is something else ("": the
    prompt); ``generated`` is a sample that the split itself lists, as lists of published pairs do;
    ``truth`` is known beyond the media (the scene of a mini clip, annotated hits).
    """

    name: str
    audio: Excerpt | None
    seconds: float
    video: Excerpt | None = None
    reference: Excerpt | None = None
    prompt: str = ""
    group: str = ""
    cluster: str = ""
    generated: Path | None = None
    truth: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    label: str = ""


@dataclass(frozen=True)
class Condition:
    """The components of ``COMPONENTS`` that a system has to do without: ``masked``.

    With ``scope`` ``whole`` it gets nothing of them; with ``vector`` only their part of the pooled
    vector is masked.
    """

    masked: frozenset[str] = frozenset()
    scope: str = "whole"

    @property
    def name(self) -> str:
        """``full``, ``no-audio``, ``no-sync+text``, ``no-video-vector``: a part of a run's path."""
        if not self.masked:
            return "full"
        masked = "+".join(each for each in COMPONENTS if each in self.masked)
        return f"no-{masked}" if self.scope == "whole" else f"no-{masked}-{self.scope}"


FULL = Condition()


def parse_condition(mask: str | None, scope: str = "whole") -> Condition:
    """Return the condition of ``--mask`` (components between commas) and ``--mask-scope``.

    >>> sorted(parse_condition("video,text").masked)
    ['text', 'video']

    Raises:
        BenchError: a component or the scope does not exist.
    """
    names = frozenset(name.strip() for name in (mask or "").split(",") if name.strip())
    if unknown := sorted(names - set(COMPONENTS)):
        near = difflib.get_close_matches(unknown[0], COMPONENTS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BenchError(
            f"cannot mask {unknown[0]!r}: {hint}components are {', '.join(COMPONENTS)}"
        )
    if scope not in SCOPES:
        raise BenchError(f"no mask scope {scope!r}; there are: {', '.join(SCOPES)}")
    return Condition(names, scope if names else "whole")


@dataclass(frozen=True, eq=False)
class Request:
    """The input of a system for one clip.

    ``condition`` masks parts of it, for systems that declare masks. ``video`` is the silent video:
    the file may have an audio track, which a contestant must not read. ``reference_video`` is the
    video that the reference audio belongs to, where its file has one, for systems that declare
    that they use it. ``clip`` (the complete item with its true audio) and ``other`` (another clip
    of the run, chosen by the seed) are set only for systems that declare that they use them:
    anchors, which are the floor and the ceiling of a table, never contestants.
    """

    name: str
    seconds: float
    seed: int
    video: Excerpt | None = None
    reference: Audio | None = None
    reference_video: Excerpt | None = None
    prompt: str = ""
    clip: Clip | None = None
    other: Clip | None = None
    condition: Condition = FULL
