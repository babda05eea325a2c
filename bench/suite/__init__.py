"""The suite: which columns there are, by profile.

    metric      what a column is
    networks    the columns that need networks
    signal      the columns that need none
    clips sets  what they compute: from features to a number, per clip and per set

To add a metric, add a row. A profile is one definition of every column: ``av-benchmark`` computes
each as the field's reference scripts do, quirks included, so that numbers can stand beside
published ones; ``strict`` repairs the quirks (``bench.metrics`` documents them one by one). Numbers
of different profiles never share a table. A change that moves any number raises ``SUITE_VERSION``.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from bench.errors import BenchError
from bench.judges import Judge
from bench.plugins import OURS, Row, Table, join_rows, read_declarations
from bench.suite.metric import Metric, Side
from bench.suite.networks import CLAP_ROW, NETWORK_ROWS, SET_ROWS
from bench.suite.signal import signal_rows, strict_signal_rows

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "SUITE_VERSION",
    "Metric",
    "Side",
    "computable",
    "find_metrics",
    "select",
]

SUITE_VERSION = 2
DEFAULT_PROFILE = "av-benchmark"

PROFILES: dict[str, tuple[Metric, ...]] = {
    "av-benchmark": (*NETWORK_ROWS, *signal_rows("reference"), *SET_ROWS, CLAP_ROW),
    "strict": (*NETWORK_ROWS, *strict_signal_rows(), *SET_ROWS, CLAP_ROW),
}


def select(profile: str, names: Iterable[str] | None = None) -> tuple[Metric, ...]:
    """Return a profile's rows of these names in the table's order; None means all of them.

    Raises:
        BenchError: no such profile or metric; the message lists those there are.
    """
    table = find_metrics(profile)
    wanted = None if names is None else set(names)
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


def computable(metrics: Iterable[Metric], judge: Judge) -> tuple[Metric, ...]:
    """Those of the metrics that this judge has the extractors for."""
    known = {extractor.name for extractor in judge.extractors}
    return tuple(
        metric for metric in metrics if {*metric.reads, *metric.reads_of(metric.against)} <= known
    )
