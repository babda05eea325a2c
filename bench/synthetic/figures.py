"""Two pages of figures of the mini world: frames and spectrograms."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.figures import write_png
from bench.synthetic.actions import ACTIONS
from bench.synthetic.audio import SAMPLE_RATE_HZ, render_audio
from bench.synthetic.materials import MATERIALS
from bench.synthetic.scene import CLASSES, Scene, label, make_scene
from bench.synthetic.video import render_frames
from bench.types import FloatArray, Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SPLIT = "mini-sheet"
COLUMNS = 3
#: Frames shown of every scene, counted from the frame nearest to an event.
MOMENTS = (-4, -2, 0, 2, 4)
GAP_PIXELS = 4
SECONDS = 6.0
DYNAMICS_DB = 70.0
HOP_SAMPLES = 882
RANGE_HZ = (50.0, 20_000.0)
N_BANDS = 160
MARK_HZ = 20_000.0
N_COLOURS = 100


def plot_contact_sheet(destination: Path) -> None:
    """Write a PNG of frames around one event, for every action on three materials."""
    figure, panels = _page(inches=(14.0, 11.8), dots_per_inch=110)
    for panel, scene in zip(panels, _scenes(), strict=True):
        panel.imshow(_strip(scene), interpolation="antialiased")
        panel.set_title(label(scene), fontsize=8, pad=2)
        panel.set_axis_off()
    figure.suptitle("The mini world: frames 160 and 80 ms before, at, and after an event")
    write_png(figure, destination, N_COLOURS)


def plot_spectrogram_page(destination: Path) -> None:
    """Write a PNG of spectrograms with the true events marked, for the scenes of the other page."""
    figure, panels = _page(inches=(14.0, 13.0), dots_per_inch=80)
    for panel, scene in zip(panels, _scenes(), strict=True):
        _draw_spectrogram(panel, scene)
    figure.suptitle("The mini world: spectrograms (70 dB), true events above them")
    write_png(figure, destination, N_COLOURS)


def _scenes() -> list[Scene]:
    """Every action on three materials, one row each; the materials rotate.

    Without camera grain, which compresses badly.
    """
    scenes = []
    for row, action in enumerate(ACTIONS):
        for column in range(COLUMNS):
            material = tuple(MATERIALS)[(row + 2 * column) % len(MATERIALS)]
            scene = make_scene(SPLIT, CLASSES.index((action, material)), seconds=SECONDS)
            scenes.append(replace(scene, look=replace(scene.look, grain=0.0)))
    return scenes


def _page(inches: tuple[float, float], dots_per_inch: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches, dpi=dots_per_inch, layout="constrained")
    grid = figure.subplots(len(ACTIONS), COLUMNS)
    return figure, list(np.ravel(grid))


def _strip(scene: Scene) -> Pixels:
    """Frames side by side, white between them, around an event in the middle of the clip."""
    event = scene.events[len(scene.events) // 2]
    # At an impact, whose duration is 0, or where a stroke is about fastest.
    middle = round((event.time_s + 0.3 * event.duration_s) * scene.fps)
    frames = list(islice(render_frames(scene), middle + MOMENTS[-1] + 1))
    gap = np.full((frames[0].shape[0], GAP_PIXELS, 3), 255, dtype=np.uint8)
    # A gap before every frame, and the first gap dropped.
    parts = [part for moment in MOMENTS for part in (gap, frames[middle + moment])]
    return np.concatenate(parts[1:], axis=1)


def _draw_spectrogram(panel: Axes, scene: Scene) -> None:
    audio = render_audio(scene).astype(np.float64)
    frequencies_hz, times_s, power = compute_band_powers(audio)
    level_db = 10.0 * np.log10(power / power.max() + 1e-12)
    panel.pcolormesh(
        times_s,
        frequencies_hz,
        level_db,
        cmap="magma",
        vmin=-DYNAMICS_DB,
        vmax=0.0,
        rasterized=True,
    )
    for event in scene.events:
        end_s = event.time_s + event.duration_s
        panel.plot([event.time_s, end_s], [MARK_HZ, MARK_HZ], color="cyan", linewidth=3.0)
        panel.plot(event.time_s, MARK_HZ, marker="v", color="cyan", markersize=4.0)
    panel.set(yscale="log", ylim=(50.0, 25_000.0), xlim=(0.0, SECONDS))
    panel.set_title(label(scene), fontsize=8, pad=2)
    panel.tick_params(labelsize=6)
    panel.set_ylabel("Hz", fontsize=6)


def compute_band_powers(audio: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Frequencies ``[F]`` in Hz, times ``[T]`` in s and power ``[F, T]`` of ``audio [N]``.

    The audio is at 44.1 kHz. Bands are logarithmic, as wide as the page can resolve. The power of a
    band is the maximum over its FFT bins rather than their mean, which keeps single modes visible.
    """
    from scipy import signal

    frequencies_hz, times_s, transform = signal.stft(
        audio, SAMPLE_RATE_HZ, nperseg=2048, noverlap=2048 - HOP_SAMPLES
    )
    lines = np.searchsorted(frequencies_hz, np.geomspace(*RANGE_HZ, N_BANDS))
    starts = np.unique(np.minimum(lines, frequencies_hz.size - 1))
    power = np.maximum.reduceat(np.abs(transform) ** 2, starts, axis=0)
    return frequencies_hz[starts], times_s, power
