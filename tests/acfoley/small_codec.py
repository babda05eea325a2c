"""The published autoencoder at a small size, with drawn weights."""

from __future__ import annotations

import torch
from torch import Tensor

from acfoley.codec.autoencoder import Autoencoder, AutoencoderParams
from acfoley.codec.autoencoder_layers import Conv

SMALL = AutoencoderParams(n_mels=128, n_latent=40, width=64, multipliers=(1, 2, 2), n_blocks=1)


@torch.no_grad()
def small_autoencoder(mels: Tensor) -> Autoencoder:
    """Standard normal raw weights, and the mean and spread of each band of ``mels [N, 128, T]``."""
    model = Autoencoder(SMALL)
    generator = torch.Generator().manual_seed(0)
    for part in model.modules():
        if isinstance(part, Conv):
            part.weight.normal_(generator=generator)
    spread, mean = torch.std_mean(mels, dim=(0, 2))
    model.data_mean.copy_(mean[None, :, None])
    model.data_std.copy_(spread.clamp(min=0.1)[None, :, None])
    return model.eval()
