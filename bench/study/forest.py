"""The forest plot of a study: the win rate of every video, and that of all below."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.figures import write_png
from bench.io import atomic_path
from bench.study.analyse import Analysis, PairResult, QuestionResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES = (".png", ".svg", ".pdf")
#: Win, tie, loss: blue, grey, orange, told apart with any colour vision.
COLOURS = ("#9ecae1", "#e0e0e0", "#fdcc8a")
INK = "#1a1a1a"
ROW_INCHES, PANEL_INCHES = 0.26, 4.6
LABEL_LENGTH = 38
N_COLOURS = 32


def require_figure(path: Path) -> Path:
    """Return the path of a figure.

    Raises:
        BenchError: its suffix is none of those that are drawn.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BenchError(f"cannot draw {path}: a figure is {', '.join(SUFFIXES)}")
    return path


def plot_forest(analysis: Analysis, destination: Path) -> None:
    """Draw a panel for each question and pair; PNG, SVG or PDF by the suffix.

    A bar is the shares of win, tie and loss of the first system; the dot is its win rate with
    Wilson's interval (one vote per rater), that of all videos the two-way interval.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = [list(question.pairs) for question in analysis.questions]
    n_pairs, n_videos = max(map(len, rows)), len(analysis.design.clips)
    height = n_pairs * (ROW_INCHES * (n_videos + 1) + 1.0) + 0.7
    # Fixed ids and no date: the same study draws the same file.
    with mpl.rc_context({"svg.hashsalt": "study", "font.size": 8}):
        figure = Figure(
            figsize=(PANEL_INCHES * len(rows) + 0.6, height), dpi=150, layout="constrained"
        )
        panels = figure.subplots(n_pairs, len(rows), squeeze=False)
        for column, question in enumerate(analysis.questions):
            for row in range(n_pairs):
                if row < len(question.pairs):
                    _draw_panel(panels[row, column], question, question.pairs[row])
                else:
                    panels[row, column].set_axis_off()
        figure.suptitle(
            f"{analysis.title}\n{analysis.n_counted} raters; bars: win, tie, loss of the first "
            "system; dots: win rate, 95 % intervals",
            fontsize=9,
        )
        suffix = destination.suffix.lower()
        if suffix == ".png":
            write_png(figure, destination, N_COLOURS)
            return
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[suffix]
        with atomic_path(destination) as temporary:
            figure.savefig(temporary, format=suffix[1:], metadata=metadata)


def _draw_panel(axes: Axes, question: QuestionResult, pair: PairResult) -> None:
    videos = sorted(pair.videos, key=lambda row: (row.win.value, row.clip))
    estimates = [pair.rates["win"].two_way, *(row.win for row in videos)]
    counts = [pair.counts, *(row.counts for row in videos)]
    labels = [
        f"all ({pair.rates['win'].two_way.n} votes)",
        *(f"{_shorten(row.label)} ({row.win.n})" for row in videos),
    ]
    # A gap between all videos, which are at the bottom, and each one.
    places = [0.0, *(index + 1.5 for index in range(len(videos)))]
    for place, estimate, count in zip(places, estimates, counts, strict=True):
        start = 0.0
        for share, colour in zip(count, COLOURS, strict=True):
            axes.barh(place, share / sum(count), left=start, height=0.78, color=colour)
            start += share / sum(count)
        is_all = place == 0.0
        if math.isfinite(estimate.low):
            bounds = [max(estimate.low, 0.0), min(estimate.high, 1.0)]
            axes.plot(bounds, [place, place], color=INK, linewidth=2.2 if is_all else 1.1)
        marker = "D" if is_all else "o"
        axes.plot(estimate.value, place, marker, color=INK, markersize=5 if is_all else 3.5)
    axes.axvline(0.5, color=INK, linewidth=0.6, linestyle=":")
    axes.set_yticks(places, labels)
    axes.set_ylim(-0.7, places[-1] + 0.7)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100 %"])
    axes.set_title(f"{question.question.name}: {pair.first} against {pair.second}", fontsize=8.5)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _shorten(label: str) -> str:
    return label if len(label) <= LABEL_LENGTH else f"{label[: LABEL_LENGTH - 1]}…"
