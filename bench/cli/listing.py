"""``bench list``."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.table import Table

from baselines import list_systems
from bench.cli.console import console
from bench.errors import BenchError, MissingError
from bench.splits import SPLITS, open_split, require_files
from bench.suite import PROFILES


def list_command(what: str) -> None:
    """Print one of the lists."""
    if what not in LISTS:
        raise BenchError(f"no list of {what!r}; there are: {', '.join(LISTS)}")
    LISTS[what]()


def _print(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    console().print(drawn, markup=False)


def _models() -> None:
    _print(
        ("model", "what it is", "uses"),
        ((entry.usage, entry.summary, entry.uses) for entry in list_systems()),
    )
    console().print("Your own: --model package.module:NAME (see bench.system)")


def _splits() -> None:
    rows = (
        (f"{name}:{entry.argument}" if entry.argument else name, entry.summary, _missing(name))
        for name, entry in SPLITS.items()
    )
    _print(("split", "what it is", "on this machine"), rows)


def _missing(name: str) -> str:
    """Whether a split of ours is ready, and what mends it if not."""
    if SPLITS[name].argument:
        return "yours to name"
    try:
        split = open_split(name)
        require_files(split, split.clips)
    except MissingError as error:
        return str(error)
    return f"ready, {len(split.clips)} clips"


def _metrics() -> None:
    rows = (
        (
            metric.name,
            metric.summary,
            f"{metric.better} is better",
            metric.unit,
            "extra" if metric.is_extra else "paper",
        )
        for metric in PROFILES["av-benchmark"]
    )
    _print(("metric", "what it is", "direction", "unit", "column"), rows)
    console().print("None of these needs weights. Profiles: " + ", ".join(PROFILES))


LISTS: dict[str, Callable[[], None]] = {
    "models": _models,
    "splits": _splits,
    "metrics": _metrics,
}
