"""How good the small judges are on scenes they were not taught.

``python -m bench.mini_judges.measure`` judges 360 held-out scenes as they are rendered and 60 after
H.264 and AAC, as they come from disk. The functions take any block of examples.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.io import bench_home
from bench.media import read_audio, read_frames, resample
from bench.mini_judges.examples import (
    BLOCK_SCENES,
    FULL_SCALE,
    HELD_OUT_SPLIT,
    N_HELD_OUT_BLOCKS,
    RATES_HZ,
    Block,
    block_of,
    load_block,
    render_blocks,
    sixteen_bit,
)
from bench.mini_judges.labels import MATERIAL_OF, N_MATERIALS
from bench.mini_judges.pictures import FRAMES_PER_S, STILL_EVERY
from bench.mini_judges.shipped import load_network
from bench.mini_judges.synchformer import (
    GRID_FRAMES,
    LARGEST_FRAMES,
    N_OFFSETS,
    WINDOW_FRAMES,
)
from bench.synthetic.clips import render_clip
from bench.synthetic.world import make_scene
from bench.types import MAX_SHORTFALL_S, Excerpt, FloatArray

SECONDS = 8
#: Scenes that a network is given at a time.
BATCH = 20
OWN = 0
STEP_S = GRID_FRAMES / FRAMES_PER_S


class Accuracy(NamedTuple):
    """Shares of sounds whose class, action and material were told right."""

    both: float
    action: float
    material: float


class Fit(NamedTuple):
    """Mean cosines of true pairs and of those of two classes; how often the nearest is right."""

    true: float
    others: float
    nearest: float


@torch.inference_mode()
def sound_accuracy(name: str, block: Block, seconds: int = SECONDS) -> Accuracy:
    """How often ``passt`` or ``panns`` is right, given the first seconds of sounds."""
    network = load_network(name)
    logits = [network(part)[1] for part in _parts(block, 0 if name == "passt" else 1, seconds)]
    told = torch.cat(logits).argmax(dim=1)
    is_action = told // N_MATERIALS == torch.from_numpy(block.action)
    is_material = torch.tensor(MATERIAL_OF)[told] == torch.from_numpy(block.material[:, OWN])
    return Accuracy(*(_share(each) for each in (is_action & is_material, is_action, is_material)))


@torch.inference_mode()
def fit(block: Block, seconds: int = SECONDS) -> Fit:
    """How well the sounds of a block fit their pictures, and those of other classes."""
    network: Any = load_network("imagebind")
    heard = torch.cat([network.hear(part) for part in _parts(block, 1, seconds)])
    stills = torch.from_numpy(block.stills[:, : -(-seconds * FRAMES_PER_S // STILL_EVERY)])
    seen = torch.cat([network.see(part) for part in _batches(stills)])
    cosines = seen @ heard.T
    classes = torch.from_numpy(block.action * N_MATERIALS + block.material[:, OWN])
    is_other = classes[:, None] != classes
    nearest = classes[cosines.argmax(dim=1)] == classes
    return Fit(float(cosines.diag().mean()), float(cosines[is_other].mean()), _share(nearest))


@torch.inference_mode()
def offset_errors(block: Block) -> FloatArray:
    """Mean absolute errors ``[21]`` in seconds, for sounds that are moved by each offset.

    For each offset the first and the last window of the clip that both sides reach are judged.
    """
    network: Any = load_network("synchformer")
    seen = torch.cat([network.see(part) for part in _batches(torch.from_numpy(block.grey))])
    heard = torch.cat([network.hear(part) for part in _parts(block, 1, None)])
    latest = min(seen.shape[1], heard.shape[1]) - WINDOW_FRAMES
    errors = []
    for number in range(N_OFFSETS):
        ahead = GRID_FRAMES * number - LARGEST_FRAMES
        told = [
            network.tell(
                seen[:, start : start + WINDOW_FRAMES],
                heard[:, start + ahead : start + ahead + WINDOW_FRAMES],
            ).argmax(dim=1)
            for start in (max(0, -ahead), min(latest, latest - ahead))
        ]
        errors.append(STEP_S * float((torch.cat(told) - number).abs().float().mean()))
    return np.array(errors)


def through_files(names: Iterable[int], folder: Path) -> Block:
    """Held-out scenes of these indices, written as clips to ``folder`` and read from there."""
    examples = []
    for index in names:
        scene = make_scene(HELD_OUT_SPLIT, index)
        excerpt = Excerpt(
            folder / render_clip(folder, HELD_OUT_SPLIT, index)["file"], 0.0, scene.seconds
        )
        audio = read_audio(excerpt, mono=True, shortfall_s=MAX_SHORTFALL_S)
        sounds = [
            sixteen_bit(resample(audio.samples, audio.sample_rate_hz, rate, method="soxr_hq"))
            for rate in RATES_HZ
        ]
        pixels = read_frames(excerpt, FRAMES_PER_S).pixels
        examples.append(block_of([scene], sounds, pixels))
    return Block(*(np.stack(arrays) for arrays in zip(*examples, strict=True)))


def _parts(block: Block, rate: int, seconds: int | None) -> Iterator[Tensor]:
    """Own sounds ``[B, T]`` of a block at one of its two rates, cut to their first seconds."""
    sounds = (block.sounds_32k, block.sounds_16k)[rate]
    stop = None if seconds is None else seconds * RATES_HZ[rate]
    for first in range(0, len(sounds), BATCH):
        part = sounds[first : first + BATCH, OWN, :stop]
        yield torch.from_numpy(part.astype(np.float32) / np.float32(FULL_SCALE))


def _batches(array: Tensor) -> list[Tensor]:
    return [array[first : first + BATCH] for first in range(0, len(array), BATCH)]


def _share(is_right: Tensor) -> float:
    return float(is_right.float().mean())


def _lines(title: str, block: Block) -> Iterator[str]:
    yield f"{title}, {len(block.action)} scenes"
    for name in ("passt", "panns"):
        for seconds in (8, 2):
            both, action, material = sound_accuracy(name, block, seconds)
            yield (
                f"  {name:12} {seconds} s   class {both:.3f}  action {action:.3f}  "
                f"material {material:.3f}"
            )
    for seconds in (8, 2):
        true, others, nearest = fit(block, seconds)
        yield (
            f"  imagebind    {seconds} s   cosine of true pairs {true:.3f}, of other classes "
            f"{others:.3f}; nearest sound of the right class {nearest:.3f}"
        )
    errors = offset_errors(block)
    yield (
        f"  synchformer  4.8 s mean absolute error {errors.mean():.4f} s, "
        f"largest of an offset {errors.max():.4f} s"
    )


def main() -> None:
    """Render what is missing, and print how good the networks are."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    list(render_blocks(HELD_OUT_SPLIT, N_HELD_OUT_BLOCKS, workers))
    blocks = [load_block(HELD_OUT_SPLIT, number) for number in range(N_HELD_OUT_BLOCKS)]
    whole = Block(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))
    bench_home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bench_home()) as folder:
        read = through_files(range(BLOCK_SCENES), Path(folder))
    for title, block in (("as rendered", whole), ("after H.264 and AAC", read)):
        sys.stdout.write("\n".join(_lines(title, block)) + "\n")


if __name__ == "__main__":
    main()
