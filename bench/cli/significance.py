"""Whether two finished runs differ beyond chance: ``bench table --significant``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.pipeline.compare import Comparison
    from bench.results import Column, Results
    from reports.tables import Table

NOTE = (
    "best and second best are marked only where the 95 % interval of the paired difference from "
    "each row with another number excludes zero"
)


class Significance:
    """Answers whether the interval of the paired difference of two runs excludes zero.

    Rows of clips and comparisons are read once. ``problems`` says which columns have no interval,
    and why: their runs are not apart.
    """

    def __init__(self, runs: Sequence[tuple[Path, Results]]) -> None:
        self._directories = {_key(results): directory for directory, results in runs}
        self._comparisons: dict[tuple[Path, Path], Comparison] = {}
        self._answers: dict[tuple[Path, Path, str, str], bool] = {}
        self.problems: dict[str, None] = {}

    def __call__(self, first: Results, second: Results, column: Column, group: str) -> bool:
        """Whether two results of these runs differ, over all clips or those of a group."""
        a, b = sorted(self._directories[_key(each)] for each in (first, second))
        question = (a, b, column.name, group)
        if question not in self._answers:
            self._answers[question] = self._is_apart(a, b, column, group)
        return self._answers[question]

    def _is_apart(self, first: Path, second: Path, column: Column, group: str) -> bool:
        from bench.errors import BenchError
        from bench.pipeline.compare import compare_runs

        try:
            if (first, second) not in self._comparisons:
                self._comparisons[first, second] = compare_runs(first, second)
            pair = self._comparisons[first, second]
            if not group:
                own = pair.columns[column.name]
                return pair.difference(own).verdict != "no clear difference"
            found = pair.contrast(column.name, group).difference
        except BenchError as error:
            self.problems.setdefault(f"{column.label} is not marked: {error}")
            return False
        return found.low is not None and found.high is not None and found.low * found.high > 0

    def annotate(self, table: Table) -> Table:
        """The table with a footnote on its marks, and on columns that have none."""
        return replace(table, footnotes=(*table.footnotes, NOTE, *self.problems))


def _key(results: Results) -> tuple[Any, ...]:
    """What tells runs apart."""
    about: Mapping[str, Any] = {
        name: getattr(results, name)
        for name in ("system", "split", "condition", "seed", "judge", "profile", "suite_version")
    }
    return (*about.values(), results.protocol_version, results.expected, results.clips)
