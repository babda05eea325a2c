from __future__ import annotations

import torch
from torch import Tensor

from acfoley.mini.pca_autoencoder import N_LATENTS, N_MELS, fit


def drawn(n_dimensions: int, seed: int = 0) -> Tensor:
    """Log-mel ``[6, 128, 200]`` whose pairs of frames lie in so many dimensions, around -5."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(n_dimensions, 2, N_MELS, generator=generator)
    strengths = torch.randn(6, 100, n_dimensions, generator=generator)
    strengths -= strengths.mean(dim=(0, 1))
    pairs = torch.einsum("bld,dsm->bmls", strengths, directions)
    return pairs.flatten(2) - 5


def test_spectrograms_of_40_dimensions_are_kept() -> None:
    mel = drawn(N_LATENTS)
    model = fit(mel)
    latents, spread = model.encode(mel)
    assert latents.shape == (6, N_LATENTS, 100)
    assert not spread.any()
    torch.testing.assert_close(model.decode(latents), mel, atol=2e-3, rtol=0)


def test_the_error_is_that_of_the_best_linear_map() -> None:
    mel = drawn(60)
    model = fit(mel)
    error = model.decode(model.encode(mel)[0]) - mel
    pairs = (mel - mel.mean(dim=(0, 2), keepdim=True)).unflatten(2, (100, 2))
    values = torch.linalg.svdvals(pairs.permute(0, 2, 3, 1).flatten(2).flatten(0, 1).double())
    least = values[N_LATENTS:].square().sum()
    torch.testing.assert_close(error.square().sum().double(), least, rtol=1e-3, atol=0)


def test_encoding_a_decoded_latent_returns_it() -> None:
    model = fit(drawn(60))
    latents = torch.randn(2, N_LATENTS, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(model.encode(model.decode(latents))[0], latents, atol=1e-3, rtol=0)


def test_the_autoencoder_is_deterministic_and_drops_an_odd_frame() -> None:
    mel = drawn(60)
    first, second = fit(mel), fit(mel)
    assert torch.equal(first.to_latents, second.to_latents)
    whole, shorter = first.encode(mel)[0], first.encode(mel[..., :199])[0]
    torch.testing.assert_close(shorter, whole[..., :99], atol=1e-5, rtol=0)


def test_latents_have_similar_deviations() -> None:
    """Components differ a thousandfold in strength; mixed, latents differ by a few times."""
    mel = drawn(N_LATENTS)
    scales = torch.logspace(0, -1.5, N_MELS)[None, :, None]
    deviations = fit(mel * scales).encode(mel * scales)[0].std(dim=(0, 2))
    assert deviations.max() / deviations.min() < 4
