"""Conditional flow matching: the path from noise to audio, its loss, and its integration.

Lipman et al., "Flow Matching for Generative Modeling", ICLR 2023; classifier-free guidance by Ho
and Salimans, 2022; times of training by Esser et al., 2024 (SD3).
"""

# Flow matching. Noise x0 and latents of audio x1 are connected by a straight path,
#
#     x_t = (1 - t) x0 + t x1,         0 <= t <= 1,                                (interpolate)
#
# along which the velocity is constant: dx_t / dt = x1 - x0. Many paths cross at one point x_t, and
# the network, trained by the squared error to every single velocity, learns their mean there,
#
#     v(x, t) = E[x1 - x0 | x_t = x],                                              (flow_loss)
#
# because the mean minimises the squared error. Moving all of the noise by dx / dt = v(x, t) from
# t = 0 to t = 1 makes the density of x at every t that of x_t (the continuity equation), so that at
# t = 1 it is that of audio. Euler's method does so in n uniform steps:
#
#     x <- x + v(x, i / n) / n,        i = 0 ... n - 1.                             (euler)
#
# Classifier-free guidance. The density p(x) (p(x | c) / p(x))^w exaggerates what the condition c
# changes. Its score is w s(x | c) + (1 - w) s(x), where s are the scores of p(x | c) and p(x). The
# velocity of a straight path is v(x, t) = a(t) x + b(t) s(x, t), and w and 1 - w sum to one, so
#
#     v_w = w v(x, t | c) + (1 - w) v(x, t | empty).          (classifier_free_guidance)
#
# w = 1 is the plain conditional velocity.

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from acfoley.network.conditions import Conditions, concatenate
from acfoley.network.flow_network import FlowNetwork
from acfoley.params import GUIDANCE
from bench.seeds import stable_seed

#: Of the published sampling.
N_STEPS = 25

#: Called with the number of finished steps.
OnStep = Callable[[int], None]
Velocity = Callable[[Tensor, Tensor], Tensor]


def interpolate(noise: Tensor, audio: Tensor, times: Tensor) -> Tensor:
    """Return the latents ``[B, L, D]`` at ``times [B]`` on the path from ``noise`` to ``audio``."""
    weight = times[:, None, None]
    return (1 - weight) * noise + weight * audio


def flow_loss(velocity: Tensor, noise: Tensor, audio: Tensor) -> Tensor:
    """Mean squared error of a velocity ``[B, L, D]``, by clip: ``[B]``."""
    return (velocity - (audio - noise)).square().flatten(1).mean(dim=1)


def logit_normal_times(normal: Tensor, mean: float = 0.0, scale: float = 1.0) -> Tensor:
    """Times in (0, 1) for training from standard ``normal [B]``: denser in the middle."""
    return torch.sigmoid(mean + scale * normal)


def euler(
    velocity: Velocity, noise: Tensor, n_steps: int = N_STEPS, on_step: OnStep | None = None
) -> Tensor:
    """Integrate ``velocity`` from ``noise [B, L, D]`` at time 0 to time 1 in uniform steps."""
    times = torch.linspace(0, 1, n_steps + 1, dtype=torch.float32)
    lengths = times.diff().tolist()
    # Copied before the first step: a copy within the loop would let a GPU wait for this process.
    times = times.to(noise.device)
    latents = noise
    for step, length in enumerate(lengths):
        latents = latents + length * velocity(latents, times[step].expand(len(noise)))
        if on_step is not None:
            on_step(step + 1)
    return latents


def classifier_free_guidance(
    network: FlowNetwork,
    known: Conditions,
    empty: Conditions,
    strength: float = GUIDANCE,
    *,
    call: Callable[[Tensor, Tensor, Conditions], Tensor] | None = None,
) -> Velocity:
    """Return the velocity, pushed away from that of ``empty`` conditions (of one clip or of all).

    A ``strength`` of 1 or less is no guidance: the velocity is that of ``known`` alone. ``call`` is
    what computes the network, by default the network itself, compiled if it was.
    """
    dtype, call = network.latent_mean.dtype, network if call is None else call

    def predict(latents: Tensor, times: Tensor, conditions: Conditions) -> Tensor:
        # The network computes in its own dtype, steps are taken in that of the latents.
        velocity: Tensor = call(latents.to(dtype), times, conditions)
        return velocity.to(latents.dtype)

    if strength <= 1:
        return lambda latents, times: predict(latents, times, known)
    if empty.n_clips == 1:
        empty = empty.repeat(known.n_clips)
    # Both sides in one batch: weights are read once per step, not twice.
    both = concatenate([known, empty])

    def velocity(latents: Tensor, times: Tensor) -> Tensor:
        conditional, unconditional = predict(latents, times, both).chunk(2)
        return strength * conditional + (1 - strength) * unconditional

    return velocity


def noise_for(seeds: Sequence[int], n_latents: int, width: int = 40) -> Tensor:
    """Draw noise ``[B, L, D]``, each clip by its own seed, whatever else is in the batch."""
    return torch.cat([Noise(seed).latents(n_latents, width) for seed in seeds])


class Noise:
    """All noise of one clip.

    By default latents and reference have generators of their own, on the CPU and in float32: a
    clip starts from the same noise with and without a reference, in any batch, on any device.
    ``official`` is the order of the published inference, for comparison with it: one generator on
    ``device`` that the reference draws from first, then latents in the dtype of the network.
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
            self._latents = torch.Generator().manual_seed(stable_seed("latents", seed))
            #: Samples the posterior of the reference, before ``latents`` are drawn.
            self.reference = torch.Generator().manual_seed(stable_seed("reference", seed))

    def latents(self, n_latents: int, width: int = 40) -> Tensor:
        """Draw the noise that sampling starts from, ``[1, L, D]``."""
        noise = torch.empty((1, n_latents, width), device=self._device, dtype=self._dtype)
        return noise.normal_(generator=self._latents)
