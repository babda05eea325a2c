"""``pairs:FILE``: targets, the clips that condition them, and what was generated from both.

``FILE`` is a table (.csv or .tsv) with a header and the columns ``target`` and ``condition``, and
where wanted ``generated`` (a sample of some system: ``--model precomputed`` scores it), ``name``,
``prompt``, ``seconds`` (2 by default) and ``hits`` (annotated times: seconds joined by ``;``, or a
file with one per line). Or it is CondFoley's list in JSON: target -> [conditions]. Paths are
relative to the file.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.files import read_json
from bench.splits.folder import clip_name
from bench.splits.split import BASE_METRICS, Refusal, Split, path_slug
from bench.types import Clip, Excerpt

PAIR_SECONDS = 2.0
COLUMNS = {"target", "condition", "generated", "name", "prompt", "seconds", "hits"}
HITS_METRICS = ("onset_acc_hits", "onset_ap_hits")


def open_pairs(file: Path) -> Split:
    """Return the split of the pairs that ``file`` lists; a pair whose files are missing is refused.

    Raises:
        BenchError: the list cannot be read, or lacks a column.
    """
    path = file.expanduser().absolute()
    if not path.is_file():
        raise BenchError(f"there is no list of pairs {path}")
    rows = _json_rows(path) if path.suffix.lower() == ".json" else _table_rows(path)
    clips, refused = [], []
    for row in rows:
        clip = _clip(row, path)
        problem = _problem(clip)
        if problem:
            refused.append(Refusal(clip.name, problem))
        else:
            clips.append(clip)
    has_hits = any(clip.truth for clip in clips)
    metrics = (*BASE_METRICS, "mcd_ref", *(HITS_METRICS if has_hits else ()))
    return Split(f"pairs-{path_slug(path)}", tuple(clips), metrics, tuple(refused))


def _table_rows(path: Path) -> Iterator[Mapping[str, str]]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        reader = csv.DictReader(path.read_text("utf-8-sig").splitlines(), delimiter=delimiter)
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"cannot read the pairs {path}: {error}") from error
    header = set(reader.fieldnames or ())
    if not {"target", "condition"} <= header or header - COLUMNS:
        raise BenchError(
            f"{path} has the columns {sorted(header)}; it needs target and condition, "
            f"and may have {', '.join(sorted(COLUMNS - {'target', 'condition'}))}"
        )
    yield from rows


def _json_rows(path: Path) -> Iterator[Mapping[str, str]]:
    pairs: Any = read_json(path)
    if not isinstance(pairs, dict) or not all(isinstance(v, list) for v in pairs.values()):
        raise BenchError(f"{path} is not a list of pairs: expected {{target: [condition, ...]}}")
    for target, conditions in pairs.items():
        for condition in conditions:
            yield {"target": str(target), "condition": str(condition)}


def _clip(row: Mapping[str, str], path: Path) -> Clip:
    target, condition = path.parent / row["target"], path.parent / row["condition"]
    generated = path.parent / row["generated"] if row.get("generated") else None
    seconds = _seconds(row.get("seconds") or str(PAIR_SECONDS), path)
    pair_name = f"{target.stem}_to_{condition.stem}"
    if condition.stem.startswith(f"{target.stem}_to_"):  # the list's files are named by their pair
        pair_name = condition.stem
    window = Excerpt(target, 0.0, seconds)
    hits = row.get("hits") or ""
    return Clip(
        name=clip_name(Path((row.get("name") or pair_name) + ".mp4")),
        sound=window,
        seconds=seconds,
        picture=window,
        reference=Excerpt(condition, 0.0, seconds),
        prompt=row.get("prompt") or "",
        generated=generated,
        truth={"hits": _hits(hits, path, seconds)} if hits else {},
    )


def _problem(clip: Clip) -> str:
    """What keeps a pair from taking part; empty where nothing does."""
    for role, excerpt in (("target", clip.sound), ("condition", clip.reference)):
        if excerpt is not None and not excerpt.path.is_file():
            return f"the {role} file {excerpt.path} is missing"
    return ""


def _hits(text: str, path: Path, seconds: float) -> list[float]:
    """Annotated times within the window; a file holds one per line, its first word the time."""
    file = path.parent / text
    if file.suffix.lower() == ".txt":
        if not file.is_file():
            raise BenchError(f"{path}: the file of hits {file} is missing")
        words = [line.split()[0] for line in file.read_text("utf-8").splitlines() if line.strip()]
    else:
        words = text.split(";")
    return [time for time in (_seconds(word, path) for word in words) if time < seconds]


def _seconds(text: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise BenchError(f"{path}: {text!r} is not a time in seconds")
    return value
