"""The faults that metrics are validated with, and curves of metrics over their amounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.figures import write_figure
from bench.results import Column, Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes


FRECHET = ("fd_passt", "fd_panns", "fd_vgg")
LABELS = ("kl_passt", "kl_panns")
ONSETS = ("onset_acc", "onset_ap", "onset_f1")
TIMBRE = ("mcd", "mcd_c1", "lsd")


class Fault(NamedTuple):
    """One corruption of true audio, in growing amounts.

    ``system`` is the oracle that applies it, and ``amounts`` are its arguments with their labels;
    the metrics ``followed_by`` must get worse with it. Without any, responses are only printed.
    """

    name: str
    system: str
    amounts: dict[str, str]
    followed_by: tuple[str, ...]

    def specs(self) -> list[str]:
        """Return the oracles to run, from the smallest amount to the largest."""
        return [f"{self.system}:{argument}" for argument in self.amounts]


def _counted(unit: str, *amounts: str) -> dict[str, str]:
    return {amount: f"{amount} {unit}".strip() for amount in amounts}


FAULTS = (
    Fault(
        "late",
        "oracle-shift",
        _counted("s", "0.05", "0.1", "0.15", "0.2", "0.3", "0.4", "0.5"),
        (*ONSETS, "env_corr", "desync"),
    ),
    Fault(
        # No claim: delays shorter than a frame change mcd like another timbre, mcd_c1 hardly.
        "hardly late",
        "oracle-shift",
        _counted("s", "0.0025", "0.005", "0.0125"),
        (),
    ),
    Fault(
        "other timbre",
        "oracle-timbre",
        _counted("", "0.1", "0.2", "0.4", "0.6", "0.8"),
        (*TIMBRE, *FRECHET),
    ),
    Fault(
        "other class",
        "oracle-class",
        {"0.25": "25 %", "0.5": "50 %", "0.75": "75 %", "1": "100 %"},
        (*LABELS, *TIMBRE, "ib"),
    ),
    Fault(
        "noise",
        "oracle-noise",
        _counted("dB", "-40", "-30", "-20", "-10", "0"),
        (*TIMBRE, *FRECHET, *LABELS),
    ),
    Fault(
        "low-pass",
        "oracle-lowpass",
        {"8000": "8 kHz", "4000": "4 kHz", "2000": "2 kHz", "1000": "1 kHz"},
        # mcd_c1 responds most strongly of all and saturates by 2 kHz.
        ("mcd", "lsd", *FRECHET, *LABELS),
    ),
    Fault(
        "quieter",
        "oracle-gain",
        _counted("dB", "-3", "-6", "-12", "-24"),
        ("mcd", "lsd"),
    ),
    Fault(
        "cut short",
        "oracle-cut",
        _counted("s", "0.5", "1", "2", "4"),
        ("onset_acc", "onset_f1", "lsd", "env_corr"),
    ),
    Fault(
        "too fast",
        "oracle-speed",
        _counted("%", "1", "2", "5", "10", "20"),
        (*TIMBRE, "env_corr"),
    ),
)


#: Panels of a figure side by side, and the colour of each.
N_IN_A_ROW = 4
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")

#: The verdict on a metric that does not follow the fault.
NOT_MONOTONE = "not monotone"


@dataclass(frozen=True)
class Curve:
    """Results at growing amounts of one fault: ``amounts[i]``, in words, gave ``results[i]``.

    The first amount is none. ``metrics`` are those that claim to follow the fault.
    """

    fault: str
    amounts: tuple[str, ...]
    results: tuple[Results, ...]
    metrics: tuple[str, ...]

    def values(self, metric: str) -> list[float]:
        """The metric's value at each amount."""
        found = [each.metrics[metric].value for each in self.results]
        return [float("nan") if value is None else value for value in found]

    def column(self, metric: str) -> Column:
        """How the metric is headed and printed."""
        return next(column for column in self.results[0].columns if column.name == metric)

    def chance(self, metric: str) -> float:
        """The mean over the amounts of the metric's level of chance; 0 if unknown."""
        levels = [each.metrics[metric].chance for each in self.results]
        known = [level for level in levels if level is not None]
        return sum(known) / len(known) if known else 0.0

    def verdict(self, metric: str) -> str:
        """In words: monotone, as printed, or monotone down to the level of chance, or neither."""
        # As printed: a reader must be able to check the verdict by the numbers of the table.
        values = [round(value, self.column(metric).decimals) for value in self.values(metric)]
        if self.column(metric).better == "lower":
            return "monotone" if _is_rising(values) else NOT_MONOTONE
        falling = [-value for value in values]
        if _is_rising(falling):
            return "monotone"
        # A score cannot fall below the level that unrelated samples reach: from the first value at
        # chance on, it only must not rise above it again, judged by the intervals.
        level = self.chance(metric)
        end = next((i for i, value in enumerate(values) if value <= level), None)
        if end is None or not _is_rising(falling[: end + 1]):
            return NOT_MONOTONE
        lows = [each.metrics[metric].low for each in self.results[end:]]
        if any(low is not None and low > level for low in lows):
            return NOT_MONOTONE
        return f"monotone down to chance at {self.amounts[end]}, then not above it"


def _is_rising(values: Sequence[float]) -> bool:
    return all(later >= earlier for earlier, later in pairwise(values))


def plot_curves(curves: Sequence[Curve], destination: Path, title: str = "") -> None:
    """Draw one panel per curve and metric, up to four in a row, with 95 % intervals and chance."""
    from matplotlib.figure import Figure

    # A curve with more metrics than panels in a row goes on in the next row.
    rows = [
        (curve, curve.metrics[start : start + N_IN_A_ROW])
        for curve in curves
        for start in range(0, len(curve.metrics), N_IN_A_ROW)
    ]
    figure = Figure(figsize=(3.6 * N_IN_A_ROW, 2.7 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), N_IN_A_ROW, squeeze=False)
    for line, (curve, metrics) in zip(panels, rows, strict=True):
        for position, panel in enumerate(line):
            if position < len(metrics):
                _draw(panel, curve, metrics[position], COLOURS[position])
            else:
                panel.set_axis_off()
    if title:
        figure.suptitle(title)
    write_figure(figure, destination, dots_per_inch=90)


def _draw(panel: Axes, curve: Curve, metric: str, colour: str) -> None:
    column = curve.column(metric)
    scores = [each.metrics[metric] for each in curve.results]
    steps = range(len(scores))
    panel.plot(steps, curve.values(metric), "o-", color=colour, markersize=4)
    bounds = [(s.low, s.high) for s in scores]
    if all(low is not None and high is not None for low, high in bounds):
        lows, highs = zip(*bounds, strict=True)
        panel.fill_between(steps, lows, highs, color=colour, alpha=0.18, linewidth=0)
    if column.has_chance:
        level = curve.chance(metric)
        panel.axhline(level, color="0.45", linestyle=":", linewidth=1.2)
        panel.annotate("chance", (steps[-1], level), (0, 3), textcoords="offset points",
                       ha="right", fontsize=8, color="0.35")  # fmt: skip
    panel.set_xticks(steps, curve.amounts, fontsize=8)
    unit = f" [{column.unit}]" if column.unit else ""
    panel.set(xlabel=curve.fault, ylabel=column.label + unit)
    panel.set_ylim(bottom=min(0.0, 1.2 * min(curve.values(metric))))
    panel.grid(color="0.92")
    panel.spines[["top", "right"]].set_visible(False)


def curve_table(curve: Curve) -> list[str]:
    """The numbers of a curve, and a verdict on each metric, as lines of Markdown."""
    lines = [
        "| metric | " + " | ".join(curve.amounts) + " | verdict |",
        "| --- |" + " ---: |" * len(curve.amounts) + " --- |",
    ]
    for metric in curve.metrics:
        column = curve.column(metric)
        cells = [f"{value:.{column.decimals}f}" for value in curve.values(metric)]
        lines.append(f"| {column.label} | " + " | ".join(cells) + f" | {curve.verdict(metric)} |")
    return lines
