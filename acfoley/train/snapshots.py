"""Snapshots of the averages of a run, and weights made of them when it is over.

``averages/00005000-0.05.safetensors`` is a whole network, ready to be used, whose trained weights
are the average of relative width 0.05 after 5,000 steps.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from acfoley.network.flow_network import FlowNetwork
from acfoley.train.ema import PowerAverages, Target, synthesis_weights
from bench.checkpoints.load import load_state
from bench.errors import BenchError, MissingError
from bench.io import atomic_path, require_target

FOLDER = "averages"
SNAPSHOT = re.compile(r"(\d+)-(\d\.\d+)\.safetensors")
#: Coefficients of this size and less change nothing that float32 can tell.
NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class Snapshot:
    """One average at one time."""

    step: int
    sigma: float
    path: Path


def save_snapshots(
    run: Path,
    network: FlowNetwork,
    averages: PowerAverages,
    step: int,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write every average after ``step`` steps; what is not trained is stored as it is."""
    from safetensors.torch import save_file

    for sigma, values in averages.values.items():
        cast = {name: value.to(dtype) for name, value in values.items()}
        state = {**network.state_dict(), **cast}
        with atomic_path(run / FOLDER / f"{step:08d}-{sigma:g}.safetensors") as temporary:
            save_file({n: value.detach().contiguous() for n, value in state.items()}, temporary)


def snapshots(run: Path) -> list[Snapshot]:
    """The snapshots of a run, by step and width."""
    matches = [(path, SNAPSHOT.fullmatch(path.name)) for path in (run / FOLDER).glob("*")]
    found = [Snapshot(int(m[1]), float(m[2]), path) for path, m in matches if m]
    return sorted(found, key=lambda each: (each.step, each.sigma))


def synthesise(
    run: Path, sigma: float, destination: Path, *, step: int | None = None
) -> list[tuple[Snapshot, float]]:
    """Write the average of relative width ``sigma`` after ``step`` steps, all of them by default.

    ``destination`` is a safetensors file that ``--checkpoint`` takes. Returns the snapshots used,
    with their coefficients.

    Raises:
        MissingError: the run has no snapshots.
        BenchError: there is no profile of this width, or no snapshot as late as ``step``.
    """
    from safetensors.torch import save_file

    found = snapshots(run)
    if not found:
        raise MissingError(f"{run} has no snapshots of averages: `acfoley train` writes them")
    if destination.suffix != ".safetensors":
        raise BenchError(f"cannot write {destination}: name a .safetensors file")
    last = found[-1].step
    target = Target(sigma, last if step is None else step)
    if not 1 <= target.step <= last:
        raise BenchError(f"{run} has snapshots up to step {last}, not of step {target.step}")
    weights = synthesis_weights(found, target)
    used = [
        (each, float(weight))
        for each, weight in zip(found, weights, strict=True)
        if abs(weight) > NEGLIGIBLE
    ]
    with atomic_path(require_target(destination)) as temporary:
        save_file(_summed(used), temporary)
    return used


def _summed(used: Sequence[tuple[Snapshot, float]]) -> dict[str, Tensor]:
    """The weighted sum in float64, file by file; what never changed stays what it is."""
    latest = load_state(max(used, key=lambda pair: pair[0].step)[0].path)
    total = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in latest.items()}
    is_fixed = dict.fromkeys(latest, True)
    for snapshot, weight in used:
        for name, value in load_state(snapshot.path).items():
            is_fixed[name] &= torch.equal(value, latest[name])
            total[name].add_(value.double(), alpha=weight)
    return {
        name: latest[name].float().clone() if is_fixed[name] else value.float()
        for name, value in total.items()
    }
