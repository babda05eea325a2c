"""Conditional flow matching: straight paths from noise to sound, and the way along them.

At time t a latent is ``(1 - t) * noise + t * sound``; the network learns the velocity ``sound -
noise`` and sampling follows it in uniform steps. Lipman et al., "Flow Matching for Generative
Modeling", ICLR 2023; guidance by Ho and Salimans, 2022; times by Esser et al., 2024 (SD3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from acfoley.network.conditions import Conditions, joined
from acfoley.network.flow_network import FlowNetwork
from acfoley.params import GUIDANCE
from bench.seeds import stable_seed

#: Of the published sampling.
N_STEPS = 25

#: Called with the number of steps done.
OnStep = Callable[[int], None]
Velocity = Callable[[Tensor, Tensor], Tensor]


def on_path(noise: Tensor, audio: Tensor, times: Tensor) -> Tensor:
    """The latents ``[B, L, D]`` at ``times [B]`` on the way from ``noise`` to ``sound``."""
    weight = times[:, None, None]
    return (1 - weight) * noise + weight * audio


def flow_loss(velocity: Tensor, noise: Tensor, audio: Tensor) -> Tensor:
    """Mean squared error of a velocity ``[B, L, D]``, by clip: ``[B]``."""
    return (velocity - (audio - noise)).square().flatten(1).mean(dim=1)


def logit_normal_times(normal: Tensor, mean: float = 0.0, scale: float = 1.0) -> Tensor:
    """Times in (0, 1) of training from standard ``normal [B]``: more in the middle of the way."""
    return torch.sigmoid(mean + scale * normal)


def euler(
    velocity: Velocity, noise: Tensor, n_steps: int = N_STEPS, on_step: OnStep | None = None
) -> Tensor:
    """Follow ``velocity`` from ``noise [B, L, D]`` at time 0 to time 1 in uniform steps."""
    times = torch.linspace(0, 1, n_steps + 1, dtype=torch.float32)
    latents = noise
    for step in range(n_steps):
        now = times[step].to(noise.device).expand(len(noise))
        latents = latents + (times[step + 1] - times[step]).item() * velocity(latents, now)
        if on_step is not None:
            on_step(step + 1)
    return latents


def guided(
    network: FlowNetwork, known: Conditions, empty: Conditions, strength: float = GUIDANCE
) -> Velocity:
    """The velocity pushed away from that of ``empty`` conditions, which are of one clip or of all.

    Both sides are one batch. A ``strength`` of 1 or less is no guidance: ``known`` alone decides.
    """
    if strength <= 1:
        return lambda latents, times: _velocity(network, latents, times, known)
    if empty.n_clips == 1:
        empty = joined([empty] * known.n_clips)
    both = joined([known, empty])

    def velocity(latents: Tensor, times: Tensor) -> Tensor:
        twice = torch.cat([latents, latents]), torch.cat([times, times])
        towards, away = _velocity(network, *twice, both).chunk(2)
        return strength * towards + (1 - strength) * away

    return velocity


def noise_for(seeds: Sequence[int], n_latents: int, width: int = 40) -> Tensor:
    """Noise ``[B, L, D]`` in which each clip has its own seed, whatever stands beside it."""
    return torch.cat([Noise(seed).latents(n_latents, width) for seed in seeds])


class Noise:
    """All noise of one clip.

    By default latents and reference have generators of their own, on the CPU and in float32: a
    clip starts from the same noise with and without a reference, in any batch, on any device.
    ``official`` is the order of the published inference, for comparison with it: one generator on
    ``device`` that the reference draws from first, then latents in the type of the network.
    """

    def __init__(
        self,
        seed: int,
        *,
        official: bool = False,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._device, self._dtype = (device, dtype) if official else ("cpu", torch.float32)
        if official:
            self._latents = self.reference = torch.Generator(device).manual_seed(seed)
        else:
            self._latents = _generator("latents", seed)
            #: What the posterior of the reference is sampled with, before ``latents`` are drawn.
            self.reference = _generator("reference", seed)

    def latents(self, n_latents: int, width: int = 40) -> Tensor:
        """Noise to start from, ``[1, L, D]``."""
        noise = torch.empty((1, n_latents, width), device=self._device, dtype=self._dtype)
        return noise.normal_(generator=self._latents)


def _velocity(
    network: FlowNetwork, latents: Tensor, times: Tensor, conditions: Conditions
) -> Tensor:
    """The network in its own type; steps are taken in that of the latents."""
    dtype = network.latent_mean.dtype
    velocity: Tensor = network(latents.to(dtype), times, conditions)
    return velocity.to(latents.dtype)


def _generator(*names: object) -> torch.Generator:
    return torch.Generator().manual_seed(stable_seed(*names))
