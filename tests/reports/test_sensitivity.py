"""How strongly metrics respond to faults, and the page about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.results import Column, Results, Score
from reports.faults import Curve
from reports.sensitivity import Sensitivity, describe_sensitivity, plot_sensitivity, problems

COLUMNS = (Column("onset_acc", "Onset Acc.", "higher", 4), Column("mcd", "MCD", "lower", 2, "dB"))


def results(accuracy: float, mcd: float) -> Results:
    values = dict(zip(("onset_acc", "mcd"), (accuracy, mcd), strict=True))
    scores = {name: Score(value, value, value, 9) for name, value in values.items()}
    return Results(
        "oracle", "mini", "full", 42, "mini", "av-benchmark", 1, True, True, 9, 9, 0, COLUMNS,
        scores,
    )  # fmt: skip


def curve(name: str, *found: Results) -> Curve:
    return Curve(name, tuple(f"{i} s" for i in range(len(found))), found, ("onset_acc",))


LATE = curve("late", results(1.0, 0.0), results(0.8, 0.0), results(0.1, 0.0))
NOISE = curve("noise", results(1.0, 0.0), results(1.0, 6.0))
UNRELATED = (results(0.4, 12.0), results(0.9, 3.0))
FOUND = Sensitivity(
    (LATE, NOISE), UNRELATED, {"late": {"onset_acc": "1 s", "mcd": "not noticed"}, "noise": {}}
)


def test_a_response_is_in_units_of_the_worse_response_to_unrelated_audio():
    assert FOUND.response(LATE, COLUMNS[0]) == pytest.approx(0.9 / 0.6)
    assert FOUND.response(NOISE, COLUMNS[1]) == pytest.approx(6.0 / 12.0)
    assert FOUND.response(LATE, COLUMNS[1]) == 0.0
    assert FOUND.responses().shape == (2, 2)


def test_a_fault_that_improves_the_score_has_a_response_below_zero():
    better = curve("odd", results(0.7, 0.0), results(1.0, 0.0))
    assert FOUND.response(better, COLUMNS[0]) < 0


def test_the_page_has_the_thresholds_the_curves_and_the_command():
    page = describe_sensitivity(FOUND, "bench validate --clips 9")
    assert "| Onset Acc. | 1 s | \N{EN DASH} |" in page
    assert "| MCD | not noticed | \N{EN DASH} |" in page
    assert "| Onset Acc. | 1.0000 | 0.8000 | 0.1000 | monotone |" in page
    assert "`bench validate --clips 9`" in page
    assert "on 9 clips" in page


def test_metrics_that_do_not_respond_to_the_fault_they_claim_are_named():
    assert problems(FOUND) == []
    wrong = curve("late", results(1.0, 0.0), results(0.5, 0.0), results(0.9, 0.0))
    assert problems(replace(FOUND, curves=(wrong,))) == ["late: onset_acc is not monotone"]


def test_the_matrix_is_drawn_even_if_nothing_was_scored(tmp_path):
    empty = replace(FOUND, unrelated=())
    plot_sensitivity(empty, tmp_path / "matrix.png")
    assert (tmp_path / "matrix.png").read_bytes().startswith(b"\x89PNG")
