"""Accuracy of the mini judges on held-out scenes.

``python -m bench.mini_judges.evaluate`` uses 360 held-out scenes as rendered, and 60 of them read
from disk after H.264 and AAC. The functions take any block of examples.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from bench.engine import core_count
from bench.io import bench_home
from bench.media import read_audio, read_frames, resample
from bench.mini_judges.dataset import (
    BLOCK_SCENES,
    FULL_SCALE,
    HELD_OUT_SPLIT,
    N_HELD_OUT_BLOCKS,
    RATES_HZ,
    Block,
    load_block,
    make_example,
    render_blocks,
    to_int16,
)
from bench.mini_judges.front_end import FRAMES_PER_S, MATERIAL_OF, N_MATERIALS, STILL_EVERY
from bench.mini_judges.synchformer import (
    GRID_FRAMES,
    LARGEST_FRAMES,
    N_OFFSETS,
    WINDOW_FRAMES,
)
from bench.mini_judges.weights import load_network
from bench.synthetic.dataset import render_clip
from bench.synthetic.scene import make_scene
from bench.types import MAX_SHORTFALL_S, Excerpt, FloatArray

SECONDS = 8
#: Scenes per forward pass.
BATCH = 20
OWN = 0
STEP_S = GRID_FRAMES / FRAMES_PER_S


class Accuracy(NamedTuple):
    """Share of tracks with the right class (both), action and material."""

    both: float
    action: float
    material: float


class Retrieval(NamedTuple):
    """Mean cosine of true pairs and of pairs of two classes; how often the nearest is right."""

    true_cosine: float
    other_cosine: float
    nearest: float


@torch.inference_mode()
def measure_accuracy(name: str, block: Block, seconds: int = SECONDS) -> Accuracy:
    """Accuracy of ``passt`` or ``panns`` on the first seconds of own audio."""
    network = load_network(name)
    logits = [network(part)[1] for part in _parts(block, 0 if name == "passt" else 1, seconds)]
    predicted = torch.cat(logits).argmax(dim=1)
    # A label is action times the number of materials plus material.
    is_action = predicted // N_MATERIALS == torch.from_numpy(block.action)
    is_material = torch.tensor(MATERIAL_OF)[predicted] == torch.from_numpy(block.material[:, OWN])
    return Accuracy(*(_share(each) for each in (is_action & is_material, is_action, is_material)))


@torch.inference_mode()
def measure_retrieval(block: Block, seconds: int = SECONDS) -> Retrieval:
    """Cosines of audio and video of ``imagebind``, and audio retrieval by video."""
    network: Any = load_network("imagebind")
    audio = torch.cat([network.encode_audio(part) for part in _parts(block, 1, seconds)])
    # Rounded up: the first still is that of time 0.
    stills = torch.from_numpy(block.stills[:, : -(-seconds * FRAMES_PER_S // STILL_EVERY)])
    video = torch.cat([network.encode_video(part) for part in torch.split(stills, BATCH)])
    cosines = video @ audio.T
    # The nearest audio counts as right if its class is right: several scenes share one.
    classes = torch.from_numpy(block.action * N_MATERIALS + block.material[:, OWN])
    is_other = classes[:, None] != classes
    nearest = classes[cosines.argmax(dim=1)] == classes
    true, other = float(cosines.diag().mean()), float(cosines[is_other].mean())
    return Retrieval(true, other, _share(nearest))


@torch.inference_mode()
def measure_offset_errors(block: Block) -> FloatArray:
    """Mean absolute errors ``[21]`` in seconds of ``synchformer``, for each true offset.

    Each offset is tested on the first and the last window that is inside the clip on both sides.
    """
    network: Any = load_network("synchformer")
    grey = torch.from_numpy(block.grey)
    video = torch.cat([network.encode_video(part) for part in torch.split(grey, BATCH)])
    audio = torch.cat([network.encode_audio(part) for part in _parts(block, 1, None)])
    # Features are computed once for the full clip; windows at an offset of n frames are slices of
    # both that start n frames apart.
    latest = min(video.shape[1], audio.shape[1]) - WINDOW_FRAMES
    errors = []
    for number in range(N_OFFSETS):
        ahead = GRID_FRAMES * number - LARGEST_FRAMES
        predicted = [
            network.calibrated_logits(
                video[:, start : start + WINDOW_FRAMES],
                audio[:, start + ahead : start + ahead + WINDOW_FRAMES],
            ).argmax(dim=1)
            for start in (max(0, -ahead), min(latest, latest - ahead))
        ]
        errors.append(STEP_S * float((torch.cat(predicted) - number).abs().float().mean()))
    return np.array(errors)


def read_through_codec(indices: Iterable[int], folder: Path) -> Block:
    """Write held-out scenes of these indices as clips to ``folder``, and read them from there."""
    examples = []
    for index in indices:
        scene = make_scene(HELD_OUT_SPLIT, index)
        excerpt = Excerpt(
            folder / render_clip(folder, HELD_OUT_SPLIT, index)["file"], 0.0, scene.seconds
        )
        audio = read_audio(excerpt, mono=True, shortfall_s=MAX_SHORTFALL_S)
        resampled = [
            to_int16(resample(audio.samples, audio.sample_rate_hz, rate, method="soxr_hq"))
            for rate in RATES_HZ
        ]
        pixels = read_frames(excerpt, FRAMES_PER_S).pixels
        examples.append(make_example([scene], resampled, pixels))
    return Block(*(np.stack(arrays) for arrays in zip(*examples, strict=True)))


def _parts(block: Block, rate: int, seconds: int | None) -> Iterator[Tensor]:
    """Yield own audio ``[B, T]`` of a block at ``RATES_HZ[rate]``, its first seconds."""
    audio = (block.audio_32k, block.audio_16k)[rate]
    stop = None if seconds is None else seconds * RATES_HZ[rate]
    for first in range(0, len(audio), BATCH):
        # Part by part: as floats, 8 s of 360 scenes would be 370 MB.
        part = audio[first : first + BATCH, OWN, :stop]
        yield torch.from_numpy(part.astype(np.float32) / np.float32(FULL_SCALE))


def _share(is_right: Tensor) -> float:
    return float(is_right.float().mean())


def _lines(title: str, block: Block) -> Iterator[str]:
    yield f"{title}, {len(block.action)} scenes"
    for name in ("passt", "panns"):
        for seconds in (8, 2):
            both, action, material = measure_accuracy(name, block, seconds)
            yield (
                f"  {name:12} {seconds} s   class {both:.3f}  action {action:.3f}  "
                f"material {material:.3f}"
            )
    for seconds in (8, 2):
        true, other, nearest = measure_retrieval(block, seconds)
        yield (
            f"  imagebind    {seconds} s   cosine of true pairs {true:.3f}, of other classes "
            f"{other:.3f}; nearest audio of the right class {nearest:.3f}"
        )
    errors = measure_offset_errors(block)
    yield (
        f"  synchformer  4.8 s mean absolute error {errors.mean():.4f} s, "
        f"largest of an offset {errors.max():.4f} s"
    )


def main() -> None:
    """Render missing examples, and print the accuracy of all networks."""
    list(render_blocks(HELD_OUT_SPLIT, N_HELD_OUT_BLOCKS, core_count()))
    blocks = [load_block(HELD_OUT_SPLIT, number) for number in range(N_HELD_OUT_BLOCKS)]
    rendered = Block(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))
    bench_home().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=bench_home()) as folder:
        decoded = read_through_codec(range(BLOCK_SCENES), Path(folder))
    for title, block in (("as rendered", rendered), ("after H.264 and AAC", decoded)):
        sys.stdout.write("\n".join(_lines(title, block)) + "\n")


if __name__ == "__main__":
    main()
