"""``pairs:FILE``: targets, the clips that condition them, and what was generated from both.

``FILE`` is a table (.csv or .tsv) with a header and the columns ``target`` and ``condition``, and
where wanted ``generated`` (a sample of some system: ``--model precomputed`` scores it), ``name``,
``prompt``, ``seconds`` (2 by default) and ``hits`` (annotated times in any order: seconds joined by
``;``, or a .txt file with one per line). Or it is CondFoley's list in JSON: target -> [conditions].
Paths are relative to the file.
"""

from __future__ import annotations

import math
import os.path
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.inputs import read_records
from bench.io import expand_user, read_json
from bench.matching import make_clip_name, normalize_name
from bench.splits.split import BASE_METRICS, Refusal, Split, slugify_path
from bench.types import Clip, Excerpt

PAIR_SECONDS = 2.0
COLUMNS = {"target", "condition", "generated", "name", "prompt", "seconds", "hits"}
HITS_METRICS = ("onset_acc_hits", "onset_ap_hits")


@dataclass(frozen=True)
class Row:
    """The cells of one pair by column, the list they come from, and where in it, in words."""

    cells: Mapping[str, str]
    file: Path
    where: str

    def path(self, column: str) -> Path:
        """The file that a column names, relative to the list."""
        return self.file.parent / self.cells[column]


def open_pairs(file: Path) -> Split:
    """Return the split of the pairs that ``file`` lists; a pair whose files are missing is refused.

    Raises:
        BenchError: the list cannot be read or lacks a column, or a row of it lacks a cell or holds
            what is no time; the message names the line.
    """
    path = expand_user(file).absolute()
    if not path.is_file():
        raise BenchError(f"there is no list of pairs {path}")
    rows = _json_rows(path) if path.suffix.lower() == ".json" else _table_rows(path)
    clips, refused = [], []
    for row in rows:
        clip = _clip(row)
        problem = _problem(clip)
        if problem:
            refused.append(Refusal(clip.name, problem))
        else:
            clips.append(clip)
    has_hits = any(clip.truth for clip in clips)
    metrics = (*BASE_METRICS, "mcd_ref", *(HITS_METRICS if has_hits else ()))
    return Split(f"pairs-{slugify_path(path)}", tuple(clips), metrics, tuple(refused))


def _table_rows(path: Path) -> Iterator[Row]:
    columns, records = read_records(path)
    _check_header(columns, path)
    for record in records:
        yield _checked(Row(record.cells, path, f"{path}, line {record.line}"))


def _check_header(columns: list[str], path: Path) -> None:
    header = set(columns)
    if not {"target", "condition"} <= header or header - COLUMNS:
        raise BenchError(
            f"{path} has the columns {sorted(header)}; it needs target and condition, "
            f"and may have {', '.join(sorted(COLUMNS - {'target', 'condition'}))}"
        )


def _json_rows(path: Path) -> Iterator[Row]:
    pairs: Any = read_json(path)
    if not isinstance(pairs, dict) or not all(isinstance(v, list) for v in pairs.values()):
        raise BenchError(f"{path} is not a list of pairs: expected {{target: [condition, ...]}}")
    for target, conditions in pairs.items():
        for condition in conditions:
            cells = {"target": str(target), "condition": str(condition)}
            yield _checked(Row(cells, path, f"{path}, a pair of the target {target!r}"))


def _checked(row: Row) -> Row:
    for column in ("target", "condition"):
        if not row.cells[column].strip():
            raise BenchError(f"{row.where}: the {column} is blank, expected the path of a file")
    return row


def _clip(row: Row) -> Clip:
    cells, target, condition = row.cells, row.path("target"), row.path("condition")
    seconds = _seconds(cells.get("seconds") or str(PAIR_SECONDS), row.where)
    pair_name = f"{target.stem}_to_{condition.stem}"
    if condition.stem.startswith(f"{target.stem}_to_"):  # the list's files are named by their pair
        pair_name = condition.stem
    window = Excerpt(target, 0.0, seconds)
    return Clip(
        name=make_clip_name(Path((cells.get("name") or pair_name) + ".mp4")),
        audio=window,
        seconds=seconds,
        video=window,
        reference=Excerpt(condition, 0.0, seconds),
        prompt=cells.get("prompt", ""),
        cluster=_cluster(target, row.file.parent),
        generated=row.path("generated") if cells.get("generated") else None,
        truth={"hits": _hits(row, seconds)} if cells.get("hits") else {},
    )


def _cluster(target: Path, folder: Path) -> str:
    """The file of a target below the folder of the list, however the list spells its path."""
    return normalize_name(os.path.relpath(os.path.realpath(target), os.path.realpath(folder)))


def _problem(clip: Clip) -> str:
    """What keeps a pair from taking part; empty where nothing does."""
    for role, excerpt in (("target", clip.audio), ("condition", clip.reference)):
        if excerpt is not None and not excerpt.path.is_file():
            return f"the {role} file {excerpt.path} is missing"
    return ""


def _hits(row: Row, seconds: float) -> list[float]:
    """Annotated times within the window, sorted."""
    is_file = row.path("hits").suffix.lower() == ".txt"
    words = (
        _hits_of_file(row) if is_file else [(w, row.where) for w in row.cells["hits"].split(";")]
    )
    times = sorted(_seconds(word, where) for word, where in words)
    return [time for time in times if time < seconds]


def _hits_of_file(row: Row) -> list[tuple[str, str]]:
    """The first word of every line that has one, and where it stands."""
    file = row.path("hits")
    if not file.is_file():
        raise BenchError(f"{row.where}: the file of hits {file} is missing")
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{row.where}: cannot read the hits {file}: {error}") from error
    return [
        (line.split()[0], f"{file}, line {number}")
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _seconds(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BenchError(f"{where}: {text!r} is not a time in seconds")
    return value
