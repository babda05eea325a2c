"""Weights drawn by name, waveforms for them, and the reference outputs for both.

Two sets: `seeded_state` and `waveforms` belong to the reference arrays of the shared folder,
`drawn_state` and `noise_and_expected` to ``audio_networks.npz`` of this repository.
"""

from __future__ import annotations

import importlib.util
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.judges import ClipMedia, NetworkExtractor, Prepared
from bench.judges.paper import PUBLISHED, paper_extractors
from bench.media import prepare_evaluator_waveform, read_audio
from bench.types import Excerpt

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
BLOCK = 2**16
NAMES = ("v1_gt", "v1_predA", "v2_gt", "v2_predA")


class _Tensors(nn.Module):
    """As much of a module as the seeding asks for: named tensors."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.tensors = tensors

    def state_dict(self) -> dict[str, Tensor]:
        return self.tensors


def seeded_state(shared: Path, table: str) -> dict[str, Tensor]:
    """Seeded tensors for the names and shapes of ``golden/<table>``; constants stay zero."""
    shapes = json.loads((shared / "golden" / table).read_text())
    tensors = {
        name: torch.zeros(shape, dtype=torch.int64 if name.endswith("tracked") else torch.float32)
        for pattern, shape in shapes.items()
        for name in _expanded(pattern)
    }
    path = shared / "golden" / "seed_weights.py"
    spec = importlib.util.spec_from_file_location("seed_weights", path)
    seed_weights = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seed_weights)
    seed_weights.fill(_Tensors(tensors))
    return tensors


def _expanded(pattern: str) -> list[str]:
    """Expand ``blocks.{0..11}.x`` to twelve names."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if found is None:
        return [pattern]
    first, last = int(found[1]), int(found[2])
    return [pattern.replace(found[0], str(number)) for number in range(first, last + 1)]


def waveforms(shared: Path, names: tuple[str, ...], rate_hz: int, seconds: float = 8.0) -> Tensor:
    """The waveforms ``[B, T]`` that the networks are given of these files."""
    files = [shared / "golden" / "media" / f"{name}.flac" for name in names]
    rows = [
        prepare_evaluator_waveform(read_audio(Excerpt(file)), rate_hz, seconds, remove_dc=True)
        for file in files
    ]
    return torch.from_numpy(np.stack(rows))


def drawn_state(like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights for the names and shapes of ``like``, whose values are not read."""
    return {
        name: _drawn(name, tuple(tensor.shape))
        if tensor.is_floating_point()
        else torch.zeros(tensor.shape, dtype=tensor.dtype)
        for name, tensor in like.items()
    }


def _drawn(name: str, shape: tuple[int, ...]) -> Tensor:
    """Normal values from the seed crc32 of ``name``, of a size that keeps signals level."""
    scale, offset = 0.05, 0.0
    if len(shape) > 1:
        scale = np.prod(shape[1:]) ** -0.5
    elif name.endswith(("weight", "running_var")):
        scale, offset = 0.1, 1.0
    # RandomState's streams are frozen, those of Generator may change with NumPy. A stream does not
    # depend on how much of it is taken at once, and blocks that fit into the cache take half the
    # time of float64 arrays of gigabytes.
    draw, values = np.random.RandomState(zlib.crc32(name.encode())), np.empty(shape, np.float32)
    flat = values.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        block = draw.standard_normal(min(BLOCK, flat.size - start))
        flat[start : start + BLOCK] = offset + scale * (np.abs(block) if offset else block)
    return torch.from_numpy(values)


def noise_and_expected(network: str) -> tuple[Tensor, dict[str, np.ndarray]]:
    """Noise with silence in it ``[1, 32000]``, and what the published package makes of it."""
    with np.load(GOLDEN / "audio_networks.npz") as arrays:
        noise = arrays["noise"][np.newaxis] / np.float32(32_768)
        prefix = f"{network}."
        expected = {
            name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)
        }
    return torch.from_numpy(noise), expected


def relative_errors(ours: Tensor, golden: np.ndarray) -> np.ndarray:
    """Distance to the golden array in units of its norm, per clip."""
    ours, golden = ours.flatten(1).numpy(), golden.reshape(len(golden), -1)
    return np.linalg.norm(ours - golden, axis=1) / np.linalg.norm(golden, axis=1)


def judge_row(name: str, folder: Path) -> NetworkExtractor:
    """The extractor of the paper judge, with the checkpoints of this folder."""
    (row,) = (row for row in paper_extractors(PUBLISHED, folder, "cpu") if row.name == name)
    return row


def open_row(name: str, folder: Path) -> Callable[[Sequence[Prepared]], dict[str, Tensor]]:
    """The network as `bench run` opens it: prepared clips to features ``[B, ...]``."""
    embed = judge_row(name, folder).open()

    def features(prepared: Sequence[Prepared]) -> dict[str, Tensor]:
        rows = embed(prepared)
        return {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}

    return features


def prepare_files(
    name: str, shared: Path, files: Sequence[str], seconds: float = 8.0
) -> list[Prepared]:
    """The input that `bench run` makes of these reference files."""
    row = judge_row(name, Path("unused"))
    media = shared / "golden" / "media"
    return [row.prepare(ClipMedia(Excerpt(media / f"{each}.flac", 0.0, seconds))) for each in files]


def prepare_waveforms(front_end: Callable[[Tensor], Tensor], waveforms: Tensor) -> list[Prepared]:
    """The same of waveforms ``[B, T]`` that are no files."""
    return [{"images": image} for image in front_end(waveforms).numpy()]
