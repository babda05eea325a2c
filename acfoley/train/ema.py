"""Averages of the weights with a power-function profile, and others made of them afterwards.

Two averages follow training. A snapshot of both is kept now and then, and the average of any other
relative width is close to a sum of snapshots, whose coefficients follow from the profiles alone:
the width can be chosen when training is over.

Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models", CVPR 2024,
section 3 and Algorithm 3. The decay of an update is the geometric mean of two consecutive ones, as
in the code that MMAudio was trained with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.errors import BenchError


class Profile(Protocol):
    """The profile of an average: its relative width, after how many updates."""

    @property
    def sigma(self) -> float:
        """Width in units of the time trained."""

    @property
    def step(self) -> int:
        """Updates done."""


@dataclass(frozen=True)
class EmaProfile:
    """An average that is wanted: its relative width, after how many updates."""

    sigma: float
    step: int


def gamma_of_sigma(sigma: float) -> float:
    """The exponent of the profile whose relative width is ``sigma`` (the paper's equation 4).

    >>> round(gamma_of_sigma(0.05), 4)
    16.9722

    Raises:
        BenchError: no profile is that narrow or wide.
    """
    if not 0 < sigma < 0.28:
        raise BenchError(f"an average has a relative width above 0 and below 0.28, not {sigma:g}")
    inverse = sigma**-2
    roots = np.roots([1.0, 7.0, 16.0 - inverse, 12.0 - inverse])
    return float(roots.real[np.abs(roots.imag) < 1e-9].max())


def decay(gamma: float, update: int, *, corrected: bool = True) -> float:
    """How much of the average is kept at the ``update``-th, counted from 1."""
    now = (1 - 1 / (update + 1)) ** (1 + gamma)
    following = (1 - 1 / (update + 2)) ** (1 + gamma)
    return float((now * following) ** 0.5 if corrected else now)


class PowerFunctionEma:
    """Averages of named tensors, one set for each relative width; they start as copies."""

    def __init__(self, tensors: Mapping[str, Tensor], sigmas: Sequence[float]) -> None:
        self.gammas = {sigma: gamma_of_sigma(sigma) for sigma in sigmas}
        self.values = {
            sigma: {name: value.detach().clone() for name, value in tensors.items()}
            for sigma in sigmas
        }

    @torch.no_grad()
    def update(self, update: int, tensors: Mapping[str, Tensor]) -> None:
        """Take the tensors in, after the ``update``-th step, counted from 1; the first copies."""
        for sigma, averages in self.values.items():
            share = 1.0 if update == 1 else 1 - decay(self.gammas[sigma], update)
            values = [tensors[name].detach() for name in averages]
            torch._foreach_lerp_(list(averages.values()), values, share)


def synthesis_weights(snapshots: Sequence[Profile], target: EmaProfile) -> npt.NDArray[np.float64]:
    """The coefficients ``[N]`` of ``snapshots`` whose sum comes closest to ``target``.

    Least squares over the profiles. A target that is a snapshot is that snapshot. The
    coefficients sum to nearly, not exactly, 1.
    """
    steps = np.array([each.step for each in snapshots], dtype=np.float64)
    gammas = np.array([gamma_of_sigma(each.sigma) for each in snapshots])
    gamma = np.array([gamma_of_sigma(target.sigma)])
    step = np.array([float(target.step)])
    products = _products(steps[:, None], gammas[:, None], steps[None], gammas[None])
    wanted = _products(steps[:, None], gammas[:, None], step[None], gamma[None])[:, 0]
    # Profiles of equal norm: snapshots of early steps would otherwise drown in rounding.
    norms = np.sqrt(np.diagonal(products))
    solved = np.linalg.solve(products / np.outer(norms, norms), wanted / norms)
    weights: npt.NDArray[np.float64] = solved / norms
    return weights


def _products(
    step_a: npt.NDArray[np.float64],
    gamma_a: npt.NDArray[np.float64],
    step_b: npt.NDArray[np.float64],
    gamma_b: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Inner products of two profiles: the paper's equation 34."""
    exponent = np.where(step_a < step_b, gamma_b, -gamma_a)
    scale = (gamma_a + 1) * (gamma_b + 1) / ((gamma_a + gamma_b + 1) * np.maximum(step_a, step_b))
    product: npt.NDArray[np.float64] = scale * (step_a / step_b) ** exponent
    return product
