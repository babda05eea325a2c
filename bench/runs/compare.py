"""Two runs, clip by clip: the mean difference on common clips, with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from bench.errors import BenchError
from bench.files import stable_seed
from bench.results import Column, Results, load_results, load_rows

Verdict = Literal["better", "worse", "no clear difference"]


@dataclass(frozen=True)
class Difference:
    """``new - base`` of one metric: mean over the ``n`` clips that both scored, with interval."""

    column: Column
    value: float
    low: float
    high: float
    n: int

    @property
    def verdict(self) -> Verdict:
        """Better or worse where the 95 % interval keeps away from zero."""
        if self.low <= 0 <= self.high:
            return "no clear difference"
        return "better" if (self.value > 0) == (self.column.better == "higher") else "worse"


@dataclass(frozen=True)
class Comparison:
    """Two results and their paired differences, in the order of the columns."""

    base: Results
    new: Results
    differences: tuple[Difference, ...]


def compare_runs(base: Path, new: Path) -> Comparison:
    """Compare two finished runs on the clips that both scored.

    Raises:
        BenchError: they are of different splits, profiles or suite versions, or share no clip.
    """
    before, after = load_results(base), load_results(new)
    for what in ("split", "judge", "profile", "suite_version"):
        ours, theirs = getattr(before, what), getattr(after, what)
        if ours != theirs:
            raise BenchError(f"{base} and {new} cannot be compared: {what} {ours!r} and {theirs!r}")
    found = [each for column in before.columns if (each := _difference(base, new, column, after))]
    if not found:
        raise BenchError(f"{base} and {new} have no scored clip in common")
    return Comparison(before, after, tuple(found))


def _difference(base: Path, new: Path, column: Column, after: Results) -> Difference | None:
    from bench.metrics import paired_difference

    if column.name not in after.metrics:
        return None
    true, other, clusters = _paired(base, new, column.name)
    if not len(true):
        return None
    generator = np.random.default_rng(stable_seed("paired", column.name))
    found = paired_difference(true, other, list(clusters), generator)
    return Difference(column, found.value, found.low, found.high, found.n)


def _paired(base: Path, new: Path, name: str) -> Sequence[np.ndarray]:
    before, after = load_rows(base), load_rows(new)
    if name not in before.columns or name not in after.columns:  # a metric of the whole set
        return np.array([]), np.array([]), np.array([])
    rows = before.merge(after, on="clip", suffixes=("_base", "_new"))
    both = rows[[f"{name}_base", f"{name}_new", "cluster_base"]].dropna()
    return tuple(column.to_numpy() for _, column in both.items())
