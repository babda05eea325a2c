"""``bench compare``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.table import Table

from bench.cli.compare_files import as_json, as_junit, as_markdown
from bench.cli.compare_rows import HEADINGS, explanations, rows, summary, title
from bench.cli.console import new_table, print_titled, split_names
from bench.errors import BenchError
from bench.io import atomic_path, require_target, write_json
from bench.pipeline.gate import Gate, gate_runs
from bench.pipeline.rules import Rules, check_column, load_rules
from bench.terminal import print_text

FORMATS = ("terminal", "markdown")

#: How a row is drawn, by the first word of its verdict.
STYLES = {"regression": "red", "inconclusive": "yellow", "not": "green", "information": "dim"}


@dataclass(frozen=True)
class Targets:
    """Where the outcome goes, and in which format it is printed.

    Raises:
        BenchError: there is no such format, or a file cannot be written there.
    """

    style: str
    out: Path | None = None
    junit: Path | None = None
    json: Path | None = None

    def __post_init__(self) -> None:
        if self.style not in FORMATS:
            raise BenchError(f"no format {self.style!r}; there are: {', '.join(FORMATS)}")
        if self.out and self.style != "markdown":
            raise BenchError("--out writes Markdown; add --format markdown")
        for path in (self.out, self.junit, self.json):
            if path:
                require_target(path)


def gate_rules(path: Path | None, primary: str | None) -> Rules:
    """Return the rules of a file, or the default ones, with the primary columns that are named.

    Raises:
        BenchError: the file or a name is refused.
    """
    rules = load_rules(path) if path else Rules()
    names = split_names(primary)
    if names is None:
        return rules
    columns = tuple(dict.fromkeys(check_column(name, "--primary") for name in names))
    if not columns:
        raise BenchError("--primary names no column")
    return replace(rules, primary=columns)


def compare_command(
    base: Path,
    new: Path,
    rules: Rules,
    targets: Targets,
    *,
    require_equivalence: bool,
    max_differ: float,
) -> None:
    """Print what the gate found, write the files; exit 1 where the new run does not pass."""
    gate = gate_runs(
        base, new, rules, require_equivalence=require_equivalence, max_differ=max_differ
    )
    if targets.junit:
        _write_text(targets.junit, as_junit(gate))
    if targets.json:
        write_json(targets.json, as_json(gate))
    if targets.out:
        _write_text(targets.out, as_markdown(gate))
    elif targets.style == "markdown":
        print_text(as_markdown(gate))
    else:
        print_titled(title(gate), _drawn(gate), notes=(summary(gate), *explanations(gate)))
    raise typer.Exit(0 if gate.has_passed else 1)


def _drawn(gate: Gate) -> Table:
    drawn = new_table()
    for heading in HEADINGS:
        drawn.add_column(heading, justify="left" if heading in {"metric", "verdict"} else "right")
    for row in rows(gate):
        drawn.add_row(*row, style=STYLES[row[-1].split()[0]])
    return drawn


def _write_text(destination: Path, text: str) -> None:
    with atomic_path(destination) as temporary:
        temporary.write_text(text, encoding="utf-8")
