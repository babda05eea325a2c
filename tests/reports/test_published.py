"""The published values against the paper's text, and what their rows declare."""

from __future__ import annotations

import re

import pytest

from bench.errors import BenchError
from bench.plugins import read_declarations
from bench.splits import SPLITS
from bench.suite import DEFAULT_PROFILE, select
from bench.types import COMPONENTS
from reports.published import (
    NUMBERS,
    WORLDS,
    load_contradictions,
    load_table,
    load_tables,
    load_text_figures,
)

NUMBER = r"-?\d+(?:\.\d+)?"

#: A row of a table as text extracted from the paper has it: a label, then two or more numbers,
#: each with an interval or without.
CELL = rf"{NUMBER}(?:\(±{NUMBER}\))?"
ROW = re.compile(rf"(?P<label>\S.*?)(?P<numbers>(?: {CELL}){{2,}})")


@pytest.fixture(scope="module")
def paper(shared):
    files = sorted((shared / "paper").glob("*.txt"))
    if not files:
        pytest.skip("needs the text of the paper")
    return "\n".join(file.read_text("utf-8") for file in files)


def read_rows(paper, number):
    """The rows below the caption of a table: label and numbers as they are printed."""
    lines = [line.strip() for line in paper.splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith(f"Table {number}:"))
    rows = []
    for line in lines[start + 1 :]:
        if found := ROW.fullmatch(line):
            rows.append((found["label"], found["numbers"].split()))
        elif rows and line and not line.startswith(("With", "Without")):
            break
    return rows


def one_line(text):
    return " ".join(text.split())


@pytest.mark.parametrize("number", [*map(int, NUMBERS)])
def test_rows_labels_order_and_digits_are_those_of_the_paper(paper, number):
    table = load_table(number)
    ours = []
    for row in table.rows:
        if row.is_bound:  # a value of the text, which is tested below
            continue
        printed = []
        for column in table.columns:
            text = f"{row.values[column.name]:.{column.decimals}f}"
            half = row.half_widths.get(column.name)
            printed.append(text if half is None else f"{text}(±{half:.{column.decimals}f})")
        ours.append((row.label, printed))
    assert ours == read_rows(paper, number)


def test_the_headings_and_directions_are_those_of_the_paper(paper):
    for number in (1, 4, 5, 6):
        table = load_table(number)
        labels = (
            (column.label if "Onset" in column.label else column.label.replace(" ", ""))
            + {"higher": "↑", "lower": "↓"}[column.better]
            for column in table.columns
        )
        below = paper[paper.index(f"Table {number}:") :].splitlines()
        assert " ".join(labels) in below[:8]
        headings = dict.fromkeys(column.heading for column in table.columns)
        assert " ".join(["Method", *headings]) in below[:8]


def test_rows_are_in_the_groups_of_the_paper(paper):
    rows = [row for row in load_table(1).rows if not row.is_bound]
    groups = {row.group for row in rows}
    printed, group = {}, ""
    for line in map(str.strip, paper[paper.index("Table 1:") :].splitlines()):
        if line in groups:
            group = line
        elif found := ROW.fullmatch(line):
            printed.setdefault(found["label"], group)
    assert {row.label: row.group for row in rows}.items() <= printed.items()
    assert len(groups) == 2


def test_figures_of_the_text_are_in_it_with_their_values(paper):
    for figure in load_text_figures():
        assert figure.quote in one_line(paper)
        assert figure.value in [
            float(each) for each in re.findall(NUMBER, figure.quote.replace(",", ""))
        ]


def test_relative_changes_of_the_text_follow_from_the_tables():
    stated = [figure for figure in load_text_figures() if figure.of]
    assert [figure.value for figure in stated] == [20, 28, 22, 30.1]
    for figure in stated:
        rows = {row.label: row.values for row in load_table(figure.of["table"]).rows}
        base, new = (rows[figure.of[side]][figure.of["column"]] for side in ("base", "new"))
        # The text has 20.9 % as 20 %.
        assert 0 <= 100 * (base - new) / base - figure.value + 0.05 < 1


def test_the_ground_truth_of_table_1_has_the_value_of_the_text():
    (bound,) = [row for row in load_table(1).rows if row.is_bound]
    (figure,) = [each for each in load_text_figures() if "DeSync mismatch" in each.quote]
    assert bound.values == {"desync": figure.value}


def test_both_sides_of_a_contradiction_are_in_the_paper(paper):
    notes = [each.note for each in load_contradictions()]
    assert any("61.1" in note and "61.6" in note for note in notes)
    assert any("32" in note and "16" in note for note in notes)
    for each in load_contradictions():
        for quote in each.quotes:
            assert quote in one_line(paper)


def test_columns_are_columns_of_the_suite_with_their_direction_decimals_and_unit():
    for table in load_tables():
        for column in table.columns:
            if column.is_study:
                continue
            (metric,) = select(DEFAULT_PROFILE, [column.metric])
            ours = (column.better, column.decimals, column.unit)
            assert ours == (metric.better, metric.decimals, metric.unit)


def test_every_row_declares_a_run_of_a_known_split_or_a_reason_in_both_worlds():
    for table in load_tables():
        for row in table.rows:
            for world in WORLDS:
                declared = row.runs[world]
                assert declared.split in SPLITS
                assert (declared.system == "") <= (declared.missing != "")
                assert declared.mask == "" or declared.mask in COMPONENTS
                assert declared.judge in (world, "study")


def test_the_rows_of_the_mini_world_name_systems_that_come_with_the_package():
    known = {row.name for row in read_declarations("system")}
    named = {row.runs["mini"].system for table in load_tables() for row in table.rows} - {""}
    assert named <= known
    assert {row.runs["mini"].missing for row in load_table(4).rows} == {"", "no mini form"}


def test_a_declared_run_names_its_condition_and_the_command_that_makes_it():
    declared = load_table(6).rows[0].runs["mini"]
    assert declared.condition == "no-audio"
    assert declared.command == "bench run --model acfoley-mini --split mini --mask audio"
    assert load_table(6).rows[-1].runs["paper"].condition == "full"


def test_a_table_that_the_paper_does_not_have_is_refused():
    with pytest.raises(BenchError, match="no Table 8"):
        load_table(8)
