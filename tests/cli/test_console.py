"""Names with brackets and colons are printed unchanged."""

from __future__ import annotations

import pytest
from rich.progress import Progress

from bench.cli.console import _Rate, console, notices, print_table
from reports.tables import Cell, Table, TableRow

NAME = "x[bold]y[/z]:cat:"


@pytest.mark.parametrize("made", [console, notices])
def test_consoles_print_text_unchanged(made, capsys):
    made().print(NAME, style="bold")
    assert NAME in "".join(capsys.readouterr())


def test_tables_print_names_unchanged(capsys):
    row = TableRow(NAME, 3, (Cell("1.0"),), is_anchor=False)
    print_table(Table(f"title {NAME}", (f"head {NAME}",), (row,), (f"note {NAME}",)))
    assert capsys.readouterr().out.count(NAME) == 4


def test_a_table_wider_than_the_terminal_loses_no_column(monkeypatch, capsys):
    monkeypatch.setattr("bench.cli.console.PIPE_WIDTH", 40)
    headings = tuple(f"column{number}" for number in range(7)) + ("Onset", "chance")
    row = TableRow("some-system", 3, tuple(Cell(f"{i}.5") for i in range(9)), is_anchor=False)
    print_table(Table("title", headings, (row,), ("note",)))
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 40 for line in lines)
    for name, cell in zip(headings, row.cells, strict=True):
        assert any(name in line for line in lines)
        assert any(cell.text in line for line in lines)
    together = next(line for line in lines if "Onset" in line)
    assert "chance" in together
    assert sum("note" in line for line in lines) == 1


def test_a_dry_run_into_a_folder_with_brackets_prints_its_name(bench, clicks_folder, tmp_path):
    runs = tmp_path / "a[" / "b]"
    split = f"folder:{clicks_folder}"
    done = bench("run", "--model", "silence", "--split", split, "--runs", runs, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "a[/b]" in done.stdout.replace("\n", "")


def test_verifying_a_folder_with_brackets_prints_its_name(bench, clicks_folder, tmp_path):
    folder = tmp_path / "x[bold]"
    folder.symlink_to(clicks_folder)
    done = bench("data", "verify", f"folder:{folder}")
    assert "x[bold]" in done.stderr.replace("\n", "")


@pytest.mark.parametrize(
    ("stage", "unit"), [("score", "4.0 clips/s"), ("raters", "4.0 raters/s"), ("unpack", "")]
)
def test_a_rate_is_of_what_a_stage_counts(stage, unit):
    now_s = 0.0
    bars = Progress(get_time=lambda: now_s)
    number = bars.add_task(stage, total=8)
    now_s = 2.0
    # All at once, as from a chunk of another machine: the rate is that of the whole time.
    bars.update(number, completed=8)
    (task,) = bars.tasks
    assert _Rate().render(task).plain == unit
