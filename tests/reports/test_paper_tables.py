"""The paper's tables, filled with runs: which run is whose row, ranks, differences, reasons."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from bench.results import Column, Fairness, Results, Score, SeenJudge
from bench.suite import select
from reports.formats import write
from reports.paper_tables import build_paper_table
from reports.published import load_table
from reports.reproductions import FoundRun, choose_runs, paper_csv

NAMES = [column.name for column in load_table(1).columns]
COLUMNS = tuple(Column.of(metric) for metric in select("av-benchmark", [*NAMES, "mcd_ref"]))


def make_run(system, value, *, condition="full", split="mini", n=12, **about):
    """Results in which every column of Table 1 has this value."""
    scores = {name: Score(value, value - 0.5, value + 0.5, n) for name in NAMES}
    is_mini = split.startswith("mini")
    judge = "mini" if is_mini else "paper"
    results = Results(
        system, split, condition, 42, judge, "av-benchmark", 3, is_mini, False, n, n, 0,
        COLUMNS, scores,
    )  # fmt: skip
    return replace(results, **about)


def fill(number, world, *runs, **options):
    """Return a table of the paper, as built of these results."""
    found = [FoundRun(each, Path(f"run-{i}")) for i, each in enumerate(runs)]
    return build_paper_table(choose_runs(load_table(number), world, found), **options)


def rows_of(table):
    return {row.label: row for row in table.rows if not row.is_detail}


def test_a_row_shows_the_run_of_its_system_split_and_condition():
    table = fill(
        6,
        "mini",
        make_run("acfoley-mini", 1.0),
        make_run("acfoley-mini", 2.0, condition="no-audio"),
        make_run("acfoley-mini", 3.0, condition="no-sync", split="mini-hits"),
        make_run("acfoley-mini-overlap-only", 4.0),
    )
    rows = rows_of(table)
    assert rows["Ours"].cells[0].text == "1.00"
    assert rows["w/o. audio"].cells[0].text == "2.00"
    assert [rows[f"w/o. {each}"].reason for each in ("sync", "video", "text")] == ["not run"] * 3
    assert [row.label for row in table.rows] == [row.label for row in load_table(6).rows]


@pytest.mark.parametrize(
    "change", [{"judge": "signal"}, {"profile": "strict"}, {"is_mini": False}, {"split": "other"}]
)
def test_a_run_of_another_judge_profile_world_or_split_is_no_row(change):
    table = fill(5, "mini", replace(make_run("acfoley-mini", 1.0), **change))
    assert {row.reason for row in table.rows} == {"not run"}


def test_missing_rows_have_a_reason():
    rows = rows_of(fill(1, "mini", make_run("acfoley-mini", 1.0)))
    assert rows["V-AURA"].reason == "no mini form"
    assert rows["MMAudio + Clap"].reason == "not run"
    assert rows["AC-Foley (ours)"].reason == ""
    assert rows_of(fill(3, "paper"))["Ours vs MMAudio-L-V2"].reason == "needs a study"
    assert rows_of(fill(4, "mini"))["Two-stage"].reason == "no mini form"


def test_a_column_without_a_value_is_printed_as_not_scored():
    some = make_run("acfoley-mini", 1.0)
    without = {**some.metrics, "ib": Score(None, None, None, 0)}
    del without["mcd"]
    cells = rows_of(fill(5, "mini", replace(some, metrics=without)))["Average (ours)"].cells
    texts = dict(zip(NAMES, (cell.text for cell in cells), strict=True))
    assert (texts["ib"], texts["mcd"], texts["desync"]) == ("not scored", "not scored", "1.000")


def test_the_widest_run_counts_then_the_usual_seed():
    part, full = make_run("acfoley-mini", 1.0, n=4), make_run("acfoley-mini", 2.0, n=9)
    other = make_run("acfoley-mini", 3.0, n=9, seed=1)
    row = rows_of(fill(5, "mini", part, other, full))["Average (ours)"]
    assert (row.n, row.cells[0].text) == (9, "2.00")
    table = fill(5, "mini", part, other)
    assert rows_of(table)["Average (ours)"].cells[0].text == "3.00"
    assert "Average (ours): seed 1" in table.footnotes


def test_runs_of_an_older_suite_do_not_share_a_table_with_newer_ones():
    old = make_run("acfoley-mini-attention-pooling", 1.0, suite_version=2)
    rows = rows_of(fill(5, "mini", old, make_run("acfoley-mini", 2.0)))
    assert rows["Attention-Based"].reason == "other version"
    assert rows_of(fill(5, "mini", old))["Attention-Based"].reason == ""


def test_exact_mcd_counts_where_an_approximate_one_is_there_too():
    rough = {"judge": "mini, approximate MCD"}
    runs = (make_run("acfoley-mini", 1.0, **rough), make_run("acfoley-mini", 2.0))
    for some in (runs, runs[::-1]):
        row = rows_of(fill(5, "mini", *some))["Average (ours)"]
        assert row.cells[0].text == "2.00"
    rows = rows_of(fill(5, "mini", runs[1], make_run("acfoley-mini-attention-pooling", 3, **rough)))
    assert rows["Attention-Based"].reason == "other version"
    assert rows_of(fill(5, "mini", runs[0]))["Average (ours)"].reason == ""


def test_best_and_second_are_found_within_the_groups_of_rows():
    table = fill(
        1,
        "paper",
        make_run("acfoley", 2.0, split="vggsound-ib0.3"),
        make_run("acfoley-clap-encoder", 3.0, split="vggsound-ib0.3"),
        make_run("acfoley", 1.0, split="vggsound-ib0.3", condition="no-audio"),
        make_run("frieren", 4.0, split="vggsound-ib0.3"),
        make_run("v-aura", 5.0, split="vggsound-ib0.3"),
        make_run("ground-truth", 0.0, split="vggsound-ib0.3", is_anchor=True),
    )
    ranks = {label: row.cells[0].rank for label, row in rows_of(table).items()}
    assert (ranks["AC-Foley (ours)"], ranks["MMAudio + Clap"]) == ("best", "second")
    assert (ranks["AC-Foley (w/o. audio)"], ranks["Frieren"]) == ("best", "second")
    assert (ranks["V-AURA"], ranks["Ground truth"]) == ("", "")
    # IB is better where it is higher.
    assert rows_of(table)["MMAudio + Clap"].cells[NAMES.index("ib")].rank == "best"


def test_the_papers_line_has_its_digits_and_ranks_and_the_difference_is_ours_minus_its():
    table = fill(
        1, "paper", make_run("acfoley", 60.0, split="vggsound-ib0.3", n=8676), with_paper=True
    )
    at = [row.label for row in table.rows].index("AC-Foley (ours)")
    ours, paper, difference = table.rows[at : at + 3]
    assert (paper.label, difference.label, difference.is_detail) == ("paper", "difference", True)
    assert [ours.cells[0].text, paper.cells[0].text] == ["60.00", "56.00"]
    assert (paper.cells[0].rank, paper.cells[NAMES.index("desync")].rank) == ("best", "second")
    assert difference.cells[0].text == "+4.00"
    assert difference.cells[NAMES.index("desync")].text == "+59.535"
    # Rows without a run have the paper's line alone.
    assert [row.label for row in table.rows].count("difference") == 1
    assert [row.label for row in table.rows].count("paper") == len(load_table(1).rows)


def test_a_difference_that_rounds_to_zero_has_no_sign_of_its_own():
    table = fill(5, "paper", make_run("acfoley", 55.999, split="vggsound-ib0.3"), with_paper=True)
    assert [row for row in table.rows if row.label == "difference"][0].cells[0].text == "+0.00"


def test_ties_of_the_paper_share_a_rank():
    rows = [row for row in fill(1, "paper", with_paper=True).rows if row.label == "paper"]
    kl = [row.cells[NAMES.index("kl_panns")] for row in rows]
    assert [cell.text for cell in kl if cell.rank == "best"] == ["0.95", "1.34", "1.34"]


def test_the_ground_truth_has_the_papers_desync_alone():
    table = fill(1, "paper", with_paper=True)
    assert table.rows[-1].is_anchor
    assert [cell.text for cell in table.rows[-1].cells if cell.text != "–"] == ["0.558"]


def test_figures_of_the_papers_text_are_notes_below_the_table_that_they_are_of():
    notes = "\n".join(fill(1, "paper", with_paper=True).footnotes)
    for words in (
        'the paper\'s text (section 1): "20% lower Fréchet Distance"; its table has FD PaSST',
        "20.9 % lower (AC-Foley (ours) than MMAudio + Clap)",
        "28% lower Kullback–Leibler distance",
        "22% lower Mel Cepstral Distortion",
        'section 4.3): "DeSync mismatch of 0.558s"',
    ):
        assert words in notes
    assert "ours" not in notes.replace("(ours)", "")
    assert "(↓30.1%)" in "\n".join(fill(4, "paper", with_paper=True).footnotes)
    assert "the paper's text" not in "\n".join(fill(1, "paper").footnotes)


def test_the_change_that_the_text_states_is_beside_ours():
    runs = (make_run("acfoley-mini", 3.0), make_run("acfoley-mini-clap-encoder", 2.0))
    notes = "\n".join(fill(1, "mini", *runs, with_paper=True).footnotes)
    assert "lower (AC-Foley (ours) than MMAudio + Clap), ours 50.0 % higher" in notes
    assert ", ours" not in "\n".join(fill(1, "mini", runs[0], with_paper=True).footnotes)


def test_mini_numbers_are_never_subtracted_from_the_papers():
    made = choose_runs(load_table(5), "mini", [FoundRun(make_run("acfoley-mini", 1.0))])
    table = build_paper_table(made, with_paper=True)
    assert "difference" not in {row.label for row in table.rows}
    assert "the paper's numbers are of real clips: no difference is formed" in table.footnotes
    assert {line["difference"] for line in csv.DictReader(paper_csv([made]).splitlines())} == {""}


@pytest.mark.parametrize("style", ["markdown", "latex", "html"])
@pytest.mark.parametrize("runs", [(), (make_run("acfoley-mini", 1.0),)])
def test_a_mini_table_is_titled_mini_in_every_format_with_runs_or_without(style, runs):
    text = write([fill(5, "mini", *runs)], style)
    assert "mini world" in text.split("FD PaSST")[0]
    assert "mini world, not comparable with published numbers" in text
    assert "mini world" not in write([fill(5, "paper")], style)


def test_csv_has_a_line_per_row_and_column_with_full_precision():
    found = [FoundRun(make_run("acfoley", 1 / 3, split="vggsound-ib0.3"))]
    lines = [*csv.DictReader(paper_csv([choose_runs(load_table(5), "paper", found)]).splitlines())]
    assert len(lines) == 20
    first, ours = lines[0], lines[10]
    assert (first["row"], first["missing"], first["value"]) == ("Attention-Based", "not run", "")
    assert float(ours["value"]) == 1 / 3
    assert float(ours["difference"]) == 1 / 3 - 56.0
    assert (ours["world"], ours["system"], ours["condition"]) == ("paper", "acfoley", "full")
    assert (ours["suite_version"], ours["protocol_version"]) == ("3", "1")


def test_table_7_reads_the_distance_from_each_reference_in_its_group():
    values = {"ref_a": 1.0, "ref_b": 2.0, "ref_c": 3.0, "ref_d": 4.0, "ref_e": 5.0}
    groups = {name: {"mcd_ref": Score(value, None, None, 3)} for name, value in values.items()}
    run = make_run("acfoley-mini", 9.0, split="mini-references", groups=groups)
    row = rows_of(fill(7, "mini", run))["With audio"]
    assert [cell.text for cell in row.cells] == ["1.00", "2.00", "3.00", "4.00", "5.00"]


def test_marks_are_kept_only_where_runs_are_apart():
    runs = (
        make_run("acfoley-mini-overlap-only", 1.0),
        make_run("acfoley-mini-non-overlap-only", 2.0),
        make_run("acfoley-mini", 3.0),
    )

    def is_apart(first, second, column, group):
        asked.append((column.name, group))
        return {first.system, second.system} != {runs[1].system, runs[2].system}

    asked = []
    rows = rows_of(fill(4, "mini", *runs, is_apart=is_apart))
    assert rows["Overlap"].cells[0].rank == "best"
    assert rows["Non-overlap"].cells[0].rank == ""
    assert ("fd_passt", "") in asked


def test_rows_with_equal_numbers_share_a_mark_though_they_are_not_apart():
    runs = (
        make_run("acfoley-mini-overlap-only", 1.0),
        make_run("acfoley-mini-non-overlap-only", 1.0),
        make_run("acfoley-mini", 3.0),
    )
    rows = rows_of(
        fill(4, "mini", *runs, is_apart=lambda first, second, *_: first.metrics != second.metrics)
    )
    assert [row.cells[0].rank for row in rows.values()] == ["best", "best", "second", ""]


def test_counts_that_are_not_the_papers_are_in_a_footnote():
    run = make_run("acfoley", 1.0, split="vggsound-ib0.3")
    notes = fill(5, "paper", run).footnotes
    assert "Average (ours): 12 clips, where the paper has 8,676" in notes
    assert "protocol version 1" in notes[0]
    whole = replace(run, expected=8676, scored=8676)
    assert not any("where the paper has" in note for note in fill(5, "paper", whole).footnotes)


def test_facts_about_fairness_are_footnotes_under_the_papers_labels():
    seen = SeenJudge("synchformer", "as an input", ("desync",))
    fairness = Fairness(("video",), ("VGGSound train",), (seen,), 3, True)
    run = make_run("acfoley-mini", 1.0, fairness=fairness)
    other = make_run("acfoley-mini-attention-pooling", 1.0, fairness=Fairness((), (), (), 1, False))
    notes = "\n".join(fill(5, "mini", run, other).footnotes)
    assert "trained on: VGGSound train (Average (ours))" in notes
    assert "picks one: 3 (Average (ours))" in notes
    assert (
        "DeSync (synchformer) is no independent judge of systems that saw it: as an input" in notes
    )
    assert "not for commercial use (Average (ours))" in notes
    # A judge that scores no column of the table is no matter there.
    hits = replace(run, split="mini-hits")
    assert "synchformer" not in "\n".join(fill(2, "mini", hits).footnotes)
    lines = csv.DictReader(
        paper_csv([choose_runs(load_table(5), "mini", [FoundRun(run)])]).splitlines()
    )
    assert {line["candidates"] for line in lines} == {"", "3"}


def test_notes_on_columns_that_the_table_does_not_have_are_left_out():
    notes = ("no interval: FD PaSST (n = 12)", "no interval: MCD (n = 1)", "quiet")
    run = make_run("acfoley-mini", 1.0, split="mini-hits", notes=notes)
    printed = fill(2, "mini", run).footnotes
    assert {"no interval: MCD (n = 1)", "quiet"} <= set(printed)
    assert notes[0] not in printed


def test_latex_has_groups_of_columns_and_rows_and_spans_reasons():
    text = write([fill(1, "paper", with_paper=True)], "latex")
    assert r"\multicolumn{5}{c}{Distribution matching} & \multicolumn{1}{c}{Semantic}" in text
    assert r"\cmidrule(lr){3-7} \cmidrule(lr){8-8} \cmidrule(lr){9-11} \cmidrule(lr){12-12}" in text
    assert r"\multicolumn{12}{l}{\textit{With Audio Conditioning}} \\" in text
    assert r"\multicolumn{10}{c}{not run} \\" in text
    assert r"\textbf{56.00} & \textbf{4.93}" in text
    assert r"FD PaSST $\downarrow$" in text
    assert text.count("{") == text.count("}")


def test_html_escapes_every_text_of_a_table():
    table = fill(5, "mini", make_run("acfoley-mini", 1.0, notes=("<script>alert(1)</script>",)))
    named = replace(table, rows=(replace(table.rows[0], label="<b>&"),), title="<i>")
    text = write([named], "html")
    assert "<script>" not in text
    assert "&lt;b&gt;&amp;" in text
    assert "<i>" not in text
    assert '<th scope="colgroup" colspan="5">Distribution matching</th>' in text


def test_equal_headings_are_distinguished_where_no_heading_is_above_them():
    text = write([fill(3, "paper", with_paper=True)], "markdown")
    assert "Temporal alignment: Win rate" in text
    assert "61.1 ±4.3" in text
    assert "61.6 %" in text
