"""The autoencoder of the mini codec: principal components of pairs of log-mel frames.

The best linear autoencoder is known in closed form (Pearson 1901), takes seconds to fit, and is
better than a small network of the published design, which at 1.3 million weights blurs the peaks of
spectra by 10 dB.
"""

# Let C = U diag(v) U^T be the covariance of pairs of frames. Of all maps to 40 numbers and back the
# 40 directions of U with the largest v have the least squared error. Their components differ in
# deviation (sqrt v) by orders of magnitude; left so, a flow would learn the strong ones alone, at
# unit variance all would count the same. Dividing by v^(1/4) brings them half-way. A fixed random
# rotation R then mixes them, so that all latents have similar variance:
#
#     latents = R diag(v^(-1/4)) U^T (x - mean),     x = mean + U diag(v^(1/4)) R^T latents.

from __future__ import annotations

import torch
from torch import Tensor, nn

from acfoley.codec.autoencoder_layers import STRIDE
from bench.seeds import stable_seed

N_MELS = 128
N_LATENTS = 40


class LinearAutoencoder(nn.Module):
    """Log-mel ``[B, 128, T]`` to latents ``[B, 40, T // 2]`` and back; the deviation is 0."""

    data_mean: Tensor
    to_latents: Tensor
    to_mel: Tensor

    def __init__(self) -> None:
        super().__init__()
        n_values = STRIDE * N_MELS
        self.register_buffer("data_mean", torch.zeros(1, N_MELS, 1))
        self.register_buffer("to_latents", torch.zeros(N_LATENTS, n_values))
        self.register_buffer("to_mel", torch.zeros(n_values, N_LATENTS))

    def encode(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Latents of ``mel [B, 128, T]`` and their deviations, which are 0."""
        latents = self.to_latents @ _pairs(mel - self.data_mean)
        return latents, torch.zeros_like(latents)

    def decode(self, latents: Tensor) -> Tensor:
        """Log-mel ``[B, 128, 2 L]`` of ``latents [B, 40, L]``."""
        pairs = (self.to_mel @ latents).view(len(latents), STRIDE, N_MELS, -1)
        return pairs.permute(0, 2, 3, 1).flatten(2) + self.data_mean


def fit(mels: Tensor) -> LinearAutoencoder:
    """Return the autoencoder of least squared error for ``mels [N, 128, T]``; deterministic."""
    model = LinearAutoencoder()
    model.data_mean.copy_(mels.mean(dim=(0, 2))[None, :, None])
    pairs = _pairs(mels - model.data_mean).movedim(1, 0).flatten(1).double()
    variances, directions = torch.linalg.eigh(pairs @ pairs.T / pairs.shape[1])
    kept = directions[:, -N_LATENTS:]
    # The sign of a direction is free: its largest entry is positive.
    kept = kept * kept.gather(0, kept.abs().argmax(dim=0, keepdim=True)).sign()
    scales = variances[-N_LATENTS:] ** 0.25
    generator = torch.Generator().manual_seed(stable_seed("mini codec"))
    drawn = torch.randn(N_LATENTS, N_LATENTS, generator=generator, dtype=torch.float64)
    rotation = torch.linalg.qr(drawn)[0]
    model.to_latents.copy_(rotation @ (kept / scales).T)
    model.to_mel.copy_((kept * scales) @ rotation.T)
    return model


def _pairs(mel: Tensor) -> Tensor:
    """``mel [B, 128, T]`` as ``[B, 256, T // 2]``: two frames, one after the other, in a column."""
    n_pairs = mel.shape[2] // STRIDE
    pairs = mel[..., : n_pairs * STRIDE].reshape(*mel.shape[:2], n_pairs, STRIDE)
    stacked: Tensor = pairs.permute(0, 3, 1, 2).flatten(1, 2)
    return stacked
