"""``pairs:FILE``: targets, the clips that condition them, and samples generated from both.

``FILE`` is a table (.csv or .tsv) with a header and the columns ``target`` and ``condition``, and
optionally ``generated`` (a sample of some system: ``--model precomputed`` scores it), ``name``,
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
from bench.inputs import read_lines, read_records
from bench.io import expand_user, read_json
from bench.matching import make_clip_name, normalize_name
from bench.splits.split import BASE_METRICS, Refusal, Split, slugify_path
from bench.types import Clip, Excerpt

PAIR_SECONDS = 2.0
COLUMNS = {"target", "condition", "generated", "name", "prompt", "seconds", "hits"}
HITS_METRICS = ("onset_acc_hits", "onset_ap_hits")


@dataclass(frozen=True)
class Row:
    """The cells of one pair by column, its list, and its position in words for messages."""

    cells: Mapping[str, str]
    file: Path
    where: str

    def path(self, column: str) -> Path:
        """Return the path in a column, which is relative to the list."""
        return self.file.parent / self.cells[column]


def open_pairs(file: Path) -> Split:
    """Return the split of the pairs in ``file``; a pair whose files are missing is refused.

    Raises:
        BenchError: the list cannot be read or is missing a column, or a row of it has no cell for
            one, or a time that is not a number; the message names the line.
    """
    path = expand_user(file).absolute()
    if not path.is_file():
        raise BenchError(f"there is no list of pairs {path}")
    rows = _read_json_rows(path) if path.suffix.lower() == ".json" else _read_table_rows(path)
    clips, refused = [], []
    for row in rows:
        clip = _make_clip(row)
        problem = _find_problem(clip)
        if problem:
            refused.append(Refusal(clip.name, problem))
        else:
            clips.append(clip)
    has_hits = any(clip.truth for clip in clips)
    metrics = (*BASE_METRICS, "mcd_ref", *(HITS_METRICS if has_hits else ()))
    return Split(f"pairs-{slugify_path(path)}", tuple(clips), metrics, tuple(refused))


def _read_table_rows(path: Path) -> Iterator[Row]:
    columns, records = read_records(path)
    header = set(columns)
    # An unknown column is most likely a misspelt one, whose cells would be ignored without a word.
    if not {"target", "condition"} <= header or header - COLUMNS:
        raise BenchError(
            f"{path} has the columns {sorted(header)}; it needs target and condition, "
            f"and may have {', '.join(sorted(COLUMNS - {'target', 'condition'}))}"
        )
    for record in records:
        yield _check_cells(Row(record.cells, path, f"{path}, line {record.line}"))


def _read_json_rows(path: Path) -> Iterator[Row]:
    pairs: Any = read_json(path)
    if not isinstance(pairs, dict) or not all(isinstance(v, list) for v in pairs.values()):
        raise BenchError(f"{path} is not a list of pairs: expected {{target: [condition, ...]}}")
    for target, conditions in pairs.items():
        for condition in conditions:
            cells = {"target": str(target), "condition": str(condition)}
            yield _check_cells(Row(cells, path, f"{path}, a pair of the target {target!r}"))


def _check_cells(row: Row) -> Row:
    for column in ("target", "condition"):
        if not row.cells[column].strip():
            raise BenchError(f"{row.where}: the {column} is blank, expected the path of a file")
    return row


def _make_clip(row: Row) -> Clip:
    cells, target, condition = row.cells, row.path("target"), row.path("condition")
    seconds = _parse_seconds(cells.get("seconds") or str(PAIR_SECONDS), row.where)
    pair_name = f"{target.stem}_to_{condition.stem}"
    # CondFoley names the cut of a condition by its pair, target included.
    if condition.stem.startswith(f"{target.stem}_to_"):
        pair_name = condition.stem
    window = Excerpt(target, 0.0, seconds)
    # A cluster is the file of the target: pairs that name it by a link or by another relative path
    # depend on one another all the same. Relative to the list, so that a moved dataset keeps it.
    folder = os.path.realpath(row.file.parent)
    return Clip(
        # The suffix is for make_clip_name, which removes one: a name may contain a dot.
        name=make_clip_name(Path((cells.get("name") or pair_name) + ".mp4")),
        audio=window,
        seconds=seconds,
        video=window,
        reference=Excerpt(condition, 0.0, seconds),
        prompt=cells.get("prompt", ""),
        cluster=normalize_name(os.path.relpath(os.path.realpath(target), folder)),
        generated=row.path("generated") if cells.get("generated") else None,
        truth={"hits": _read_hits(row, seconds)} if cells.get("hits") else {},
    )


def _find_problem(clip: Clip) -> str:
    """Return the reason why a pair cannot be scored, "" where there is none."""
    for role, excerpt in (("target", clip.audio), ("condition", clip.reference)):
        if excerpt is not None and not excerpt.path.is_file():
            return f"the {role} file {excerpt.path} is missing"
    return ""


def _read_hits(row: Row, seconds: float) -> list[float]:
    """Return the annotated times within the window, sorted.

    A file has one time a line, optionally followed by other words.
    """
    file = row.path("hits")
    if file.suffix.lower() != ".txt":
        words = [(word, row.where) for word in row.cells["hits"].split(";")]
    else:
        if not file.is_file():
            raise BenchError(f"{row.where}: the file of hits {file} is missing")
        lines = read_lines(file, f"the hits of {row.where},")
        words = [(line.split()[0], f"{file}, line {number}") for number, line in lines]
    times = sorted(_parse_seconds(word, where) for word, where in words)
    return [time for time in times if time < seconds]


def _parse_seconds(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BenchError(f"{where}: {text!r} is not a time in seconds")
    return value
