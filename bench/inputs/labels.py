"""Label files: read the rows of published lists, and assign their prompts to clips.

A clip may be named by its path below the folder, by its name alone, by a published scheme of
``bench.matching``, or by the bare YouTube id where that is unambiguous. Supported lists are

id,start,label,split                 VGGSound's own list, without a header
<id>_<start>.mp4,label               its test list, without a header
id <tab> label                       MMAudio; any header with a name and a label column
audiocap_id,youtube_id,start_time,caption                           AudioCaps
video_id,label,modality,...          VGGSounder: several labels, each audible, visible or both
video_id <tab> label_L0_raw <tab> label_L0 ...                      VGGSound-TVC
name,label                           two columns without a header
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.inputs.folder import LABEL_FILES
from bench.inputs.tables import Row, read_table
from bench.matching import (
    YOUTUBE_ID,
    make_clip_name,
    normalize_name,
    parse_canonical_name,
    parse_youtube_id,
)
from bench.types import AUDIO_SUFFIXES, VIDEO_SUFFIXES

#: In the order in which they are preferred, in small letters.
NAME_COLUMNS = (
    ("audiocap_id", "clip", "clip_id", "name", "id", "file", "filename", "file_name", "fname")
    + ("path", "video", "video_id", "youtube_id", "ytid", "audio")
)  # fmt: skip
YOUTUBE_COLUMNS = ("youtube_id", "ytid")
START_COLUMNS = ("start", "start_time", "start_s", "start_seconds")
LABEL_COLUMNS = (
    ("label", "prompt", "caption", "text", "labels", "label_l0", "audio_prompt", "description")
    + ("class", "category")
)  # fmt: skip
#: VGGSounder's: A is audible, V is visible, AV is both.
MODALITY_COLUMN = "modality"
SPLIT_COLUMN = "split"

MEDIA_SUFFIXES = VIDEO_SUFFIXES | AUDIO_SUFFIXES

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?", re.ASCII)


class Label(NamedTuple):
    """The prompt of one clip: its name in the list, other names for it, its line, its split."""

    name: str
    prompt: str
    line: int
    aliases: tuple[str, ...] = ()
    split: str = ""


def parse_labels(path: Path) -> tuple[list[Label], tuple[str, ...]]:
    """Return the labels of a file in its order, and notes on the columns that were chosen.

    Raises:
        BenchError: it cannot be read, has no column of names or of labels, or has a number for a
            prompt; the message names the line.
    """
    rows = read_table(path)
    if not rows:
        raise BenchError(f"{path} is empty: expected rows of a name and a label")
    header = [cell.lower() for cell in rows[0].cells]
    columns = _find_columns(header)
    if columns is None:
        return list(_parse_without_header(rows, path)), ()
    labels = list(_parse_with_header(rows[1:], columns, len(header), path))
    chosen, notes = header[columns.label], []
    if others := [each for each in header if each in LABEL_COLUMNS and each != chosen]:
        notes.append(f"prompts are the column {chosen!r} of {path.name}, not {', '.join(others)}")
    if columns.modality is None:
        return labels, tuple(notes)
    notes.append(f"of the labels of a clip in {path.name} the audible ones are joined")
    return _merge_prompts(labels), tuple(notes)


class _Columns(NamedTuple):
    """Indices of columns in a header; None for a missing column."""

    name: int
    label: int
    video: int | None
    start: int | None
    split: int | None
    modality: int | None


def _find_columns(header: list[str]) -> _Columns | None:
    """Return the columns of a header; None where the row is not a header."""

    def find(wanted: Iterable[str]) -> int | None:
        return next((header.index(each) for each in wanted if each in header), None)

    name, label = find(NAME_COLUMNS), find(LABEL_COLUMNS)
    if name is None or label is None:
        return None
    others = (YOUTUBE_COLUMNS, START_COLUMNS, (SPLIT_COLUMN,), (MODALITY_COLUMN,))
    return _Columns(name, label, *map(find, others))


def _parse_with_header(
    rows: list[Row], columns: _Columns, width: int, path: Path
) -> Iterator[Label]:
    for row in (_trim(row, width) for row in rows):
        _check_width(row, width, path)
        video, start, split, modality = (
            "" if index is None else row.cells[index] for index in columns[2:]
        )
        name, prompt = row.cells[columns.name], row.cells[columns.label]
        # A label without A names something that is seen and not heard.
        if columns.modality is None or "A" in modality.upper():
            yield _make_label(row, name, prompt, path, start=start, video=video, split=split)


def _parse_without_header(rows: list[Row], path: Path) -> Iterator[Label]:
    """Rows of two cells, or of VGGSound's own list: id, start, label, split."""
    for row in (_trim(row, 2) for row in rows):
        cells = row.cells
        if len(cells) < 2:
            raise BenchError(
                f"{path}, line {row.line}: the row {list(cells)} has no name or no label column"
            )
        if len(cells) == 2:
            yield _make_label(row, *cells, path)
        # The start tells VGGSound's list from a label that was split at its own comma.
        elif len(cells) <= 4 and cells[1].isdigit():
            split = cells[3] if len(cells) == 4 else ""
            yield _make_label(row, cells[0], cells[2], path, start=cells[1], split=split)
        else:
            raise BenchError(
                f"{path}, line {row.line}: {list(cells)} is neither a name and a label, nor "
                "id, start, label, split, nor is there a header with such columns as name and label"
            )


def _trim(row: Row, width: int) -> Row:
    """Return the row without blank cells after the first ``width``, as spreadsheets leave them."""
    cells = row.cells
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    return row._replace(cells=cells)


def _check_width(row: Row, n_columns: int, path: Path) -> None:
    if len(row.cells) < n_columns:
        raise BenchError(
            f"{path}, line {row.line}: the row {list(row.cells)} has no name or no label column"
        )
    if len(row.cells) > n_columns:
        raise BenchError(
            f"{path}, line {row.line}: {len(row.cells)} cells under {n_columns} columns; a label "
            "that contains the delimiter has to be in double quotes"
        )


def _make_label(row: Row, name: str, prompt: str, path: Path, **more: str) -> Label:
    """Return the label of a row; ``more`` has its ``start``, ``video`` and ``split`` if any."""
    where = f"{path}, line {row.line}"
    if not name:
        raise BenchError(f"{where}: the name of the clip is blank")
    # Where the columns were mistaken, the "prompt" is a class index, a start or a length.
    if _NUMBER.fullmatch(prompt):
        raise BenchError(f"{where}: the prompt of {name!r} is the number {prompt}, expected words")
    start = more.get("start", "")
    if start and not _NUMBER.fullmatch(start):
        raise BenchError(f"{where}: {start!r} is not the second at which the clip starts")
    own, *aliases = _list_names(name, start, more.get("video", ""))
    return Label(own, prompt, row.line, tuple(aliases), more.get("split", "").lower())


def _list_names(written: str, start: str, video: str) -> Iterable[str]:
    """Return the name of a clip in a list, then the other names that its file may have.

    ``video`` is its YouTube id where there is such a column; ``start`` its first second.
    """
    # Lists name a clip by its path on another machine: every end of the path may be its path here.
    parts = _split_path(written)
    own, stem = "/".join(parts), parts[-1]
    others = ["/".join(parts[at:]) for at in range(1, len(parts))]
    others += [parse_canonical_name(stem) or "", parse_youtube_id(stem) or ""]
    video = video or (stem if start or YOUTUBE_ID.fullmatch(stem) else "")
    if start:
        # AudioCaps and VGGSound give whole seconds, some tables "30.0"; files have six digits or
        # the plain number.
        second = int(float(start))
        clip = f"{video}_{second:06d}"
        own = clip if video == stem else own
        others += [clip, f"{video}_{second}"]
    if video:
        # Y<id>.wav is how many copies of AudioCaps name their files.
        others += [video, f"Y{video}"]
    return dict.fromkeys(name for name in (own, *others) if name)


def _split_path(written: str) -> list[str]:
    """Split a name or path in a list, without the suffix of an audio or video file."""
    # Only suffixes of media: a name such as "mr. smith" keeps what follows its dot.
    name, dot, suffix = normalize_name(written).rpartition(".")
    is_media = f".{suffix.lower()}" in MEDIA_SUFFIXES
    path = name if dot and is_media else normalize_name(written)
    return [part for part in path.split("/") if part not in ("", ".")] or [path]


def _merge_prompts(labels: list[Label]) -> list[Label]:
    """Return one label for each name, with all of its prompts in the order of the list."""
    prompts: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        prompts[label.name].append(label.prompt)
    first = {label.name: label for label in reversed(labels)}
    return [first[name]._replace(prompt=", ".join(words)) for name, words in prompts.items()]


@dataclass(frozen=True)
class Prompts:
    """Prompts by name of clip ("" where a clip has none), and notes for the result."""

    by_clip: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """The labels of a file, one for each name in it, in its order."""

    path: Path
    labels: tuple[Label, ...]
    notes: tuple[str, ...] = ()

    def assign(self, clips: Mapping[str, Path]) -> Prompts:
        """Return the prompt of each clip; ``clips`` are their paths below their folder, by name.

        A clip with several prompts in the file gets none, which a note reports.

        Raises:
            BenchError: the file names none of the clips.
        """
        # No match at all is a list of another dataset; single clips without a prompt are usual.
        found = {name: self._find(path) for name, path in clips.items()}
        if clips and not any(found.values()):
            listed, path = self.labels[0].name, next(iter(clips.values()))
            raise BenchError(
                f"{self.path} names none of the {len(clips)} clips: it has {listed!r} and others, "
                f"the clips are {str(path)!r} and others"
            )
        options = {name: {label.prompt for label in rows} for name, rows in found.items()}
        unclear = [name for name, prompts in options.items() if len(prompts) > 1]
        prompts = {
            name: next(iter(each)) if len(each) == 1 else "" for name, each in options.items()
        }
        return Prompts(prompts, (*self.notes, *self._note_unclear(unclear, found)))

    def _note_unclear(self, names: list[str], found: Mapping[str, list[Label]]) -> tuple[str, ...]:
        if not names:
            return ()
        lines = ", ".join(str(label.line) for label in found[names[0]])
        return (
            f"{self.path.name} has several prompts for {len(names)} clips, which get none, "
            f"e.g. {names[0]} (lines {lines})",
        )

    def _find(self, path: Path) -> list[Label]:
        """Return the labels of the clip at ``path``: by its own names, then by their aliases."""
        stem = normalize_name(path.stem)
        keys = [normalize_name(path.with_suffix("").as_posix()), make_clip_name(path), stem]
        keys += [parse_canonical_name(stem) or stem]
        # Names before aliases, and within each the most specific key first: a list that has both
        # ``dog/001`` and ``001`` means two clips.
        for index in (self._by_name, self._by_alias):
            if key := next((key for key in keys if key in index), None):
                return index[key]
        # A list of bare ids is for every window of a video, one with starts for its own windows.
        return self._by_name.get(parse_youtube_id(stem) or "", [])

    @cached_property
    def _by_name(self) -> dict[str, list[Label]]:
        return {label.name: [label] for label in self.labels}

    @cached_property
    def _by_alias(self) -> dict[str, list[Label]]:
        index: dict[str, list[Label]] = defaultdict(list)
        for label in self.labels:
            for alias in label.aliases:
                index[alias].append(label)
        return dict(index)


def find_labels(folder: Path) -> Path | None:
    """Return ``labels.csv`` or ``labels.tsv`` of a folder, in any case; None where it has neither.

    Raises:
        BenchError: it has both.
    """
    found = sorted(path for path in folder.iterdir() if path.name.lower() in LABEL_FILES)
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise BenchError(f"{folder} holds {names}: keep the one that counts")
    return found[0] if found else None


def read_labels(path: Path) -> Labels:
    """Return the labels of a file, one for each name.

    Raises:
        BenchError: as for ``parse_labels``, or the file has no label, or two prompts for one name;
            the message names the lines.
    """
    labels, notes = parse_labels(path)
    if not any(label.prompt for label in labels):
        raise BenchError(f"{path} holds no label: expected rows of a name and a label")
    seen: dict[str, Label] = {}
    for label in labels:
        # The schemes spell one clip in several ways, and two prompts for it are a contradiction.
        clip = parse_canonical_name(label.name) or label.name
        first = seen.setdefault(clip, label)
        if not first.prompt:
            seen[clip] = label
        elif label.prompt and first.prompt != label.prompt:
            raise BenchError(
                f"{path}, lines {first.line} and {label.line}: two prompts for {label.name!r}, "
                f"{first.prompt!r} and {label.prompt!r}; keep one"
            )
    return Labels(path, tuple(seen.values()), notes)
