"""Scores of several runs by clip; which clips are the worst, the best, and the most different."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError, RunError
from bench.grouping import find_axes
from bench.results import Column, Results, describe_mismatch, load_results, load_rows
from reports.tables import labels

if TYPE_CHECKING:
    import pandas as pd

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PageRun:
    """A run of the page: its folder of scores, its results, and its label, which is unique."""

    directory: Path
    results: Results
    label: str


@dataclass(frozen=True)
class PageScores:
    """Scores by column, ``[R, N]`` of R runs and N clips, NaN where a clip has none.

    ``axes`` has the group of each clip by axis, "" where it has none; ``rank`` ``[R, N]`` is the
    mean rank in the columns of the paper's tables, from 0 (best of all runs and clips) to 100.
    """

    runs: tuple[PageRun, ...]
    clips: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]]
    columns: tuple[Column, ...]
    values: Mapping[str, Values]
    rank: Values


def load_scores(directories: Sequence[Path]) -> PageScores:
    """Read the scores of runs that can share a table; a run that is named twice counts once.

    Raises:
        RunError: a directory holds no finished run, or one with a clip in several rows.
        BenchError: the runs differ in split, judge, profile or protocol, or there are none.
    """
    import pandas as pd

    found = {each.absolute(): load_results(each) for each in directories}
    _check_together(found)
    names = _make_unique(labels(list(found.values())))
    runs = tuple(
        PageRun(directory, results, name)
        for (directory, results), name in zip(found.items(), names, strict=True)
    )
    tables = {run.label: _load_rows(run.directory) for run in runs}
    clips = list(dict.fromkeys(clip for rows in tables.values() for clip in rows.index))
    known = {column.name: column for run in runs for column in run.results.columns}
    aligned = {label: rows.reindex(clips) for label, rows in tables.items()}
    values = {
        name: np.stack([_column(rows, name) for rows in aligned.values()])
        for name in known
        if any(name in rows for rows in aligned.values())
    }
    values = {name: each for name, each in values.items() if np.isfinite(each).any()}
    everything = pd.concat(tables.values())
    all_rows = everything[~everything.index.duplicated()]
    axes = {
        axis: tuple(all_rows[column].fillna("").astype(str))
        for axis, column in find_axes(all_rows).items()
    }
    columns = tuple(column for name, column in known.items() if name in values)
    rank = _rank(columns, values, (len(runs), len(clips)))
    return PageScores(runs, tuple(clips), axes, columns, values, rank)


def _check_together(found: Mapping[Path, Results]) -> None:
    if not found:
        raise BenchError("a page needs at least one finished run")
    (first, base), *others = found.items()
    for directory, each in others:
        if mismatch := describe_mismatch(base, each):
            raise BenchError(
                f"{first} and {directory} cannot share a page: {mismatch}; name runs of one each"
            )


def _load_rows(directory: Path) -> pd.DataFrame:
    rows = load_rows(directory)
    if not rows["clip"].is_unique:
        raise RunError(f"{directory / 'scores.parquet'} has a clip in several rows; run it again")
    return rows.set_index("clip")


def _column(rows: pd.DataFrame, name: str) -> Values:
    if name not in rows:
        return np.full(len(rows), np.nan)
    column: Values = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
    return column


def _make_unique(names: Sequence[str]) -> list[str]:
    """Number the labels that several runs have: scores of a part of the clips, or of all."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _rank(
    columns: Sequence[Column], values: Mapping[str, Values], shape: tuple[int, int]
) -> Values:
    """Return the mean over columns of the rank among all clips of all runs, ``[R, N]``, 0 best."""
    from scipy.stats import rankdata

    main = [each for each in columns if not each.is_extra] or list(columns)
    total, count = np.zeros(shape), np.zeros(shape)
    for column in main:
        each = values[column.name] * (-1 if column.better == "higher" else 1)
        scored = np.isfinite(each)
        ranks = rankdata(each[scored])
        total[scored] += 100 * (ranks - 1) / max(1, len(ranks) - 1)
        count += scored
    mean: Values = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    return mean


def choose_clips(scores: PageScores, n: int) -> list[str]:
    """Return ``n`` clips, in turn the worst, the best, and those that systems differ on most.

    By ``rank``, over the runs that compete; where all are anchors, over all.
    """
    competing = [i for i, run in enumerate(scores.runs) if not run.results.is_anchor]
    rank = scores.rank[competing or slice(None)]
    n_scored = np.isfinite(rank).sum(axis=0)
    with_one, with_two = (np.flatnonzero(n_scored >= least) for least in (1, 2))
    mean = np.nanmean(rank[:, with_one], axis=0)
    spread = np.nanmax(rank[:, with_two], axis=0) - np.nanmin(rank[:, with_two], axis=0)
    best = with_one[np.argsort(mean, kind="stable")]
    different = with_two[np.argsort(-spread, kind="stable")]
    # Those that no system that competes has a score of come last.
    rest = np.flatnonzero(n_scored == 0)
    in_turn = chain.from_iterable(zip_longest(best[::-1], best, different))
    chosen = dict.fromkeys(int(i) for i in (*in_turn, *rest) if i is not None)
    return [scores.clips[i] for i in islice(chosen, n)]
