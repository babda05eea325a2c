"""Names with brackets and colons are printed as they stand."""

from __future__ import annotations

import pytest

from bench.cli.console import console, notices, print_table
from reports.tables import Cell, Table, TableRow

NAME = "x[bold]y[/z]:cat:"


@pytest.mark.parametrize("made", [console, notices])
def test_consoles_print_text_as_it_stands(made, capsys):
    made().print(NAME, style="bold")
    assert NAME in "".join(capsys.readouterr())


def test_tables_print_names_as_they_stand(capsys):
    row = TableRow(NAME, 3, (Cell("1.0"),), is_anchor=False)
    print_table(Table(f"title {NAME}", (f"head {NAME}",), (row,), (f"note {NAME}",)))
    assert capsys.readouterr().out.count(NAME) == 4


def test_a_dry_run_into_a_folder_with_brackets_says_its_name(bench, clicks_folder, tmp_path):
    runs = tmp_path / "a[" / "b]"
    split = f"folder:{clicks_folder}"
    done = bench("run", "--model", "silence", "--split", split, "--runs", runs, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "a[/b]" in done.stdout.replace("\n", "")


def test_verifying_a_folder_with_brackets_says_its_name(bench, clicks_folder, tmp_path):
    folder = tmp_path / "x[bold]"
    folder.symlink_to(clicks_folder)
    done = bench("data", "verify", f"folder:{folder}")
    assert "x[bold]" in done.stderr.replace("\n", "")
