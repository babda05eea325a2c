"""``bench list`` and ``bench doctor``: what there is, and what is missing on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_lists, complete_model

if TYPE_CHECKING:
    from bench.plugins import Row, Table
    from bench.system import System


def list_rows(
    what: Annotated[
        str,
        typer.Argument(help="models, splits or metrics.", autocompletion=complete_lists),
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models to describe in full: training data, judges seen, licence.",
            autocompletion=complete_model,
        ),
    ] = None,
    long: Annotated[bool, typer.Option("--long", help="Describe every model in full.")] = False,
) -> None:
    """List systems, splits or metrics: what each needs, and what is missing on this machine."""
    from bench.errors import BenchError

    lists = {"models": _list_models, "splits": _list_splits, "metrics": _list_metrics}
    if what not in lists:
        raise BenchError(f"no list of {what!r}; there are: {', '.join(lists)}")
    if not (names or long):
        lists[what]()
    elif what != "models":
        raise BenchError(f"only models are described one by one: bench list {what}")
    else:
        _describe_models(names)


def _print(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    from rich.table import Table as RichTable

    from bench.cli.console import console

    drawn = RichTable(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows:
        drawn.add_row(*row)
    console().print(drawn)


def _print_notes(table: Table) -> None:
    """Print what other packages declare and cannot be used."""
    from bench.cli.console import console

    for note in table.notes:
        console().print(f"Note: {note}")


def _list_models() -> None:
    from bench.cli.console import console
    from bench.plugins import list_systems, read_declarations

    mini = _describe_mini_clips()
    rows = (
        (entry.usage, entry.summary, entry.uses, _describe_needs(entry.usage, mini))
        for entry in list_systems()
    )
    _print(("model", "what it is", "is given", "needs"), rows)
    _print_notes(read_declarations("system"))
    console().print("Your own: --model package.module:NAME (see bench.system)")
    console().print(
        "Training data, judges seen, licence of one: bench list models NAME, of all: --long"
    )


def _describe_models(names: Iterable[str] | None) -> None:
    """Print all that these systems declare, or all systems, one below the other."""
    from bench.cli.console import console
    from bench.errors import BenchError
    from bench.plugins import list_systems

    mini = _describe_mini_clips()
    for usage in names or (entry.usage for entry in list_systems()):
        try:
            facts = _describe_model(usage, mini)
        except BenchError as error:
            if names:
                raise
            facts = {"what it is": str(error)}  # the others are still worth printing
        console().print(usage, style="bold")
        for what, text in facts.items():
            console().print(f"  {what:<12}  {text}", soft_wrap=True)


def _describe_model(usage: str, mini: str) -> dict[str, str]:
    from bench.plugins import Family, open_system, read_declarations

    row = read_declarations("system").find(usage.partition(":")[0])
    found = row.load() if row and usage in (row.name, row.usage) else None
    system = found if isinstance(found, Family) else open_system(usage)
    return {
        "what it is": system.summary,
        "is given": ", ".join(sorted(system.uses)) or "nothing",
        **({} if isinstance(system, Family) else _describe_system(system)),
        "needs": _describe_needs(usage, mini),
    }


def _describe_system(system: System) -> dict[str, str]:
    seen = "; ".join(f"{network}: {how}" for network, how in sorted(system.judges_seen.items()))
    return {
        "trained on": ", ".join(system.trained_on) or "nothing, or not declared",
        "judges seen": seen or "none declared",
        "candidates": f"{system.candidates} per clip",
        "licence": system.licence,
        **({"commercial": "not allowed"} if system.non_commercial else {}),
        "can mask": ", ".join(sorted(system.masks)) or "nothing",
        **({"caveat": system.caveat} if system.caveat else {}),
    }


def _describe_needs(usage: str, mini: str) -> str:
    """What must exist before this system can run, and whether it does."""
    from bench.errors import BenchError
    from bench.plugins import open_system, read_declarations

    name = usage.partition(":")[0]
    if name.startswith("oracle"):
        return mini
    if name == "precomputed":
        return "your samples"
    try:
        row = read_declarations("system").find(name)
        if row and usage in (row.name, row.usage) and row.argument:
            return "see its documentation"
        describe_missing = open_system(usage).lacks
    except BenchError:  # its row states the reason
        return "cannot be used"
    return "nothing" if describe_missing is None else describe_missing() or "weights, here"


def _describe_mini_clips() -> str:
    from bench.errors import BenchError, MissingError
    from bench.splits import open_split, require_files

    try:
        split = open_split("mini")
    except (BenchError, OSError) as error:
        return f"mini clips: {error}"
    try:
        require_files(split, split.clips)
    except MissingError:
        return f"mini clips, not all here: {split.preparation}"
    return "mini clips, here"


def _list_splits() -> None:
    from bench.splits import find_splits

    table = find_splits()
    rows = ((row.usage, _summarize_split(row), _describe_readiness(row)) for row in table)
    _print(("split", "what it is", "on this machine"), rows)
    _print_notes(table)


def _summarize_split(row: Row) -> str:
    from bench.errors import BenchError

    try:
        return str(row.load().summary)
    except (BenchError, AttributeError) as error:  # of another package
        return str(error)


def _describe_readiness(row: Row) -> str:
    """Whether a split can be run, and what fixes it if not."""
    from bench.errors import BenchError
    from bench.splits import open_split, require_files

    if row.argument:
        return "yours to name"
    try:
        split = open_split(row.name)
        require_files(split, split.clips)
    except (BenchError, OSError) as error:  # the other rows are still worth printing
        return str(error)
    if not split.refused:
        return f"ready, {len(split.clips)} clips"
    total = len(split.clips) + len(split.refused)
    why = f"`bench data verify {row.name}` says why"
    return f"ready, {len(split.clips)} of {total} clips; {why}"


def _list_metrics() -> None:
    from bench.cli.console import console
    from bench.judges import open_judge
    from bench.pipeline.roles import Scoring
    from bench.suite import DEFAULT_PROFILE, PROFILES, find_metrics, select

    judge = open_judge("paper", DEFAULT_PROFILE)
    rows = (
        (
            metric.name,
            metric.summary,
            f"{metric.better} is better",
            metric.unit,
            "extra" if metric.is_extra else "paper",
            _locate_weights(Scoring((metric,), judge, None).weights()),
        )
        for metric in select(DEFAULT_PROFILE)
    )
    _print(("metric", "what it is", "direction", "unit", "column", "weights"), rows)
    _print_notes(find_metrics(DEFAULT_PROFILE))
    console().print("Profiles: " + ", ".join(PROFILES))


def _locate_weights(names: Iterable[str]) -> str:
    """Whether these files are here, or the command that fetches those that are not."""
    from bench.checkpoints.registry import OFFICIAL_FILES, weights_directory
    from bench.checkpoints.verify import describe_presence, fetch_command

    rows, directory = [OFFICIAL_FILES[name] for name in names], weights_directory()
    if missing := [row for row in rows if not (directory / row.file).is_file()]:
        return f"not here: {fetch_command(missing, directory)}"
    return "; ".join(f"{row.name} {describe_presence(row, directory)}" for row in rows) or "none"


def doctor() -> None:
    """Check versions, devices, memory, disk and data; exit 1 if the main job cannot run."""
    from rich.text import Text

    from bench.cli.console import console
    from bench.pipeline.machine import examine_machine

    checks = list(examine_machine())
    out = console()
    for check in checks:
        bad = Text("no", style="red") if check.is_fatal else Text("--", style="yellow")
        mark = Text("ok", style="green") if check.is_good else bad
        line = Text.assemble(mark, f"  {check.name:<12} {check.found}")
        out.print(line, soft_wrap=True)  # so that commands and paths can be copied unbroken
        if check.advice and not check.is_good:
            out.print(f"      {check.advice}", soft_wrap=True)
    broken = [check.name for check in checks if check.is_fatal and not check.is_good]
    reason = f"cannot run: {', '.join(dict.fromkeys(broken))}" if broken else "can run"
    out.print(f"The main job {reason}.", style="bold")
    raise typer.Exit(1 if broken else 0)
