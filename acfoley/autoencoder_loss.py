"""What the mini autoencoder is trained by, and what it must know before: statistics and weights.

The published autoencoder is loaded, not trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from acfoley.autoencoder import Autoencoder
from acfoley.magnitude import Conv

#: The narrowest spread that a band is divided by, in units of log-mel: bands may be silent.
MIN_STD = 0.1


@dataclass(frozen=True, eq=False)
class AutoencoderLoss:
    """``total = reconstruction + kl_weight * divergence``, scalars with gradients.

    ``reconstruction`` is the mean absolute error in standard deviations of each band,
    ``divergence`` the mean Kullback-Leibler divergence of a latent value from a standard normal, in
    nats.
    """

    total: Tensor
    reconstruction: Tensor
    divergence: Tensor


def autoencoder_loss(
    model: Autoencoder, mel: Tensor, generator: torch.Generator, kl_weight: float
) -> AutoencoderLoss:
    """The loss of log-mel ``mel [B, n_mels, T]`` (T even) under one draw of latents.

    Source: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014, equation 10.
    """
    mean, std = model.encode(mel)
    noise = torch.randn(mean.shape, generator=generator, device=generator.device)
    decoded = model.decode(mean + std * noise.to(mean))
    reconstruction = functional.l1_loss(decoded / model.data_std, mel / model.data_std)
    divergence = 0.5 * (mean.square() + std.square() - 1 - 2 * std.log()).mean()
    return AutoencoderLoss(reconstruction + kl_weight * divergence, reconstruction, divergence)


@torch.no_grad()
def set_statistics(model: Autoencoder, mels: Tensor) -> None:
    """Give the model the mean and spread of each band over ``mels [N, n_mels, T]``."""
    spread, mean = torch.std_mean(mels, dim=(0, 2))
    model.data_mean.copy_(mean[None, :, None])
    model.data_std.copy_(spread.clamp(min=MIN_STD)[None, :, None])


@torch.no_grad()
def draw_weights(model: Autoencoder, generator: torch.Generator) -> None:
    """Standard normal raw weights, which is where magnitude-preserving training starts."""
    for part in model.modules():
        if isinstance(part, Conv):
            part.weight.normal_(generator=generator)
