"""Parse the names that published code gives its samples, and make names for clips.

A clip of VGGSound is ``<id>_<start second, six digits>`` with an id of eleven characters, which may
begin with ``-`` or ``_`` and hold ``_`` anywhere. Published samples name it otherwise:

    <id>_<start ms>_<end ms>              SpecVQGAN, SparseSync, V-AURA
    Y<id>_<second>_<k>                    Frieren, one file per sample k
    <stem>_<k>                            SSV2A, k counts the batch
    <stem>_generated                      HunyuanVideo-Foley
    <name>_<segment>_generated_audio      Video-Foley
    <item>_mel, <item>_new_fps_...        intermediates of Frieren and Diff-Foley
    a blank for each +                    FoleyCrafter

CondFoley cuts Greatest Hits as ``<video>_denoised_trim_to_2s_from_<start>_new_fps_resized`` and
names a pair ``<target>_to_<condition>``; ``<video>_<start>`` in its lists means two seconds.
A stem of no scheme matches only itself, and case always counts. Unicode spells an accented letter
as one code point (NFC) or two (NFD, as macOS writes it): names are compared in NFC.
HunyuanVideo-Foley's tables write ``<row>.wav``: such names do not identify their clip and are never
matched here.

Clips of a folder are named by ``make_clip_name``, and so are samples in a folder of the same
structure.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from bench.io import SAFE_NAME

_UNSAFE = re.compile(r"[^A-Za-z0-9._+@=,-]")
# Together with the hash of nine characters and a suffix below the 200 of ``SAFE_NAME``.
_LONGEST_SAFE_PART = 180

# Frieren puts a Y before the id. An id that begins with Y itself is not mistaken for that: the Y is
# skipped only if eleven more characters and an underscore follow, and the id has only ten left.
_YOUTUBE = re.compile(r"(?:Y(?=[\w-]{11}_\d))?(?P<id>[\w-]{11})_(?P<times>\d+(?:_\d+)?)", re.ASCII)
YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)
_SECOND = re.compile(r"\d{6}", re.ASCII)
_MILLISECONDS = re.compile(r"(?P<start>0|[1-9]\d*)_(?P<end>[1-9]\d*)", re.ASCII)
# VGGSound's excerpts last 10 s: numbers that are further apart are no start and end of one.
_LONGEST_MS = 10_000

_HITS = re.compile(
    r"(?P<video>\d{4}(?:-\d\d){5}(?:-\d+)?)_"
    r"(?:denoised_trim_to_(?P<seconds>\d+)s_from_)?(?P<start>\d+\.\d{4})(?:_new_fps_resized)?",
    re.ASCII,
)
# Only after a complete name of CondFoley: "_to_" occurs in other people's file names, and within
# "trim_to_2s" too.
_BETWEEN_HITS = re.compile(r"(?:(?<=_resized)|(?<=\.\d{4}))_to_", re.ASCII)
_OTHER_SECOND = re.compile(r".+_\d{6}", re.ASCII)

_SEGMENT = re.compile(r"(?P<clip>.+)_(?P<number>\d+)_generated_audio", re.ASCII)
_NUMBERED = re.compile(r"(?P<clip>.+)_(?P<number>\d{1,5})", re.ASCII)
_DECORATION = re.compile(r"_(?:generated|mel|new_fps_[\d.]+_truncate_[\d.]+_[\d.]+)$", re.ASCII)


def make_clip_name(relative: Path) -> str:
    """Return the name of the clip or sample at ``relative``, a path below the folder of them all.

    It is the path without its suffix and with = between its parts. Where that cannot be a file name
    (``bench.io.require_safe_name``), the other characters become _ and a hash of the path is
    appended, so that paths which differ in those characters alone have different names.

    >>> make_clip_name(Path("kitchen/pan.mp4"))
    'kitchen=pan'
    >>> make_clip_name(Path("my dog.mp4"))
    'my_dog-9902cb4b'
    """
    name = normalize_name("=".join(relative.with_suffix("").parts))
    return name if SAFE_NAME.fullmatch(name) else make_hashed_name(name)


def make_hashed_name(text: str) -> str:
    """Return a unique file name for ``text``: its safe characters, and a hash of all of it."""
    # "surrogatepass": names that are not UTF-8 reach Python with lone surrogates.
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{_UNSAFE.sub('_', text)[:_LONGEST_SAFE_PART]}-{digest}"


def normalize_name(name: str) -> str:
    """Return ``name`` in NFC, so that names that look the same compare equal."""
    return unicodedata.normalize("NFC", name)


def to_printable(name: str) -> str:
    r"""Return ``name`` as text that any file can hold: bytes that are not UTF-8 become escapes.

    Python reads such bytes of a file name as lone surrogates, which no encoder accepts.

    >>> to_printable("caf\udce9")
    'caf\\xe9'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def parse_youtube_id(stem: str) -> str | None:
    """Return the YouTube id in a name of VGGSound's schemes; None in any other.

    >>> parse_youtube_id("---g-f_I2yQ_1000_11000")
    '---g-f_I2yQ'
    """
    canonical = _youtube_name(stem)
    return canonical and canonical[:-7]  # without "_" and the six digits of the second


def make_cluster_name(stem: str) -> str | None:
    """Return the source that clips share: a YouTube video, or the target of a CondFoley pair.

    None for a stem of no such scheme.
    """
    if (video := parse_youtube_id(stem)) is not None:
        return video
    return _hits_id(_BETWEEN_HITS.split(stem)[0])


def parse_canonical_name(stem: str) -> str | None:
    """Return the canonical name of the clip in a stem of any scheme; None for a stem of none.

    >>> parse_canonical_name("---g-f_I2yQ_1000_11000")
    '---g-f_I2yQ_000001'
    >>> parse_canonical_name("my holiday") is None
    True
    """
    if (youtube := _youtube_name(stem)) is not None:
        return youtube
    parts = [_hits_id(part) for part in _BETWEEN_HITS.split(stem)]
    hits = [part for part in parts if part is not None]
    if len(hits) == len(parts):
        return "_to_".join(hits)
    return stem if _OTHER_SECOND.fullmatch(stem) else None


def _youtube_name(stem: str) -> str | None:
    if not (match := _YOUTUBE.fullmatch(stem)):
        return None
    if _SECOND.fullmatch(match["times"]):
        return f"{match['id']}_{match['times']}"
    if not (times := _MILLISECONDS.fullmatch(match["times"])):
        return None
    # In milliseconds, as SpecVQGAN names them; the canonical name has whole seconds, so that other
    # windows are no clips of VGGSound.
    start_ms, end_ms = int(times["start"]), int(times["end"])
    is_window = start_ms % 1000 == end_ms % 1000 == 0 < end_ms - start_ms <= _LONGEST_MS
    return f"{match['id']}_{start_ms // 1000:06d}" if is_window else None


def _hits_id(stem: str) -> str | None:
    if not (match := _HITS.fullmatch(stem)):
        return None
    # Two seconds are CondFoley's usual length, which its lists do not write out.
    length = "" if match["seconds"] in (None, "2") else f"_{match['seconds']}s"
    return f"{match['video']}_{match['start']}{length}"


class Reading(NamedTuple):
    """One way to parse the stem of a file: the clip it is for, and the number of the sample."""

    clip: str
    number: int


def parse_stem(stem: str) -> list[Reading]:
    """Return every reading of the stem of a file, the most literal one first.

    >>> parse_stem("YdQw4w9WgXcQ_000030_3")[-1]
    Reading(clip='dQw4w9WgXcQ_000030', number=3)
    """
    # FoleyCrafter's blanks. A clip whose own name has a blank is found by that exact name before.
    stem = normalize_name(stem).replace(" ", "+")
    if segment := _SEGMENT.fullmatch(stem):
        return [Reading(_canonical_or_same(segment["clip"]), int(segment["number"]))]
    bare = _DECORATION.sub("", stem)
    literal = Reading(_canonical_or_same(bare), 0)
    numbered = _NUMBERED.fullmatch(bare)
    # A number counts samples only behind a name of a scheme: "take_2" is a name of its own.
    if numbered and (clip := parse_canonical_name(numbered["clip"])) is not None:
        return [literal, Reading(clip, int(numbered["number"]))]
    return [literal]


def _canonical_or_same(stem: str) -> str:
    return parse_canonical_name(stem) or stem
