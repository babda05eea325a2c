"""Tables by group: systems by the references they were given."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from bench.errors import BenchError
from bench.results import Column, Results, Score
from reports.formats import render
from reports.groups import group_tables

MCD = Column("mcd", "MCD", "lower", 2, "dB")
MCD_REF = Column("mcd_ref", "MCD ref.", "lower", 2, "dB", is_extra=True)
LSD = Column("lsd", "LSD", "lower", 2, "dB", is_extra=True)
FD = Column("fd_vgg", "FD VGG", "lower", 2)
COLUMNS = (FD, MCD, MCD_REF, LSD)


def scores(mcd: float) -> dict[str, Score]:
    values = {"mcd": mcd, "mcd_ref": mcd + 1, "lsd": mcd + 2}
    return {name: Score(value, value - 1, value + 1, 4) for name, value in values.items()}


def result(system: str, glass: float, wood: float) -> Results:
    whole = {**scores((glass + wood) / 2), "fd_vgg": Score(7.0, None, None, 8)}
    groups = {"glass": scores(glass), "wo|od": scores(wood)}
    about = (system, "mini-references", "full", 42, "signal", "av-benchmark", 1, True, False)
    return Results(*about, 8, 8, 0, COLUMNS, whole, groups)


TWO = [result("a", 3.0, 6.0), result("b", 4.0, 5.0)]


def test_each_metric_has_a_table_with_a_row_per_system_and_a_column_per_group():
    mcd, mcd_ref = group_tables(TWO, extras=False)
    assert mcd.title == "mini-references: MCD [dB] ↓ by group"
    assert mcd_ref.title == "mini-references: MCD ref. [dB] ↓ by group"
    assert mcd.headings == ("glass", "wo|od")
    assert [[cell.text for cell in row.cells] for row in mcd.rows] == [
        ["3.00", "6.00"],
        ["4.00", "5.00"],
    ]


def test_each_group_has_its_own_best():
    (mcd, _) = group_tables(TWO, extras=False)
    assert [[cell.rank for cell in row.cells] for row in mcd.rows] == [
        ["best", "second"],
        ["second", "best"],
    ]


def test_extras_bring_their_tables_and_metrics_of_whole_sets_bring_none():
    titles = " ".join(table.title for table in group_tables(TWO))
    assert "LSD" in titles
    assert "FD" not in titles


def test_runs_without_groups_have_no_such_tables():
    plain = Results(*("a", "mini", "full", 42, "signal", "strict", 1, True, False), 8, 8, 0,
                    COLUMNS, {**scores(1.0), "fd_vgg": Score(7.0, None, None, 8)})  # fmt: skip
    assert group_tables([plain]) == []
    with pytest.raises(BenchError, match="cannot share a table"):
        group_tables([plain, TWO[0]])


def test_markdown_and_latex_print_tables_of_groups_below_the_main_table():
    markdown, latex = render(TWO, "markdown"), render(TWO, "latex")
    assert markdown.startswith("**mini-references**")
    assert r"**mini-references: MCD ref. \[dB\] ↓ by group**" in markdown
    assert r"| System | n | glass | wo\|od |" in markdown
    assert "| a | 8 | **3.00** ±1.00 | <u>6.00</u> ±1.00 |" in markdown
    assert r"\caption{mini-references: MCD [dB] $\downarrow$ by group.}" in latex
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}") == 4


def test_csv_has_a_line_per_group_and_metric_beside_those_of_the_whole_run():
    rows = list(csv.DictReader(render(TWO[:1], "csv").splitlines()))
    found = {row["group"]: row["value"] for row in rows if row["metric"] == "mcd"}
    assert found == {"": "4.5", "glass": "3.0", "wo|od": "6.0"}


def test_the_terminal_prints_tables_of_groups_too(capsys):
    from bench.cli.console import print_result

    print_result(TWO[0])
    out = capsys.readouterr().out
    assert "MCD ref. [dB] ↓ by group" in out
    assert "8 clips expected, 8 scored, 0 failed" in out
    assert "wo|od" in out


def test_groups_state_why_they_have_no_interval():
    few = {name: Score(3.0, None, None, 1, reason="1 clip") for name in ("mcd", "mcd_ref")}
    run = replace(TWO[0], groups={**TWO[0].groups, "stone": few})
    (mcd, *_) = group_tables([run])
    assert mcd.footnotes == ("stone: 1 clip",)
