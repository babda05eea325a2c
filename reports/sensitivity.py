"""How strongly every metric responds to every known fault: one matrix, as a figure and as a page.

A **response** is the change for the worse from the uncorrupted audio, in units of the change that
unrelated audio causes (the worse of another clip's audio and of noise with the true spectrum). At 0
the metric ignores the fault, at 1 it is as bad as unrelated audio, below 0 it counts as better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.figures import write_figure
from bench.results import Column, Results
from reports.faults import NOT_MONOTONE, Curve, curve_table

#: The threshold of a fault that a metric does not notice at any amount.
UNNOTICED = "not noticed"
NOT_TESTED = "\N{EN DASH}"


@dataclass(frozen=True)
class Sensitivity:
    """Curves of all faults, the scores of unrelated audio, and from where a fault is noticed.

    ``noticed[fault][metric]`` is the first amount that is clearly worse than none, clip by clip;
    metrics of a whole set have no such test.
    """

    curves: tuple[Curve, ...]
    unrelated: tuple[Results, ...]
    noticed: Mapping[str, Mapping[str, str]]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that all results have."""
        return self.curves[0].results[0].columns

    def response(self, curve: Curve, column: Column) -> float:
        """The response at the largest amount; NaN where something was not scored."""
        values = curve.values(column.name)
        span = max((self._worse(values[0], each, column) for each in self.unrelated), default=0.0)
        sign = 1.0 if column.better == "lower" else -1.0
        return sign * (values[-1] - values[0]) / span if span > 0 else float("nan")

    def responses(self) -> npt.NDArray[np.float64]:
        """All of them, ``[columns, faults]``."""
        return np.array(
            [[self.response(curve, column) for curve in self.curves] for column in self.columns]
        )

    def _worse(self, clean: float, unrelated: Results, column: Column) -> float:
        value = unrelated.metrics[column.name].value
        sign = 1.0 if column.better == "lower" else -1.0
        return 0.0 if value is None else sign * (value - clean)


def plot_sensitivity(found: Sensitivity, destination: Path) -> None:
    """Draw the matrix of responses; metrics that claim to follow a fault have a frame there."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    responses = found.responses()
    figure = Figure(
        figsize=(1.5 + 1.25 * len(found.curves), 1.2 + 0.38 * len(responses)), layout="constrained"
    )
    panel = figure.subplots()
    image = panel.imshow(responses, cmap="RdBu_r", vmin=-1.0, vmax=1.0, aspect="auto")
    for (row, i), value in np.ndenumerate(responses):
        if np.isfinite(value):
            colour = "white" if abs(value) > 0.6 else "black"
            panel.text(i, row, f"{value:.2f}", ha="center", va="center", color=colour)
        if found.columns[row].name in found.curves[i].metrics:
            panel.add_patch(Rectangle((i - 0.48, row - 0.46), 0.96, 0.92, fill=False, lw=1.6))
    names = [f"{curve.fault}\n{curve.amounts[-1]}" for curve in found.curves]
    panel.set_xticks(range(len(names)), names, fontsize=9)
    panel.set_yticks(range(len(responses)), [column.label for column in found.columns])
    panel.xaxis.tick_top()
    figure.colorbar(image, ax=panel, label="response (1: as bad as unrelated audio)", shrink=0.7)
    write_figure(figure, destination, dots_per_inch=110)


def describe_sensitivity(found: Sensitivity, command: str, figures: str = "png") -> str:
    """Return the page ``validation.md``: what is claimed, the matrix, thresholds, every number.

    ``figures`` is the format of the two figures beside it.
    """
    first = found.curves[0].results[0]
    return "\n".join(
        [
            "# How the metrics respond to known faults",
            "",
            f"The oracle of the mini world renders the true scene again; here it is damaged in one "
            f"way, by a known amount, on {first.scored} clips (judge {first.judge}, profile "
            f"{first.profile}, suite version {first.suite_version}). `{command}` makes this page "
            "and both figures, and exits with 1 if a metric does not follow a fault that it claims "
            "to follow (framed below).",
            "",
            f"![responses of every metric to every fault](validation-matrix.{figures})",
            "",
            *_explained(),
            "",
            "## From which amount a fault is noticed",
            "",
            "The first amount whose paired difference from the uncorrupted audio is for the worse "
            "with its whole 95 % interval. Metrics of a whole set have no difference per clip.",
            "",
            *_thresholds(found),
            "",
            "## Metrics that claim to follow a fault",
            "",
            f"![curves](validation.{figures})",
            "",
            *(
                line
                for curve in found.curves
                if curve.metrics
                for line in (f"### {curve.fault.capitalize()}", "", *curve_table(curve), "")
            ),
        ]
    )


def _explained() -> Sequence[str]:
    return (
        "**Response**: the change for the worse at the largest amount, divided by the change that "
        "unrelated audio brings, the worse of another clip's audio (`shuffled`) and of noise with "
        "the true spectrum (`noise`). 0 is no response, 1 as bad as unrelated audio, above 1 worse "
        "than that; below 0 the metric takes the fault for an improvement.",
    )


def _thresholds(found: Sensitivity) -> Sequence[str]:
    names = [curve.fault for curve in found.curves]
    lines = ["| metric | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for column in found.columns:
        cells = [found.noticed[name].get(column.name, NOT_TESTED) for name in names]
        lines.append(f"| {column.label} | " + " | ".join(cells) + " |")
    return lines


def problems(found: Sensitivity) -> list[str]:
    """A sentence for each metric that does not follow a fault that it claims to follow."""
    return [
        f"{curve.fault}: {metric} is {NOT_MONOTONE}"
        for curve in found.curves
        for metric in curve.metrics
        if curve.verdict(metric) == NOT_MONOTONE
    ]
