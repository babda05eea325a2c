"""Weights and inputs drawn by name, as those of the reference arrays were, and files of them.

Each tensor has a generator of its own, seeded by its name in the official checkpoints, and a size
that follows from its shape; NumPy's RandomState, because its streams are frozen.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from acfoley.network.conditions import Features
from acfoley.network.flow_network import FlowNetwork
from acfoley.network.weights import COMPUTED
from acfoley.params import VAE_REFERENCE, FlowParams, SequenceLengths

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
#: Makes entries matter that would be too small to be seen.
ACFOLEY_GAIN = {r"^(empty_(clip|sync|string)|sync_pos)_": 32.0, r"^empty_audio_": 4.0}
MMAUDIO_GAIN = {r"^(empty|sync_pos)_": 32.0}

#: The narrow network of the reference arrays.
NARROW = FlowParams(128, 2, 2, 2, version=1, reference=VAE_REFERENCE)


def draw(name: str, shape: tuple[int, ...], scale: float = 1.0) -> Tensor:
    """Normal values by name."""
    values = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape) * scale
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def seeded_state(params: FlowParams, gain: dict[str, float]) -> dict[str, Tensor]:
    """Weights for every tensor of the network; latents have mean 0 and deviation 1."""
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in FlowNetwork(params).state_dict().items()}
    state = {name: _value(name, shape, gain) for name, shape in shapes.items()}
    state["latent_mean"] = torch.zeros(shapes["latent_mean"])
    state["latent_std"] = torch.ones(shapes["latent_std"])
    return state


def write_checkpoint(path: Path, params: FlowParams, gain: dict[str, float]) -> Path:
    """A file in the official layout, with the computed tables that official files may hold."""
    strays = {name: torch.full((2, 3), 7.0) for name in COMPUTED}
    torch.save({**seeded_state(params, gain), **strays}, path)
    return path


def drawn_features(tag: str, n_clips: int, lengths: SequenceLengths) -> Features:
    """The inputs of the AC-Foley arrays."""
    return Features(
        audio=draw(f"{tag}.audio", (n_clips, 87, 40)),
        sync=draw(f"{tag}.sync", (n_clips, lengths.sync_tokens, 768)),
        video=draw(f"{tag}.clip", (n_clips, lengths.clip_frames, 1024)),
        text=draw(f"{tag}.text", (n_clips, 77, 1024)),
    )


def relative_error(ours: Tensor, golden: np.ndarray) -> float:
    """Distance to the golden array in units of its norm."""
    expected = torch.from_numpy(golden)
    return float((ours - expected).norm() / expected.norm())


def _value(name: str, shape: tuple[int, ...], gain: dict[str, float]) -> Tensor:
    if len(shape) >= 2:
        value = draw(name, shape, float(np.prod(shape[1:])) ** -0.5)
    elif name.endswith("weight"):
        value = 1.0 + 0.1 * draw(name, shape)
    else:
        value = draw(name, shape, 0.05)
    for pattern, factor in gain.items():
        if re.search(pattern, name):
            value = value * factor
    return value
