"""The sampler of AudioX."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor


def generate_diffusion_cond(
    model: Any,
    *,
    steps: int,
    cfg_scale: float,
    conditioning: list[dict],
    sample_size: int,
    sigma_min: float,
    sigma_max: float,
    sampler_type: str,
    seed: int,
    device: str,
) -> Tensor:
    """Return audio ``[1, 2, samples]`` that a seed decides."""
    (condition,) = conditioning
    prompt = condition["audio_prompt"]
    assert prompt.shape == (1, 2, 441_000), prompt.shape
    assert condition["video_prompt"][0].shape == (1, 50, 3, 8, 8)
    print(
        "audio prompt:", np.count_nonzero(prompt[0, 0]), "samples; text:", condition["text_prompt"]
    )
    noise = np.random.default_rng(seed).uniform(-0.2, 0.2, (1, 2, sample_size))
    return noise.view(Tensor)
