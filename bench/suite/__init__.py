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

from bench.errors import BenchError
from bench.judges import Judge
from bench.suite.metric import Metric, Side
from bench.suite.networks import CLAP_ROW, NETWORK_ROWS, SET_ROWS
from bench.suite.signal import signal_rows, strict_signal_rows

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

PROFILES: dict[str, tuple[Metric, ...]] = {
    "av-benchmark": (*NETWORK_ROWS, *signal_rows("reference"), *SET_ROWS, CLAP_ROW),
    "strict": (*NETWORK_ROWS, *strict_signal_rows(), *SET_ROWS, CLAP_ROW),
}


def select(profile: str, names: Iterable[str] | None = None) -> tuple[Metric, ...]:
    """Return a profile's rows of these names in the table's order; None means all of them.

    Raises:
        BenchError: no such profile or metric; the message lists those there are.
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
    """Those of the metrics that this judge has the extractors for."""
    known = {extractor.name for extractor in judge.extractors}
    return tuple(
        metric for metric in metrics if {*metric.reads, *metric.reads_of(metric.against)} <= known
    )
