"""The paper's Figure 4: videos under several references each, spectrograms on one time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.figures import write_figure
from reports.spectrograms import Spectrogram, draw_spectrogram, mark_events

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec

#: The width of a page of two columns, and the height of a row of spectrograms, in inches.
PAGE_INCHES = 7.0
ROW_INCHES = 0.82
#: Above, between and below the rows, with the titles, the frames and the scale.
MARGIN_INCHES = (0.5, 0.75)
DOTS_PER_INCH = 150
N_COLOURS = 96
TITLE_POINTS, TEXT_POINTS = 7, 6
#: Between two videos, in seconds of their time axes.
GAP_S = 1.1


@dataclass(frozen=True, eq=False)
class ConditionPanel:
    """A reference, the sample that was generated under it, and a line of scores."""

    name: str
    reference: Spectrogram
    generated: Spectrogram
    scores: str


@dataclass(frozen=True, eq=False)
class VideoPanel:
    """One video: frames ``[N, H, W, 3]`` over its ``seconds``, true audio, and its conditions."""

    title: str
    seconds: float
    frames: npt.NDArray[np.uint8]
    events_s: tuple[float, ...]
    target: Spectrogram | None
    conditions: tuple[ConditionPanel, ...]


def plot_conditions(title: str, videos: Sequence[VideoPanel], destination: Path) -> None:
    """Draw the videos side by side: frames and target above, then a row for each reference.

    Each row has the reference left of its sample. A second is as wide in all of them, and so are
    decibels as bright.
    """
    from matplotlib.figure import Figure

    n_rows = 1 + max(len(video.conditions) for video in videos)
    height = n_rows * ROW_INCHES + ROW_INCHES * 0.55 + sum(MARGIN_INCHES)
    figure = Figure(figsize=(PAGE_INCHES, height))
    loudest_db = max(float(part.level_db.max()) for video in videos for part in _parts(video))
    reference_s = max(_length(c.reference) for video in videos for c in video.conditions)
    widths = [w for video in videos for w in (reference_s, video.seconds, GAP_S)][:-1]
    grid = figure.add_gridspec(
        n_rows + 1,
        len(widths),
        width_ratios=widths,
        height_ratios=(0.55, *([1.0] * n_rows)),
        left=0.055,
        right=0.99,
        top=1.0 - MARGIN_INCHES[0] / height,
        bottom=MARGIN_INCHES[1] / height,
        hspace=0.42,
        wspace=0.06,
    )
    for i, video in enumerate(videos):
        _draw_video(figure, grid, 3 * i, video, reference_s, loudest_db)
    _draw_scale(figure, loudest_db, height)
    figure.suptitle(title, fontsize=TITLE_POINTS + 1, y=1.0 - 0.06 / height)
    write_figure(figure, destination, dots_per_inch=DOTS_PER_INCH, n_colours=N_COLOURS)


def _parts(video: VideoPanel) -> list[Spectrogram]:
    found = [part for each in video.conditions for part in (each.reference, each.generated)]
    return [*found, video.target] if video.target else found


def _length(part: Spectrogram) -> float:
    return float(part.times_s[-1])


def _draw_video(
    figure: Figure,
    grid: GridSpec,
    column: int,
    video: VideoPanel,
    reference_s: float,
    loudest_db: float,
) -> None:
    strip = figure.add_subplot(grid[0, column + 1])
    _draw_frames(strip, video)
    strip.set_title(video.title, fontsize=TITLE_POINTS, loc="left", pad=3)
    target = figure.add_subplot(grid[1, column + 1])
    if video.target:
        _draw(target, video.target, video.seconds, "target", loudest_db)
        mark_events(target, video.events_s, size=2.5)
        target.set_title("target", fontsize=TEXT_POINTS, loc="left", pad=5)  # above the marks
    else:
        target.set_axis_off()
        target.text(0.5, 0.5, "no true audio", ha="center", va="center", fontsize=TEXT_POINTS)
    target.tick_params(labelbottom=False, labelleft=False)
    for row, each in enumerate(video.conditions, 2):
        beside = figure.add_subplot(grid[row, column])
        _draw(beside, each.reference, reference_s, each.name, loudest_db)
        generated = figure.add_subplot(grid[row, column + 1])
        _draw(generated, each.generated, video.seconds, each.scores, loudest_db)
        mark_events(generated, video.events_s, size=0)
        generated.tick_params(labelleft=False)
        is_last = row == 1 + len(video.conditions)
        for panel in (beside, generated):
            panel.tick_params(labelbottom=is_last)
        if is_last:
            beside.set_xlabel("reference [s]", fontsize=TEXT_POINTS, labelpad=1)
            generated.set_xlabel("sample [s]", fontsize=TEXT_POINTS, labelpad=1)
        if column == 0:
            beside.set_ylabel("Hz", fontsize=TEXT_POINTS, labelpad=0)
        else:
            beside.tick_params(labelleft=False)


def _draw(panel: Axes, part: Spectrogram, seconds: float, title: str, loudest_db: float) -> None:
    draw_spectrogram(panel, part, loudest_db)
    panel.set_xlim(0.0, seconds)
    # No tick at the end of a reference: its label would touch the 0 of the sample.
    is_short = seconds <= 4
    end = seconds - 0.5 if is_short else seconds + 0.01
    panel.set_xticks(np.arange(0.0, end, 1.0 if is_short else 2.0))
    panel.tick_params(labelsize=TEXT_POINTS, length=2, pad=1)
    panel.set_title(title, fontsize=TEXT_POINTS, loc="left", pad=2)


def _draw_frames(panel: Axes, video: VideoPanel) -> None:
    """Each frame from the time on at which it is shown, in its own proportions."""
    n, height, width = video.frames.shape[:3]
    step_s = video.seconds / n
    panel.set_axis_off()
    panel.set(xlim=(0.0, video.seconds), ylim=(0.0, 1.0))
    for i, frame in enumerate(video.frames):
        inner = panel.inset_axes((i * step_s, 0.0, 0.94 * step_s, 1.0), transform=panel.transData)
        inner.imshow(frame, aspect="equal", interpolation="antialiased")
        inner.set_anchor("W")
        inner.set_axis_off()


def _draw_scale(figure: Figure, loudest_db: float, height: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    from reports.spectrograms import COLOURS, DYNAMICS_DB

    below = figure.add_axes((0.35, 0.3 / height, 0.3, 0.07 / height))
    levels = ScalarMappable(Normalize(-DYNAMICS_DB, 0.0), COLOURS)
    bar = figure.colorbar(levels, cax=below, orientation="horizontal")
    bar.set_label("dB re. the loudest point of the figure", fontsize=TEXT_POINTS, labelpad=1)
    below.tick_params(labelsize=TEXT_POINTS, length=2, pad=1)
