"""Tables by the groups of an axis."""

from __future__ import annotations

import csv
from dataclasses import replace

from bench.grouping import OF_SETS, Group, GroupedRun, GroupedRuns
from bench.results import Column, Results, Score
from reports.axes import axis_tables
from reports.formats import render_groups

FD = Column("fd_vgg", "FD VGG", "lower", 2)
MCD = Column("mcd", "MCD", "lower", 2, "dB")
ONSET = Column("onset_acc", "Onset Acc.", "higher", 3, has_chance=True)
ALONE = "1 clip: an interval needs at least 2"


def run(system: str, tapping: float, sawing: float, *, is_anchor: bool = False) -> GroupedRun:
    """A run on eight clips of which one is ``sa|wing``."""

    def scores(value: float, n: int) -> dict[str, Score]:
        if n == 1:
            each = Score(value, None, None, 1, reason=ALONE)
        else:
            each = Score(value, value - 1, value + 1, n)
        of_set = Score(None, None, None, 0, reason=OF_SETS)
        return {"fd_vgg": of_set, "mcd": each, "onset_acc": each}

    whole = {**scores((7 * tapping + sawing) / 8, 8), "fd_vgg": Score(7.0, None, None, 8)}
    about = (system, "mini", "full", 42, "mini", "av-benchmark", 1, True, is_anchor)
    results = Results(*about, 8, 8, 0, (FD, MCD, ONSET), whole)
    groups = {"sa|wing": Group(1, scores(sawing, 1)), "tapping": Group(7, scores(tapping, 7))}
    return GroupedRun(results, groups)


ONE = GroupedRuns("action", (run("noise", 3.0, 6.0),), ())
BOUND = run("silence", 0.0, 0.0, is_anchor=True)
THREE = GroupedRuns("action", (BOUND, run("noise", 3.0, 6.0), run("tone", 4.0, 5.0)), ())


def test_a_run_has_a_row_per_group_with_its_own_number_of_clips():
    [table] = axis_tables(ONE)
    assert table.title == "mini by action"
    assert table.label_heading == "action"
    assert table.headings == ("FD VGG ↓", "MCD [dB] ↓", "Onset Acc. ↑")
    assert [(row.label, row.n, [cell.text for cell in row.cells]) for row in table.rows] == [
        ("all clips", 8, ["7.00", "3.38", "3.375"]),
        ("sa|wing", 1, ["–", "6.00", "6.000"]),
        ("tapping", 7, ["–", "3.00", "3.000"]),
    ]


def test_each_reason_is_stated_once():
    [table] = axis_tables(THREE)
    assert table.footnotes[-2:] == (
        f"FD VGG: {OF_SETS}",
        f"MCD, Onset Acc. of sa|wing: {ALONE}",
    )
    assert not any(note.startswith("chance") for note in table.footnotes)


def test_several_runs_are_ranked_in_each_group_and_anchors_are_not():
    [table] = axis_tables(THREE)
    assert table.label_heading == "action: system"
    mcd = {row.label: row.cells[1].rank for row in table.rows}
    assert list(mcd)[3:6] == ["sa|wing: noise", "sa|wing: tone", "sa|wing: silence"]
    assert (mcd["sa|wing: noise"], mcd["sa|wing: tone"]) == ("second", "best")
    assert (mcd["tapping: noise"], mcd["tapping: tone"]) == ("best", "second")
    assert {mcd[name] for name in mcd if "silence" in name} == {""}


def test_runs_that_cannot_share_a_table_have_one_each():
    other = run("noise", 3.0, 6.0)
    other = replace(other, results=replace(other.results, split="mini-hits"))
    tables = axis_tables(replace(ONE, runs=(*ONE.runs, other)))
    assert [table.title for table in tables] == ["mini by action", "mini-hits by action"]


def test_markdown_and_latex_name_the_axis_above_the_groups():
    markdown, latex = render_groups(ONE, "markdown"), render_groups(ONE, "latex")
    assert "| Action | n | FD VGG ↓ | MCD \\[dB\\] ↓ | Onset Acc. ↑ |" in markdown
    assert r"| sa\|wing | 1 | – | 6.00 | 6.000 |" in markdown
    assert "| tapping | 7 | – | 3.00 ±1.00 | 3.000 ±1.000 |" in markdown
    assert r"Action & $n$ & FD VGG $\downarrow$ &" in latex
    assert r"\caption{mini by action." in latex


def test_the_name_of_an_axis_is_printed_literally():
    named = replace(ONE, axis="event_BPM")
    assert "| Event\\_BPM | n |" in render_groups(named, "markdown")
    assert r"Event\_BPM & $n$ &" in render_groups(named, "latex")


def test_csv_has_a_line_per_group_and_metric_beside_those_of_the_run():
    rows = list(csv.DictReader(render_groups(ONE, "csv").splitlines()))
    mcd = {row["group"]: (row["value"], row["n"]) for row in rows if row["metric"] == "mcd"}
    assert mcd == {"": ("3.375", "8"), "sa|wing": ("6.0", "1"), "tapping": ("3.0", "7")}
    assert {r["reason"] for r in rows if r["metric"] == "fd_vgg" and r["group"]} == {OF_SETS}
