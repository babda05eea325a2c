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
from contextlib import suppress

from bench.errors import BenchError
from bench.judges import Judge
from bench.plugins import OURS, Row, Table, join_rows, read_declarations
from bench.suite.columns import PROFILES, Metric
from bench.suite.scores import Side, SideSet

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "SUITE_VERSION",
    "Metric",
    "Side",
    "SideSet",
    "find_metrics",
    "select",
    "select_computable",
]

SUITE_VERSION = 3
DEFAULT_PROFILE = "av-benchmark"


def select(profile: str, names: Iterable[str] | None = None) -> tuple[Metric, ...]:
    """Return the metrics of a profile with these names in the table's order; None means all.

    Raises:
        BenchError: no such profile or metric; the message lists the known ones.
    """
    table = find_metrics(profile)
    wanted = None if names is None else set(names)
    # The unknown metric may be one that a broken package declares: its problems are listed too.
    if unknown := [name for name in wanted or () if name not in table]:
        known = ", ".join(row.name for row in table)
        text = f"no metric {unknown[0]!r}; there are: {known}"
        raise BenchError("; ".join((text, *table.problems)))
    if wanted is not None:
        return tuple(_load(table, row) for row in table if row.name in wanted)
    usable = []
    for row in table:
        with suppress(BenchError):  # of another package; refused where it is named
            usable.append(_load(table, row))
    return tuple(usable)


def find_metrics(profile: str) -> Table:
    """Return the built-in metrics of a profile and those that installed packages declare.

    Raises:
        BenchError: no such profile.
    """
    if profile not in PROFILES:
        raise BenchError(f"no profile {profile!r}; there are: {', '.join(PROFILES)}")
    declared = read_declarations("metric")
    built_in = [Row(metric.name, "", metric, OURS) for metric in PROFILES[profile]]
    return join_rows("metric", [*built_in, *declared], declared.problems)


def _load(table: Table, row: Row) -> Metric:
    table.find(row.name)  # refuses a name that two packages declare
    metric = row.load()
    if not isinstance(metric, Metric) or metric.name != row.name:
        raise BenchError(
            f"the metric {row.name!r} of {row.package} is {metric!r}, expected a "
            f"bench.suite.Metric of that name"
        )
    return metric


def select_computable(metrics: Iterable[Metric], judge: Judge) -> tuple[Metric, ...]:
    """Return those of the metrics whose features this judge extracts."""
    # A side other than the generated one may read other features: IB reads video against audio.
    known = {extractor.name for extractor in judge.extractors}
    return tuple(
        metric for metric in metrics if {*metric.reads, *metric.reads_of(metric.against)} <= known
    )
