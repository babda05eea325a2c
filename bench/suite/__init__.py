"""The suite: the metrics of a table, by profile.

    columns.py  the table: name, label, features read, direction, decimals of each metric
    scores.py   its functions: from features to a number, per clip and per set

To add a metric, add a row and a function. A profile is one definition of every column:
``av-benchmark`` computes each as the field's reference scripts do, quirks included, so that numbers
are comparable with published ones; ``strict`` repairs the quirks (``bench.metrics`` documents
each). Numbers of different profiles never share a table. A change of any number raises
``SUITE_VERSION``.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.errors import BenchError
from bench.judges import Judge
from bench.suite.columns import PROFILES, Metric
from bench.suite.scores import Side

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "SUITE_VERSION",
    "Metric",
    "Side",
    "select_computable",
    "select",
]

SUITE_VERSION = 2
DEFAULT_PROFILE = "av-benchmark"


def select(profile: str, names: Iterable[str] | None = None) -> tuple[Metric, ...]:
    """Return the metrics of a profile with these names in the table's order; None means all.

    Raises:
        BenchError: no such profile or metric; the message lists the known ones.
    """
    if profile not in PROFILES:
        raise BenchError(f"no profile {profile!r}; there are: {', '.join(PROFILES)}")
    rows = PROFILES[profile]
    if names is None:
        return rows
    wanted = list(names)
    known = [row.name for row in rows]
    if unknown := [name for name in wanted if name not in known]:
        raise BenchError(f"no metric {unknown[0]!r}; there are: {', '.join(known)}")
    return tuple(row for row in rows if row.name in wanted)


def select_computable(metrics: Iterable[Metric], judge: Judge) -> tuple[Metric, ...]:
    """Return those of the metrics whose features this judge extracts."""
    known = {extractor.name for extractor in judge.extractors}
    return tuple(
        metric for metric in metrics if {*metric.reads, *metric.reads_of(metric.against)} <= known
    )
