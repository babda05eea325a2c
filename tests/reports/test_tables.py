"""Tables from fixed results, and results that may not share a table."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from bench.errors import BenchError
from bench.results import Column, Results, Score
from reports.formats import render, tables
from reports.latex import latex_escape
from reports.tables import build_table, with_bounds

COLUMNS = (
    Column("onset_acc", "Onset Acc.", "higher", 4, has_chance=True),
    Column("mcd", "MCD", "lower", 2, "dB"),
    Column("lsd", "LSD", "lower", 2, "dB", is_extra=True),
)


def result(system: str, onset: float, mcd: float | None, *, is_anchor: bool = False) -> Results:
    scores = {
        "onset_acc": Score(onset, onset - 0.01, onset + 0.01, 9, chance=0.25),
        "mcd": Score(mcd, mcd - 1, mcd + 1, 9) if mcd else Score(None, None, None, 0),
        "lsd": Score(3.0, 2.5, 3.5, 9),
    }
    return Results(
        system,
        "mini",
        "full",
        42,
        "signal",
        "av-benchmark",
        1,
        True,
        is_anchor,
        9,
        9,
        0,
        COLUMNS,
        scores,
    )


THREE = [
    result("a_b", 0.5, 12.0),
    result("c", 0.4, 11.0),
    result("truth", 1.0, 0.5, is_anchor=True),
]


def test_the_best_is_bold_the_second_underlined_and_anchors_are_not_ranked():
    table = build_table(THREE)
    ranks = [[cell.rank for cell in row.cells] for row in table.rows]
    assert ranks[0] == ["best", "", "second", "best"]
    assert ranks[1] == ["second", "", "best", "best"]
    assert ranks[2] == ["", "", "", ""]


def test_a_single_system_is_not_marked_as_best():
    cells = build_table([THREE[0], THREE[2]]).rows[0].cells
    assert {cell.rank for cell in cells} == {""}


def test_columns_without_any_value_and_unwanted_extras_are_left_out():
    unscored = [result("a", 0.5, None)]
    assert "MCD [dB] ↓" not in build_table(unscored).headings
    assert "LSD [dB] ↓" in build_table(THREE).headings
    assert "LSD [dB] ↓" not in build_table(THREE, extras=False).headings


def test_chance_is_printed_beside_its_column():
    table = build_table(THREE)
    position = table.headings.index("chance")
    assert table.headings[position - 1] == "Onset Acc. ↑"
    assert table.rows[0].cells[position].text == "0.2500"


def test_markdown_equals_the_expected_text_byte_for_byte():
    assert render(THREE[:2], "markdown", extras=False) == (
        "**mini**\n"
        "\n"
        "| System | n | Onset Acc. ↑ | chance | MCD \\[dB\\] ↓ |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| a\\_b | 9 | **0.5000** ±0.0100 | 0.2500 | <u>12.00</u> ±1.00 |\n"
        "| c | 9 | <u>0.4000</u> ±0.0100 | 0.2500 | **11.00** ±1.00 |\n"
        "\n"
        "_mini world, not comparable with published numbers; judge signal, profile av-benchmark, "
        "suite version 1; ± is half of the 95 % interval; clips that share a target count as "
        "one_  \n"
        "_chance: the same samples against the truth of other clips_  \n"
    )


def test_latex_escapes_names_and_puts_anchors_below_a_rule():
    text = render(THREE, "latex")
    assert r"a\_b & 9 & \textbf{0.5000} {\scriptsize $\pm$0.0100} & 0.2500" in text
    assert text.index(r"\underline{0.4000}") < text.index("truth &")
    assert text.count(r"\midrule") == 2
    assert r"Onset Acc. $\uparrow$" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1
    assert r"\caption{mini. mini world, not comparable with published numbers; judge" in text


@pytest.mark.parametrize("text", ["100%", "a&b", "x_y", "#1 {$}", "~^\\"])
def test_latex_specials_never_reach_the_page_raw(text):
    escaped = latex_escape(text)
    for special in "%&_#$":
        assert escaped.count(special) == escaped.count(f"\\{special}")


@pytest.mark.parametrize("name", ["[3cm]", "*"])
def test_a_name_is_no_argument_of_the_end_of_the_line_before(name):
    named = [result(name, 0.5, 12.0), result("c", 0.4, 11.0), result(name, 0.6, 9.0)]
    lines = render([*named[:2], replace(named[2], seed=1)], "latex").splitlines()
    assert sum(line.startswith("{}" + name) for line in lines) == 2
    assert not any(line.startswith(("[", "*")) for line in lines)


def test_a_name_cannot_break_out_of_a_markdown_cell():
    # A backslash of its own would make a pipe out of an escaped one.
    assert r"| a\\\|x |" in render([result(r"a\|x", 0.5, 1.0)], "markdown")
    text = render([result("<b>|x", 0.5, 1.0)], "markdown")
    assert r"&lt;b&gt;\|x" in text


def test_csv_keeps_full_precision():
    rows = list(csv.DictReader(render([result("a", 1 / 3, 2.0)], "csv").splitlines()))
    assert [row["metric"] for row in rows] == ["onset_acc", "mcd", "lsd"]
    assert float(rows[0]["value"]) == 1 / 3
    assert rows[0]["chance"] == "0.25"


def test_csv_names_the_versions_of_suite_and_protocol():
    (line, *_) = csv.DictReader(render([replace(THREE[0], protocol_version=7)], "csv").splitlines())
    assert (line["suite_version"], line["protocol_version"]) == ("1", "7")


def test_csv_holds_runs_of_different_judges_and_names_them():
    some = [THREE[0], replace(THREE[1], judge="paper", split="real", is_mini=False)]
    rows = list(csv.DictReader(render(some, "csv").splitlines()))
    assert {(row["judge"], row["split"], row["is_mini"]) for row in rows} == {
        ("signal", "mini", "True"),
        ("paper", "real", "False"),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"judge": "paper"},
        {"profile": "strict"},
        {"suite_version": 2},
        {"is_mini": False},
        {"split": "mini-hits"},
    ],
)
def test_numbers_that_are_not_comparable_never_share_a_table(change):
    with pytest.raises(BenchError, match="cannot share a table"):
        build_table([THREE[0], replace(THREE[1], **change)])


def test_each_comparable_set_has_a_table_of_its_own_in_the_order_of_the_runs():
    changes = [{}, {"split": "other", "is_mini": False}, {"profile": "strict"}, {}]
    some = [replace(THREE[0], system=str(i), **change) for i, change in enumerate(changes)]
    made = tables(some)
    assert [[row.label for row in table.rows] for table in made] == [["0", "3"], ["1"], ["2"]]
    assert [table.title for table in made] == ["mini", "other", "mini"]


@pytest.mark.parametrize(("style", "title"), [("markdown", "**{}**"), ("latex", "caption{{{}.")])
def test_a_folder_of_mini_and_real_runs_is_laid_out_as_two_titled_tables(style, title):
    text = render([THREE[0], replace(THREE[1], split="real", is_mini=False)], style)
    assert text.index(title.format("mini")) < text.index(title.format("real"))


def test_runs_over_other_clips_are_not_ranked_against_each_other():
    others = [replace(each, clips="others") for each in (result("x", 0.9, 1.0), THREE[0])]
    table = build_table([*THREE[:2], *others])
    assert {row.cells[0].rank for row in table.rows} == {""}
    note = "best and second best are found among runs that scored the same clips, the most of all"
    assert note in table.footnotes
    assert {row.cells[0].rank for row in build_table([THREE[0], others[0]]).rows} == {""}


def test_a_column_has_one_best_also_where_several_runs_are_over_a_part_of_the_clips():
    part = [
        replace(
            each,
            clips="part",
            metrics={name: replace(score, n=4) for name, score in each.metrics.items()},
        )
        for each in (result("x", 1.0, 0.1), result("y", 0.9, 0.2))
    ]
    ranks = [row.cells[0].rank for row in build_table([*part, *THREE[:2]]).rows]
    assert ranks == ["", "", "best", "second"]
    assert {row.cells[0].rank for row in build_table([*part, THREE[0]]).rows} == {""}


def test_a_system_that_made_few_clips_does_not_win_by_them():
    one_good = replace(result("one_good", 1.0, 0.1), scored=1, failed=8, clips="one")
    table = build_table([one_good, *THREE[:2]])
    assert [row.cells[0].rank for row in table.rows] == ["", "best", "second"]
    assert any("fewer than 1 of their clips" in n and "one_good" in n for n in table.footnotes)


def test_runs_over_the_same_clips_are_ranked_from_the_coverage_that_is_asked_for():
    runs = [replace(each, expected=10, failed=1, clips="same") for each in THREE[:2]]
    assert {row.cells[0].rank for row in build_table(runs).rows} == {""}
    table = build_table(runs, min_coverage=0.9)
    assert [row.cells[0].rank for row in table.rows] == ["best", "second"]
    assert [row.label for row in table.rows] == ["a_b*", "c*"]
    assert not any("not ranked" in note for note in table.footnotes)


def test_a_column_that_misses_clips_of_one_run_has_no_winner():
    metrics = {**THREE[1].metrics, "mcd": Score(0.1, 0.0, 0.2, 8)}
    table = build_table([THREE[0], replace(THREE[1], metrics=metrics)])
    assert [row.cells[2].rank for row in table.rows] == ["", ""]
    assert [row.cells[0].rank for row in table.rows] == ["best", "second"]


@pytest.mark.parametrize(
    ("style", "mark"), [("markdown", "c†"), ("latex", r"c$\dagger$"), ("csv", "c")]
)
def test_kept_samples_mark_their_run_in_every_format(style, mark):
    assert mark in render([THREE[0], replace(THREE[1], kept=4)], style)


def test_bounds_are_printed_below_the_systems_unless_they_are_runs_of_the_table():
    bounds = [result(name, 1.0, 0.0, is_anchor=True) for name in ("ground-truth", "truth")]
    part = replace(bounds[0], expected=3, scored=3, clips="part")
    rows = with_bounds(THREE, [part, *bounds, bounds[0]])
    assert [each.system for each in rows] == ["a_b", "c", "truth", "ground-truth"]
    assert rows[-1].expected == 9


def test_bounds_of_another_version_of_the_suite_make_no_table_of_their_own():
    old = replace(result("ground-truth", 1.0, 0.0, is_anchor=True), suite_version=0)
    assert with_bounds(THREE, [old]) == THREE


def test_seeds_are_in_the_labels_if_one_system_has_several():
    again = replace(THREE[0], seed=43, scored=8, failed=1, notes=("quiet",))
    table = build_table([THREE[0], again, THREE[1]])
    assert [row.label for row in table.rows] == ["a_b, seed 42", "a_b, seed 43*", "c"]
    assert "* a_b, seed 43: 8 of 9 clips scored, 1 failed" in table.footnotes
    assert "a_b, seed 43: quiet" in table.footnotes


def test_conditions_of_one_system_are_distinguished_without_their_seed():
    table = build_table([THREE[0], replace(THREE[0], condition="blind")])
    assert [row.label for row in table.rows] == ["a_b", "a_b (blind)"]


def test_a_run_with_missing_clips_is_marked_and_explained():
    table = build_table([replace(THREE[0], expected=12, failed=3)])
    assert table.rows[0].label == "a_b*"
    assert "* a_b: 9 of 12 clips scored, 3 failed" in table.footnotes


def test_an_empty_table_and_an_unknown_format_are_refused():
    with pytest.raises(BenchError, match="at least one"):
        build_table([])
    with pytest.raises(BenchError, match="at least one"):
        render([], "markdown")
    with pytest.raises(BenchError, match="no table format 'word'; there are: markdown"):
        render(THREE, "word")


def test_anchors_are_printed_below_the_competing_systems():
    table = build_table([THREE[2], THREE[0]])
    assert [row.label for row in table.rows] == ["a_b", "truth"]


def test_properties_that_all_runs_share_are_printed_once():
    both = [replace(each, notes=("only the first 9 of 12 clips",)) for each in THREE[:2]]
    both[0] = replace(both[0], notes=(*both[0].notes, "1 of 9 samples have no onset"))
    notes = build_table(both).footnotes
    assert notes.count("only the first 9 of 12 clips") == 1
    assert "a_b: 1 of 9 samples have no onset" in notes


def small(system: str, n: int, **widths: int) -> Results:
    """A run whose distances are of these widths over n clips."""
    columns = tuple(Column(name, name.upper(), "lower", 2) for name in widths)
    scores = {
        name: Score(5.0, None, None, n, dimensions=width, reason="few")
        for name, width in widths.items()
    }
    return replace(result(system, 0.5, 1.0), columns=columns, metrics=scores)


def test_one_note_names_all_distances_of_too_few_clips_for_their_width():
    runs = [small("a", 128, fd_p=96, fd_q=2_048, kid_r=None), small("b", 120, fd_p=20, fd_q=2_048)]
    found = [note for note in build_table(runs).footnotes if "dimension" in note]
    assert found == [
        "FD_P: 128 clips in 96 dimensions, FD_Q: 120 to 128 clips in 2,048 dimensions; a Fréchet "
        "distance needs about 4 clips per dimension to compare with other sample sizes"
    ]
    assert not any("dimension" in note for note in build_table([small("a", 400, p=96)]).footnotes)


def test_a_note_of_several_runs_is_printed_once_with_their_names():
    runs = [replace(THREE[0], notes=("quiet",)), replace(THREE[1], notes=("quiet",)), THREE[2]]
    assert "a_b, c: quiet" in build_table(runs).footnotes


@pytest.mark.parametrize("style", ["markdown", "latex", "csv"])
def test_every_format_states_why_a_value_is_missing(style):
    reason = "1 clip: a set needs at least 2"
    lone = replace(
        THREE[0],
        metrics={**THREE[0].metrics, "mcd": Score(None, None, None, 0, reason=reason)},
        notes=(f"not scored: MCD ({reason})",),
    )
    assert reason in render([lone], style)
