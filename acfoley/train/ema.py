"""Post-hoc EMA: averages of the weights whose width is chosen after training.

A power-function average of the weights w(s) after t updates has the profile

    p(s; t, gamma) = (gamma + 1) / t * (s / t)^gamma        for 0 <= s <= t,

which keeps its shape relative to the time trained, whereas an exponential average has a fixed
length. Its relative width sigma is the deviation of s / t under p, and decides gamma. Training
follows two such averages and stores snapshots of both; an average of any other width, or of an
earlier time, is a sum of snapshots whose coefficients depend on the profiles alone.

``averages/00005000-0.05.safetensors`` is a complete network, ready for use, whose trained weights
are the average of relative width 0.05 after 5,000 steps.

Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models", CVPR 2024,
section 3 and Algorithm 3; equation numbers are those of this paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from acfoley.network.flow_network import FlowNetwork
from bench.checkpoints.load import load_state
from bench.errors import BenchError, MissingError
from bench.io import atomic_path, require_target

FOLDER = "averages"
SNAPSHOT = re.compile(r"(\d+)-(\d\.\d+)\.safetensors")
#: Coefficients up to this size are rounding of the solution and below the resolution of float32.
NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class EmaProfile:
    """The profile of an average: its relative width ``sigma``, after ``step`` updates."""

    sigma: float
    step: int


@dataclass(frozen=True)
class Snapshot(EmaProfile):
    """The file of an average."""

    path: Path


def gamma_of_sigma(sigma: float) -> float:
    """Return the exponent of the profile whose relative width is ``sigma``.

    >>> round(gamma_of_sigma(0.05), 4)
    16.9722

    Raises:
        BenchError: no profile is that narrow or wide.
    """
    # s / t follows a Beta(gamma + 1, 1) distribution under p, so its deviation is
    #     sigma^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3))                 (equation 4)
    # and, multiplied out, gamma is the largest root of
    #     gamma^3 + 7 gamma^2 + (16 - sigma^-2) gamma + (12 - sigma^-2) = 0   (Algorithm 2)
    # A profile that does not fall has gamma >= 0, and therefore sigma <= 12^-0.5 = 0.2887.
    if not 0 < sigma < 0.28:
        raise BenchError(f"an average has a relative width above 0 and below 0.28, not {sigma:g}")
    inverse = sigma**-2
    roots = np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse])
    return float(roots.real[np.abs(roots.imag) < 1e-9].max())


def decay(gamma: float, update: int, *, corrected: bool = True) -> float:
    """Return which share of the average the ``update``-th keeps, counted from 1."""
    # To turn p(s; t - 1) into p(s; t) the past is scaled by (1 - 1 / t)^(gamma + 1)  (equation 3).
    # MMAudio's averaging counts t one later, so that the first update does not discard its start,
    # and takes the geometric mean with the next decay as a correction for discrete steps.
    now = (1 - 1 / (update + 1)) ** (1 + gamma)
    following = (1 - 1 / (update + 2)) ** (1 + gamma)
    return float((now * following) ** 0.5 if corrected else now)


class PowerFunctionEma:
    """Power-function averages of named tensors, one set per relative width; they start as copies.

    ``values`` are the averages by relative width and name.
    """

    def __init__(self, tensors: Mapping[str, Tensor], sigmas: Sequence[float]) -> None:
        self.gammas = {sigma: gamma_of_sigma(sigma) for sigma in sigmas}
        self.values = {
            sigma: {name: value.detach().clone() for name, value in tensors.items()}
            for sigma in sigmas
        }

    @torch.no_grad()
    def update(self, update: int, tensors: Mapping[str, Tensor]) -> None:
        """Add ``tensors`` after the ``update``-th step, counted from 1; the first one copies."""
        for sigma, averages in self.values.items():
            share = 1.0 if update == 1 else 1 - decay(self.gammas[sigma], update)
            values = [tensors[name].detach() for name in averages]
            torch._foreach_lerp_(list(averages.values()), values, share)


def synthesis_weights(
    snapshots: Sequence[EmaProfile], target: EmaProfile
) -> npt.NDArray[np.float64]:
    """Return the coefficients ``[N]`` of ``snapshots`` whose sum comes closest to ``target``.

    Coefficients sum to nearly, not exactly, 1.
    """
    # Least squares over the profiles: minimise |sum_i c_i p_i - p|^2, whose normal equations are
    # A c = b with A_ij = <p_i, p_j> and b_i = <p_i, p>. Where the target is a snapshot, b is a
    # column of A, and the solution is that snapshot alone.
    steps = np.array([each.step for each in snapshots], dtype=np.float64)
    gammas = np.array([gamma_of_sigma(each.sigma) for each in snapshots])
    gamma = np.array([gamma_of_sigma(target.sigma)])
    step = np.array([float(target.step)])
    products = _inner_products(steps[:, None], gammas[:, None], steps[None], gammas[None])
    wanted = _inner_products(steps[:, None], gammas[:, None], step[None], gamma[None])[:, 0]
    # <p, p> falls as 1 / step, so rows of early and late snapshots differ by orders of magnitude:
    # solve for profiles of norm 1, which makes A better conditioned, and scale back.
    norms = np.sqrt(np.diagonal(products))
    solved = np.linalg.solve(products / np.outer(norms, norms), wanted / norms)
    weights: npt.NDArray[np.float64] = solved / norms
    return weights


def _inner_products(
    step_a: npt.NDArray[np.float64],
    gamma_a: npt.NDArray[np.float64],
    step_b: npt.NDArray[np.float64],
    gamma_b: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the inner products of two profiles (equation 34)."""
    # The integral of p_a p_b over [0, min(step_a, step_b)], where both are powers of s:
    #     (gamma_a + 1)(gamma_b + 1) / (gamma_a + gamma_b + 1)
    #         * min^(gamma_a + gamma_b + 1) / (step_a^(gamma_a + 1) step_b^(gamma_b + 1)),
    # of which the second factor is (min / max)^(gamma of the later one) / max.
    exponent = np.where(step_a < step_b, gamma_b, -gamma_a)
    scale = (gamma_a + 1) * (gamma_b + 1) / ((gamma_a + gamma_b + 1) * np.maximum(step_a, step_b))
    product: npt.NDArray[np.float64] = scale * (step_a / step_b) ** exponent
    return product


def save_snapshots(
    run: Path,
    network: FlowNetwork,
    averages: PowerFunctionEma,
    step: int,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write every average after ``step`` steps as ``dtype``; untrained tensors keep their type."""
    from safetensors.torch import save_file

    for sigma, values in averages.values.items():
        cast = {name: value.to(dtype) for name, value in values.items()}
        state = {**network.state_dict(), **cast}
        with atomic_path(run / FOLDER / f"{step:08d}-{sigma:g}.safetensors") as temporary:
            save_file({n: value.detach().contiguous() for n, value in state.items()}, temporary)


def list_snapshots(run: Path) -> list[Snapshot]:
    """Return the snapshots of a run, by step and width."""
    matches = [(path, SNAPSHOT.fullmatch(path.name)) for path in (run / FOLDER).glob("*")]
    found = [Snapshot(float(m[2]), int(m[1]), path) for path, m in matches if m]
    return sorted(found, key=lambda each: (each.step, each.sigma))


def synthesise(
    run: Path, sigma: float, destination: Path, *, step: int | None = None
) -> list[tuple[Snapshot, float]]:
    """Write the average of relative width ``sigma`` after ``step`` steps, by default all of them.

    ``destination`` is a safetensors file that ``--checkpoint`` takes. Returns the snapshots used,
    with their coefficients.

    Raises:
        MissingError: the run has no snapshots.
        BenchError: no profile has this width, or no snapshot is as late as ``step``.
    """
    from safetensors.torch import save_file

    found = list_snapshots(run)
    if not found:
        raise MissingError(f"{run} has no snapshots of averages: `acfoley train` writes them")
    if destination.suffix != ".safetensors":
        raise BenchError(f"cannot write {destination}: name a .safetensors file")
    last = found[-1].step
    target = EmaProfile(sigma, last if step is None else step)
    if not 1 <= target.step <= last:
        raise BenchError(f"{run} has snapshots up to step {last}, not of step {target.step}")
    weights = synthesis_weights(found, target)
    used = [
        (each, float(weight))
        for each, weight in zip(found, weights, strict=True)
        if abs(weight) > NEGLIGIBLE
    ]
    with atomic_path(require_target(destination)) as temporary:
        save_file(_sum_snapshots(used), temporary)
    return used


def _sum_snapshots(used: Sequence[tuple[Snapshot, float]]) -> dict[str, Tensor]:
    """Return the weighted sum, computed in float64 with one file in memory at a time."""
    latest = load_state(max(used, key=lambda pair: pair[0].step)[0].path)
    total = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in latest.items()}
    # Coefficients do not sum to exactly 1, so tensors that training never changes (the empty text,
    # the statistics of latents) are copied instead of summed.
    is_fixed = dict.fromkeys(latest, True)
    for snapshot, weight in used:
        for name, value in load_state(snapshot.path).items():
            is_fixed[name] &= torch.equal(value, latest[name])
            total[name].add_(value.double(), alpha=weight)
    return {
        name: latest[name].float().clone() if is_fixed[name] else value.float()
        for name, value in total.items()
    }
