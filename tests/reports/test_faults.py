"""The verdict on a known-truth curve, and its page."""

from __future__ import annotations

import pytest

from bench.results import Column, Results, Score
from reports.faults import Curve, curve_table, plot_curves

HIGHER = Column("onset_acc", "Onset Acc.", "higher", 4, has_chance=True)
DOWN = "monotone down to chance"
LOWER = Column("mcd", "MCD", "lower", 2, "dB")


def curve(column: Column, *values: float, chance: float | None = None, width: float = 0.02):
    amounts = tuple(f"{0.1 * i:g} s" for i in range(len(values)))
    results = tuple(
        Results(
            "oracle", "mini", "full", 42, "signal", "av-benchmark", 1, True, True, 9, 9, 0,
            (column,), {column.name: Score(value, value - width, value + width, 9, chance)},
        )
        for value in values
    )  # fmt: skip
    return Curve("a fault", amounts, results, (column.name,))


@pytest.mark.parametrize(
    ("made", "verdict"),
    [
        (curve(LOWER, 0.0, 1.0, 2.0), "monotone"),
        (curve(LOWER, 0.0, 2.0, 1.0), "not monotone"),
        (curve(LOWER, 0.0, 0.001, 0.0, 2.0), "monotone"),
        (curve(HIGHER, 1.0, 0.8, 0.5, chance=0.3), "monotone"),
        (curve(HIGHER, 1.0, 0.1, 0.31, chance=0.3), f"{DOWN} at 0.1 s, then not above it"),
        (curve(HIGHER, 1.0, 0.1, 0.5, chance=0.3), "not monotone"),
        (curve(HIGHER, 0.5, 0.9, 0.1, 0.2, chance=0.3), "not monotone"),
        (curve(HIGHER, 1.0, 0.6, 0.7, chance=0.3), "not monotone"),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_scores(made, verdict):
    assert made.verdict(made.metrics[0]) == verdict


def test_the_table_holds_every_number_and_the_figure_is_drawn(tmp_path):
    curves = [curve(HIGHER, 1.0, 0.2, chance=0.3), curve(LOWER, 0.0, 2.5)]
    assert "| Onset Acc. | 1.0000 | 0.2000 | monotone |" in curve_table(curves[0])
    assert curve_table(curves[1]) == [
        "| metric | 0 s | 0.1 s | verdict |",
        "| --- | ---: | ---: | --- |",
        "| MCD | 0.00 | 2.50 | monotone |",
    ]
    plot_curves(curves, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
