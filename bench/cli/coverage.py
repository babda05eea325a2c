"""What ``bench data verify`` prints about VGGSound: how many clips of which list are here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.splits.coverage import ClipList
    from bench.splits.verify import Findings


def find_lists(split: str, files: Sequence[Path]) -> list[ClipList]:
    """Return the lists to count, before clips are decoded; tell which lists are left out."""
    from bench.cli.console import notify
    from bench.splits.coverage import find_lists

    name, _, argument = split.partition(":")
    own = [Path(argument)] if name == "vggsound-list" else []
    lists, notes = find_lists([*own, *files])
    for note in notes:
        notify(note)
    return lists


def print_coverage(
    lists: Sequence[ClipList], findings: Findings, split: str, out: Path | None
) -> None:
    """Print what is wrong clip by clip, those that are not in the copy as a number, and a table."""
    from bench.cli.console import console, notify
    from bench.errors import format_names
    from bench.io import atomic_path
    from bench.splits.coverage import ABSENT, format_states, list_states

    absent = {line for line in findings.problems if line.endswith(f": {ABSENT}")}
    for line in (*(each for each in findings.problems if each not in absent), *findings.remarks):
        console().print(line)
    if absent:
        named = format_names(line.partition(":")[0] for line in sorted(absent))
        every = "" if out else "; --out FILE has all"
        console().print(f"{len(absent):,} clips of {split} are not in your copy: {named}{every}")
    states = list_states(findings)
    _print_table(lists, {clip: state.reason for clip, state in states.items()})
    if out is not None:
        with atomic_path(out) as temporary:
            temporary.write_text(format_states(lists, states), encoding="utf-8")
    notify(f"Clips that are not in {split} count by what their headers state.")


def _print_table(lists: Sequence[ClipList], reasons: dict[str, str]) -> None:
    from bench.cli.console import new_table, print_titled
    from bench.splits.coverage import HERE, REASONS, count_reasons

    counts = [count_reasons(each, reasons) for each in lists]
    needed = [reason for reason in REASONS if any(count[reason] for count in counts)]
    drawn = new_table()
    drawn.add_column("list", overflow="fold")
    for heading in ("clips", "here", *needed):
        drawn.add_column(heading, justify="right")
    for each, count in zip(lists, counts, strict=True):
        numbers = (count.total(), count[HERE], *(count[reason] for reason in needed))
        drawn.add_row(each.name, *(f"{number:,}" for number in numbers))
    print_titled("Clips of VGGSound that are here, and why others are not", drawn)
