"""``folder:PATH``: every video below a folder, under the paper's protocol.

The first 8 s are the target and the 2 s after them the reference. A clip that is too short for its
target is refused by name; one that only lacks the reference takes part without it, and systems that
need a reference fail on it. Videos that differ by nothing but their suffix cannot be told apart by
name and are refused, each of them. Prompts come from ``labels.csv`` or ``labels.tsv`` in the folder
(a header with a name and a label column, or two columns without one), else from the file name.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

from bench.errors import BenchError, MediaError
from bench.files import expand_user
from bench.matching import (
    clip_name,
    hashed_name,
    visible_files,
)
from bench.splits.split import (
    BASE_METRICS,
    NETWORK_METRICS,
    REFERENCE_SECONDS,
    TARGET_SECONDS,
    Refusal,
    Split,
    path_slug,
)
from bench.types import AUDIO_SUFFIXES, MAX_SHORTFALL_S, VIDEO_SUFFIXES, Clip, Excerpt

NAME_COLUMNS = ("clip", "name", "id", "file", "filename", "video", "video_id")
LABEL_COLUMNS = ("label", "prompt", "caption", "text")


def open_folder(path: Path) -> Split:
    """Return the split of all videos below ``path``.

    Raises:
        BenchError: the folder is not there, holds no video, or its label file is not one.
    """
    folder = expand_user(path).absolute()
    if not folder.is_dir():
        raise BenchError(f"there is no folder {folder}")
    named = _by_name(folder)
    if not named:
        raise BenchError(f"{folder} holds no video ({', '.join(sorted(VIDEO_SUFFIXES))})")
    labels = read_labels(folder)
    clips, refused = [], []
    for name, videos in named.items():
        if len(videos) > 1:
            refused += _twins(name, videos, folder)
            continue
        [video] = videos
        try:
            clips.append(_clip(video, name, labels.get(video.stem) or _words(video.stem)))
        except MediaError as error:
            refused.append(Refusal(name, str(error)))
    metrics = (*NETWORK_METRICS, *BASE_METRICS)
    return Split(f"folder-{path_slug(folder)}", tuple(clips), metrics, tuple(refused))


def _by_name(folder: Path) -> dict[str, list[Path]]:
    """The videos below a folder, sorted, by the name of their clip."""
    named: dict[str, list[Path]] = defaultdict(list)
    for path in visible_files(folder):
        if path.suffix.lower() in VIDEO_SUFFIXES:
            named[clip_name(path.relative_to(folder))].append(path)
    return named


def _twins(name: str, videos: list[Path], folder: Path) -> list[Refusal]:
    """A refusal of each of several videos of one name, under a name that holds its suffix."""
    paths = [video.relative_to(folder) for video in videos]
    rivals = ", ".join(map(str, paths))
    reason = f"{len(videos)} videos in {folder} are called {name!r}, rename all but one: {rivals}"
    return [Refusal(hashed_name("=".join(path.parts)), reason) for path in paths]


def read_labels(folder: Path) -> dict[str, str]:
    """Prompts by file stem from ``labels.csv`` or ``labels.tsv``; empty where there is neither."""
    for path in (folder / "labels.csv", folder / "labels.tsv"):
        if path.is_file():
            return parse_labels(path)
    return {}


def parse_labels(path: Path) -> dict[str, str]:
    """Labels by file stem from a .csv or .tsv file, with a header or without.

    Raises:
        BenchError: it cannot be read, or a row lacks a name or a label.
    """
    delimiter = "\t" if path.suffix == ".tsv" else ","
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines(), delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"cannot read the labels {path}: {error}") from error
    rows = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    header = [cell.lower() for cell in rows[0]] if rows else []
    name_at = next((header.index(c) for c in NAME_COLUMNS if c in header), None)
    label_at = next((header.index(c) for c in LABEL_COLUMNS if c in header), None)
    if name_at is None or label_at is None:
        name_at, label_at = 0, 1
    else:
        rows = rows[1:]
    if short := [row for row in rows if len(row) <= max(name_at, label_at)]:
        raise BenchError(f"{path}: the row {short[0]} lacks a name or a label column")
    return {_stem(row[name_at]): row[label_at] for row in rows}


def _stem(name: str) -> str:
    """A label file may name clips with or without the suffix of their video or sound."""
    path = Path(name)
    return path.stem if path.suffix.lower() in VIDEO_SUFFIXES | AUDIO_SUFFIXES else path.name


def _words(stem: str) -> str:
    """A prompt from a file name: its words, unless it is an identifier and says nothing."""
    words = re.sub(r"[_\-.]+", " ", stem).strip()
    return words if re.fullmatch(r"[A-Za-z ]{3,}", words) else ""


def _clip(video: Path, name: str, prompt: str) -> Clip:
    from bench.media import probe, sound_seconds

    info = probe(video)
    if info.video is None:
        raise MediaError(f"{video} has no video stream")
    if info.audio is None:
        raise MediaError(f"{video} has no audio stream: there is no true sound to compare with")
    seconds = sound_seconds(video) if info.audio.seconds is None else info.audio.seconds
    if seconds < TARGET_SECONDS - MAX_SHORTFALL_S:
        raise MediaError(
            f"the sound of {video} lasts {seconds:.2f} s, the protocol needs {TARGET_SECONDS:g} s"
        )
    target = Excerpt(video, 0.0, TARGET_SECONDS)
    has_reference = seconds >= TARGET_SECONDS + REFERENCE_SECONDS - MAX_SHORTFALL_S
    reference = Excerpt(video, TARGET_SECONDS, REFERENCE_SECONDS) if has_reference else None
    return Clip(name, target, TARGET_SECONDS, target, reference, prompt)
