"""``bench list``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rich.table import Table

from baselines import list_systems, open_system
from bench.checkpoints.registry import OFFICIAL_FILES, OfficialFile, weights_directory
from bench.checkpoints.verify import describe_presence, fetch_command
from bench.cli.console import console
from bench.errors import BenchError, MissingError
from bench.judges import Judge, open_judge
from bench.pipeline.score import Scoring
from bench.splits import SPLITS, open_split, require_files
from bench.suite import DEFAULT_PROFILE, PROFILES, Metric


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
    console().print(drawn)


def _models() -> None:
    mini = _mini_clips()
    rows = (
        (entry.usage, entry.summary, entry.uses, _needs(entry.usage, mini))
        for entry in list_systems()
    )
    _print(("model", "what it is", "is given", "needs"), rows)
    console().print("Your own: --model package.module:NAME (see bench.system)")


def _needs(usage: str, mini: str) -> str:
    """What must be there before this system can run, and whether it is."""
    name = usage.partition(":")[0]
    if name.startswith("oracle"):
        return mini
    if name == "precomputed":
        return "your samples"
    lacks = open_system(name).lacks
    return "nothing" if lacks is None else lacks() or "weights, here"


def _mini_clips() -> str:
    try:
        split = open_split("mini")
    except (BenchError, OSError) as error:
        return f"mini clips: {error}"
    try:
        require_files(split, split.clips)
    except MissingError:
        return f"mini clips, not all here: {split.preparation}"
    return "mini clips, here"


def _splits() -> None:
    rows = (
        (f"{name}:{entry.argument}" if entry.argument else name, entry.summary, _readiness(name))
        for name, entry in SPLITS.items()
    )
    _print(("split", "what it is", "on this machine"), rows)


def _readiness(name: str) -> str:
    """Whether a split of ours is ready, and what fixes it if not."""
    if SPLITS[name].argument:
        return "yours to name"
    try:
        split = open_split(name)
        require_files(split, split.clips)
    except (BenchError, OSError) as error:  # the other rows are still worth printing
        return str(error)
    return f"ready, {len(split.clips)} clips"


def _metrics() -> None:
    judge = open_judge("paper", DEFAULT_PROFILE)
    rows = (
        (
            metric.name,
            metric.summary,
            f"{metric.better} is better",
            metric.unit,
            "extra" if metric.is_extra else "paper",
            _whereabouts(_weights_of(metric, judge)),
        )
        for metric in PROFILES[DEFAULT_PROFILE]
    )
    _print(("metric", "what it is", "direction", "unit", "column", "weights"), rows)
    console().print("Profiles: " + ", ".join(PROFILES))


def _weights_of(metric: Metric, judge: Judge) -> list[OfficialFile]:
    return [OFFICIAL_FILES[name] for name in Scoring((metric,), judge, None).weights()]


def _whereabouts(rows: Sequence[OfficialFile]) -> str:
    """Whether these files are here, or the command that fetches those that are not."""
    directory = weights_directory()
    if missing := [row for row in rows if not (directory / row.file).is_file()]:
        return f"not here: {fetch_command(missing, directory)}"
    return "; ".join(f"{row.name} {describe_presence(row, directory)}" for row in rows) or "none"


LISTS: dict[str, Callable[[], None]] = {
    "models": _models,
    "splits": _splits,
    "metrics": _metrics,
}
