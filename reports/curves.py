"""Known-truth curves: what metrics say of samples whose only fault, and its size, is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.files import atomic_path
from bench.results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7a4988")


@dataclass(frozen=True)
class Curve:
    """Results at growing amounts of one fault: ``amounts[i]`` gave ``results[i]``."""

    fault: str
    unit: str
    amounts: tuple[float, ...]
    results: tuple[Results, ...]
    metrics: tuple[str, ...]

    def values(self, metric: str) -> list[float]:
        """The metric's value at each amount."""
        found = [each.metrics[metric].value for each in self.results]
        return [float("nan") if value is None else value for value in found]

    def is_monotone(self, metric: str) -> bool:
        """Whether the metric never says that a larger fault is better."""
        column = next(c for c in self.results[0].columns if c.name == metric)
        sign = 1 if column.better == "lower" else -1
        values = [sign * value for value in self.values(metric)]
        return all(later >= earlier for earlier, later in zip(values, values[1:], strict=False))


def plot_curves(curves: Sequence[Curve], destination: Path) -> None:
    """Draw one row of panels per curve, one panel per metric, with 95 % intervals and chance."""
    from matplotlib.figure import Figure

    widest = max(len(curve.metrics) for curve in curves)
    figure = Figure(figsize=(3.6 * widest, 3.0 * len(curves)), layout="constrained")
    panels = figure.subplots(len(curves), widest, squeeze=False)
    for line, curve in zip(panels, curves, strict=True):
        for position, panel in enumerate(line):
            if position < len(curve.metrics):
                _draw(panel, curve, curve.metrics[position], COLOURS[position % len(COLOURS)])
            else:
                panel.set_axis_off()
    with atomic_path(destination) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})


def _draw(panel: Axes, curve: Curve, metric: str, colour: str) -> None:
    column = next(c for c in curve.results[0].columns if c.name == metric)
    scores = [each.metrics[metric] for each in curve.results]
    panel.plot(curve.amounts, curve.values(metric), "o-", color=colour, markersize=4)
    bounds = [(s.low, s.high) for s in scores]
    if all(low is not None and high is not None for low, high in bounds):
        lows, highs = zip(*bounds, strict=True)
        panel.fill_between(curve.amounts, lows, highs, color=colour, alpha=0.18, linewidth=0)
    chances = [s.chance for s in scores if s.chance is not None]
    if chances:
        level = sum(chances) / len(chances)
        panel.axhline(level, color="0.45", linestyle=":", linewidth=1.2)
        panel.annotate("chance", (curve.amounts[-1], level), (0, 3), textcoords="offset points",
                       ha="right", fontsize=8, color="0.35")  # fmt: skip
    unit = f" [{column.unit}]" if column.unit else ""
    panel.set(xlabel=f"{curve.fault} [{curve.unit}]", ylabel=f"{column.label}{unit}")
    panel.set_ylim(bottom=0)
    panel.grid(color="0.92")
    panel.spines[["top", "right"]].set_visible(False)


def describe_curves(curves: Sequence[Curve], command: str) -> str:
    """The same numbers as a Markdown page."""
    first = curves[0].results[0]
    lines = [
        "# Known-truth curves",
        "",
        f"What each metric says of oracles with one known fault, on {first.scored} clips of the "
        f"mini world (profile {first.profile}, suite version {first.suite_version}). "
        f"Made by `{command}`.",
        "",
        "![curves](validation.png)",
        "",
    ]
    for curve in curves:
        lines += [f"## {curve.fault.capitalize()}", "", *_markdown(curve), ""]
    return "\n".join(lines)


def _markdown(curve: Curve) -> list[str]:
    columns = {c.name: c for c in curve.results[0].columns}
    amounts = [f"{amount:g} {curve.unit}" for amount in curve.amounts]
    lines = [
        "| metric | " + " | ".join(amounts) + " | monotone |",
        "| --- |" + " ---: |" * len(amounts) + " --- |",
    ]
    for metric in curve.metrics:
        column = columns[metric]
        cells = [f"{value:.{column.decimals}f}" for value in curve.values(metric)]
        verdict = "yes" if curve.is_monotone(metric) else "no"
        lines.append(f"| {column.label} | " + " | ".join(cells) + f" | {verdict} |")
    return lines
