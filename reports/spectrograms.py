"""A page of spectrograms: target, reference and sample of some clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.figures import write_figure
from bench.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure
    from matplotlib.gridspec import SubplotSpec

Part = Literal["target", "reference", "generated"]

N_IN_A_ROW = 2
#: Inches: of a clip, and of the margins above and below all clips.
CLIP_INCHES = (7.0, 3.2)
MARGIN_INCHES = (0.9, 0.9)
DOTS_PER_INCH = 90
N_COLOURS = 100
#: A scale whose order is its brightness, so that it can be read without colours.
COLOURS = "magma"
DYNAMICS_DB = 70.0
LIMITS_HZ = (50.0, 20_000.0)
TICKS_HZ = {100.0: "100", 1_000.0: "1k", 10_000.0: "10k"}


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """Level ``[F, T]`` in dB at frequencies ``[F]`` in Hz and times ``[T]`` in s."""

    frequencies_hz: FloatArray
    times_s: FloatArray
    level_db: FloatArray


@dataclass(frozen=True, eq=False)
class ClipPanel:
    """A clip of the page: its title, the true events within it, its spectrograms, and its scores.

    ``parts`` has the sample, and the target and the reference where there were any.
    """

    title: str
    seconds: float
    events_s: tuple[float, ...]
    parts: Mapping[Part, Spectrogram]
    scores: tuple[str, ...]


def plot_spectrograms(title: str, clips: Sequence[ClipPanel], destination: Path) -> None:
    """Draw each clip's target above its sample, with the reference beside, on one scale of dB."""
    from matplotlib.figure import Figure

    n_rows = -(-len(clips) // N_IN_A_ROW)
    n_columns = min(N_IN_A_ROW, len(clips))
    width, height = n_columns * CLIP_INCHES[0], n_rows * CLIP_INCHES[1] + sum(MARGIN_INCHES)
    figure = Figure(figsize=(width, height))
    top, bottom = 1.0 - MARGIN_INCHES[0] / height, MARGIN_INCHES[1] / height
    grid = figure.add_gridspec(
        n_rows, n_columns, left=0.06, right=0.99, top=top, bottom=bottom, hspace=0.26, wspace=0.12
    )
    # One reference for the page, so that a quiet sample looks quiet beside its target.
    loudest = max(float(part.level_db.max()) for clip in clips for part in clip.parts.values())
    for i, clip in enumerate(clips):
        mesh = _draw_clip(figure, grid[i // n_columns, i % n_columns], clip, loudest)
    below = figure.add_axes((0.3, 0.52 * bottom, 0.4, 0.12 * bottom))
    bar = figure.colorbar(mesh, cax=below, orientation="horizontal")
    bar.set_label("dB re. the loudest point of the page", fontsize=9)
    below.tick_params(labelsize=8)
    figure.suptitle(f"{title}\n▼ and dotted lines: true events", fontsize=12, y=1.0 - 0.1 / height)
    write_figure(figure, destination, dots_per_inch=DOTS_PER_INCH, n_colours=N_COLOURS)


def _draw_clip(figure: Figure, cell: SubplotSpec, clip: ClipPanel, loudest_db: float) -> QuadMesh:
    reference = clip.parts.get("reference")
    beside_s = float(reference.times_s[-1]) if reference else 2.0
    grid = cell.subgridspec(2, 2, width_ratios=(clip.seconds, beside_s), hspace=0.18, wspace=0.05)
    target, generated = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 0])
    panels: tuple[tuple[Axes, Part], ...] = ((target, "target"), (generated, "generated"))
    for panel, name in panels:
        if name not in clip.parts:
            panel.set_axis_off()
            panel.text(0.5, 0.5, "no true audio", ha="center", va="center", fontsize=9)
            continue
        mesh = draw_spectrogram(panel, clip.parts[name], loudest_db)
        panel.set(xlim=(0.0, clip.seconds))
        panel.set_ylabel(f"{name}\nHz", fontsize=9)
        mark_events(panel, clip.events_s)
    target.set_title(clip.title, fontsize=10, pad=9, loc="left")
    target.tick_params(labelbottom=False)
    whole_s = range(int(clip.seconds) + 1)
    generated.set_xticks(whole_s, [*map(str, whole_s[:-1]), f"{whole_s[-1]} s"])
    if reference:
        beside = figure.add_subplot(grid[0, 1])
        draw_spectrogram(beside, reference, loudest_db)
        beside.set(xlim=(0.0, beside_s))
        beside.set_title("reference", fontsize=9, pad=9)
        beside.tick_params(labelleft=False, labelbottom=False)
    _write_scores(figure.add_subplot(grid[1, 1]), clip.scores)
    return mesh


def draw_spectrogram(panel: Axes, part: Spectrogram, loudest_db: float) -> QuadMesh:
    """Draw levels relative to ``loudest_db`` over time in s and frequency in Hz."""
    mesh = panel.pcolormesh(
        part.times_s,
        part.frequencies_hz,
        part.level_db - loudest_db,
        cmap=COLOURS,
        vmin=-DYNAMICS_DB,
        vmax=0.0,
        rasterized=True,
    )
    panel.set(yscale="log", ylim=LIMITS_HZ)
    panel.set_yticks(list(TICKS_HZ), list(TICKS_HZ.values()))
    panel.minorticks_off()
    panel.tick_params(labelsize=8)
    return mesh


def mark_events(panel: Axes, events_s: Sequence[float], size: float = 4.0) -> None:
    """Draw a dotted line at each event, with a mark of ``size`` points above it."""
    for event_s in events_s:
        panel.axvline(event_s, color="white", linewidth=0.8, linestyle=(0, (1, 3)))
    top = [1.03] * len(events_s)
    across = panel.get_xaxis_transform()
    panel.plot(events_s, top, "kv", markersize=size, transform=across, clip_on=False)


def _write_scores(panel: Axes, scores: Sequence[str]) -> None:
    panel.set_axis_off()
    panel.text(0.5, 0.45, "\n".join(scores), ha="center", va="center", fontsize=9)
