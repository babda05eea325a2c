"""Inputs of CLAP for its tests and for the script that makes its reference arrays.

Waveforms and prompts are drawn; the vocabulary is a small one in the layout of RoBERTa's, for the
real one is not ours to give away.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tests.backbones.seeded import GOLDEN, drawn_state

RATE_HZ = 48_000
MERGES = ("d o", "do g", "Ġ b", "Ġb a", "r k", "i n", "in g", "Ġba rk", "Ġbark ing", "t h", "Ġ th")

PROMPTS = (
    "dog barking",
    "",
    "  The dog,barking twice;  (twice!)",
    "a naïve 犬 in the café\n#42",
    "dog barking in the rain " * 12,
)


def is_constant(name: str) -> bool:
    """Return whether a tensor of the official file is computed, not trained."""
    return "extractor" in name or name.endswith(("index", "attn_mask", "tracked"))


def golden() -> dict[str, np.ndarray]:
    """The outputs of the package for these inputs."""
    return dict(np.load(GOLDEN / "clap.npz"))


def official_state() -> dict[str, Tensor]:
    """Drawn weights under the names of the official file, but for its ``module.``."""
    shapes = json.loads(str(golden()["shapes"]))
    with torch.device("meta"):
        learned = {name: torch.empty(shape) for name, shape in shapes.items()}
    constants = {name: learned.pop(name) for name in shapes if is_constant(name)}
    index = {name: _pairs() for name in constants if name.endswith("index")}
    empty = {name: torch.zeros(tensor.shape) for name, tensor in constants.items()}
    counters = {name: torch.tensor(0) for name in constants if name.endswith("tracked")}
    return drawn_state(learned) | empty | index | counters


def _pairs() -> Tensor:
    """Return the offset, of 15 x 15, between each two of 8 x 8 positions, ``[64, 64]``."""
    rows, columns = torch.arange(64) // 8, torch.arange(64) % 8
    return (rows[:, None] - rows + 7) * 15 + columns[:, None] - columns + 7


def waveforms() -> dict[str, np.ndarray]:
    """Mono waveforms ``[T]`` by name: two that must be repeated, one of the full ten seconds."""
    draw = np.random.RandomState(11)  # its stream is frozen
    loud = draw.standard_normal(10 * RATE_HZ) * 0.6
    loud[: 2 * RATE_HZ] = 0.0
    return {
        "five_times": (draw.standard_normal(2 * RATE_HZ) * 0.1).astype(np.float32),
        "twice_and_rest": (draw.standard_normal(177_600) * 0.003).astype(np.float32),
        "loud": loud.astype(np.float32),
    }


def write_vocabulary(folder: Path) -> tuple[Path, Path]:
    """Write ``vocab.json`` and ``merges.txt`` and return their paths."""
    special = ("<s>", "<pad>", "</s>", "<unk>")
    words = (*special, *_alphabet(), *(merge.replace(" ", "") for merge in MERGES), "<mask>")
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: n for n, word in enumerate(words)}), "utf-8")
    merges.write_text("\n".join(("#version: 0.2", *MERGES, "")), "utf-8")
    return vocabulary, merges


def _alphabet() -> list[str]:
    """A visible character for each byte: itself, or one from 256 on for those that are not."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = (byte for byte in range(256) if byte not in visible)
    return [*map(chr, sorted(visible)), *(chr(256 + n) for n, _ in enumerate(hidden))]
