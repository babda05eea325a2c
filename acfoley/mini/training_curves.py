"""The training curves of the mini networks as one figure.

    python -m acfoley.mini.training_curves [--runs FOLDER] [--out docs/mini-training.png]

``FOLDER`` holds the runs of ``acfoley.mini.train``, one folder per variant; by default those of the
codec that the package comes with.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acfoley.mini.train import Work
from acfoley.mini.variants import VARIANTS, variant_recipe
from acfoley.train.log import read_log
from bench.errors import BenchError, RunError
from bench.io import atomic_path, bench_home
from bench.types import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Steps that the training loss is averaged over, half of them on each side.
SMOOTHED_STEPS = 200
PANEL_INCHES = (2.8, 3.2)
#: They differ in lightness as well as in hue.
TRAINING_COLOUR, HELD_OUT_COLOUR = "#7fb2e5", "#7a2b00"
#: The top of the panels, over the highest loss that a run ends with: the first steps are cut off.
HIGHEST_RATIO = 1.5


@dataclass(frozen=True, eq=False)
class Line:
    """Losses ``[N]`` at steps ``[N]``, and the stage of training of each."""

    steps: FloatArray
    losses: FloatArray
    stages: tuple[str, ...]

    @property
    def stage_starts(self) -> list[tuple[float, str]]:
        """The step after which each stage begins, and its name."""
        changes = zip(pairwise(self.stages), self.steps, strict=False)
        later = [(float(step), stage) for (before, stage), step in changes if stage != before]
        return [(0.0, self.stages[0]), *later]


def read_line(path: Path) -> Line:
    """Read the loss of ``log.csv`` or ``validation.csv``.

    Raises:
        RunError: there is no curve, or it has no rows.
    """
    rows = read_log(path)
    if not rows:
        raise RunError(f"there is no curve {path}: train with `python -m acfoley.mini.train`")
    steps, losses = (np.array([float(row[name]) for row in rows]) for name in ("step", "loss"))
    return Line(steps, losses, tuple(row["stage"] for row in rows))


def smooth(line: Line) -> FloatArray:
    """The mean of the losses within ``SMOOTHED_STEPS`` around each step, ``[N]``."""
    near = np.abs(line.steps[:, None] - line.steps) <= SMOOTHED_STEPS / 2
    mean: FloatArray = near @ line.losses / near.sum(axis=1)
    return mean


def plot_training(runs: Mapping[str, Path], destination: Path) -> None:
    """Draw the training and the held-out loss of each run by step, side by side on one scale.

    Raises:
        RunError: a run has no curves.
    """
    from matplotlib.figure import Figure

    lines = {
        name: (read_line(run / "log.csv"), read_line(run / "validation.csv"))
        for name, run in runs.items()
    }
    width, height = PANEL_INCHES
    figure = Figure(figsize=(width * len(lines), height), layout="constrained")
    panels = figure.subplots(1, len(lines), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (name, (training, held_out)) in zip(panels, lines.items(), strict=True):
        panel.set_title(name, fontsize=10)
        _draw(panel, training, held_out)
    smoothed = [smooth(line) for pair in lines.values() for line in pair]
    lowest = 0.95 * min(float(losses.min()) for losses in smoothed)
    highest = HIGHEST_RATIO * max(float(losses[-1]) for losses in smoothed)
    panels[0].set(ylabel="loss", ylim=(lowest, highest))
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2, frameon=False
    )
    # Without matplotlib's version in the file, the same losses give the same bytes.
    with atomic_path(destination) as temporary:
        figure.savefig(temporary, dpi=90, metadata={"Software": None})


def _draw(panel: Axes, training: Line, held_out: Line) -> None:
    mean = f"training, mean of {SMOOTHED_STEPS} steps"
    panel.plot(training.steps, smooth(training), color=TRAINING_COLOUR, linewidth=2.5, label=mean)
    known = held_out.steps, held_out.losses
    panel.plot(*known, color=HELD_OUT_COLOUR, linewidth=1.3, label="held-out clips")
    across = panel.get_xaxis_transform()
    for start, stage in training.stage_starts:
        if start:
            panel.axvline(start, color="0.5", linestyle=":", linewidth=1.2)
        panel.text(start, 0.02, f" {stage}", fontsize=8, color="0.35", transform=across)
    panel.set(xlabel="step", xlim=(0.0, None))
    panel.grid(color="0.92")
    panel.spines[["top", "right"]].set_visible(False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the curves of the variants that were trained, and name those that were not.

    Raises:
        RunError: none was.
    """
    parser = argparse.ArgumentParser(
        prog="python -m acfoley.mini.training_curves", description=__doc__
    )
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/mini-training.png"))
    options = parser.parse_args(arguments)
    folder = options.runs or Work(bench_home() / "mini-acfoley").run(VARIANTS[0]).parent
    runs = {name: folder / f"{name}-{variant_recipe(name).digest()[:8]}" for name in VARIANTS}
    there = {name: run for name, run in runs.items() if read_log(run / "validation.csv")}
    if not there:
        names = ", ".join(run.name for run in runs.values())
        raise RunError(f"{folder} holds no training run of these: {names}; `make mini-weights`")
    plot_training(there, options.out)
    missing = [name for name in VARIANTS if name not in there]
    without = f", without {', '.join(missing)}, which were not trained" if missing else ""
    sys.stderr.write(f"{options.out}{without}\n")


if __name__ == "__main__":
    try:
        main()
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
