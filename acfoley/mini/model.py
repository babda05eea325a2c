"""A variant of the mini AC-Foley, ready to generate.

    model = open_mini("two-stage")
    (sound,) = model.generate([Job(seconds=8, seed=42, picture=Excerpt(path), reference=audio)])

Nothing is fetched: network, codec and encoders come with the package.
"""

from __future__ import annotations

from pathlib import Path

import torch

from acfoley.generate import Model
from acfoley.mini.encoders import load_mini_encoders
from acfoley.mini.variants import VARIANTS, open_mini_codec, open_mini_flow
from acfoley.params import MINI_GUIDANCE


def open_mini(
    variant: str = VARIANTS[0],
    device: torch.device | str = "cpu",
    *,
    dtype: torch.dtype = torch.float32,
    flow: Path | None = None,
) -> Model:
    """Return the model of a variant on ``device``; ``flow`` is a checkpoint in place of its own.

    Codec and encoders are float32, the flow network has ``dtype``.

    Raises:
        BenchError: there is no such variant, or a file is damaged or of another network.
        MissingError: a file is not there.
    """
    network = open_mini_flow(variant, device, flow).to(dtype)
    codec, encoders = open_mini_codec(device), load_mini_encoders(device)
    return Model(network, codec, encoders, guidance=MINI_GUIDANCE)
