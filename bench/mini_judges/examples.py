"""What the small judges learn from: scenes of splits of their own, rendered and kept on disk.

A block is 60 neighbouring scenes, in which every class comes once. Each scene has two sounds of the
same events: its own, and that of another material with another timbre, so that what is learned of
time does not hang on timbre. Only the first blocks have pictures. Blocks lie as safetensors in
``$BENCH_HOME/judges``, in a folder named by the versions of the world and of the examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.engine import open_engine
from bench.errors import BenchError
from bench.io import atomic_path, bench_home
from bench.media import resample
from bench.mini_judges.labels import ACTION_NAMES, MATERIAL_NAMES
from bench.mini_judges.pictures import colour_stills, grey_frames
from bench.synthetic.audio import SAMPLE_RATE_HZ, render_audio
from bench.synthetic.damage import with_other_class
from bench.synthetic.video import SIDE, render_frames
from bench.synthetic.world import CLASSES, FPS, WORLD_VERSION, Scene, make_scene
from bench.types import FloatArray, Pixels, Waveform

if TYPE_CHECKING:
    from torch import Tensor

TRAINING_SPLIT = "mini-train"
HELD_OUT_SPLIT = "mini-heldout"
N_TRAINING_BLOCKS = 40
#: The first blocks of a split have pictures; classes of sounds need more examples than they do.
N_PICTURE_BLOCKS = 20
N_HELD_OUT_BLOCKS = 6
BLOCK_SCENES = len(CLASSES)

Samples = npt.NDArray[np.int16]

#: Raised when what a block holds changes; part of its folder's name.
EXAMPLES_VERSION = 1
RATES_HZ = (32_000, 16_000)
#: Strength of 16-bit samples.
FULL_SCALE = 32_767.0
#: Width of the mark that an event leaves on the frames around it.
MARK_S = 0.03


class Block(NamedTuple):
    """Arrays of N scenes; sounds and what belongs to them have an axis of 2: own and other.

    ``sounds_32k [N, 2, T]`` and ``sounds_16k [N, 2, T]`` int16, ``grey [N, F, 64, 64]`` uint8 at
    25 fps, ``stills [N, S, 64, 64, 3]`` uint8, ``action [N]``, ``material [N, 2]``,
    ``timbre [N, 2, 9]`` in [0, 1], ``marks [N, F]`` in [0, 1]: how near a frame is to an event.
    Blocks without pictures have no frames and stills: F and S are 0.
    """

    sounds_32k: Samples
    sounds_16k: Samples
    grey: Pixels
    stills: Pixels
    action: npt.NDArray[np.int64]
    material: npt.NDArray[np.int64]
    timbre: npt.NDArray[np.float32]
    marks: npt.NDArray[np.float32]


def render_blocks(split: str, n_blocks: int, workers: int) -> Iterator[Path]:
    """Render the blocks that are not there; yields the file of each as it is finished.

    Raises:
        BenchError: a block could not be rendered.
    """
    paths = [block_path(split, number) for number in range(n_blocks)]
    yield from (path for path in paths if path.exists())
    todo = [number for number, path in enumerate(paths) if not path.exists()]
    for outcome in open_engine(workers).map(partial(_open_renderer, split), todo):
        if outcome.value is None:
            reason = outcome.failure.message if outcome.failure else "nothing came back"
            raise BenchError(f"block {outcome.item} of {split} could not be rendered: {reason}")
        yield outcome.value


def block_path(split: str, number: int) -> Path:
    """Where a block lies, or will lie."""
    folder = bench_home() / "judges" / f"world-{WORLD_VERSION}-examples-{EXAMPLES_VERSION}"
    return folder / f"{split}_{number:03d}.safetensors"


def load_block(split: str, number: int) -> Block:
    """Read a block that was rendered before."""
    from safetensors.numpy import load_file

    return Block(**load_file(block_path(split, number)))


def render_block(split: str, indices: Iterable[int], *, has_video: bool = True) -> Block:
    """The scenes of these indices, rendered."""
    examples = [_render(make_scene(split, index), has_video) for index in indices]
    return Block(*(np.stack(arrays) for arrays in zip(*examples, strict=True)))


def _open_renderer(split: str) -> partial[Path]:
    return partial(_write_block, split)


def _write_block(split: str, number: int) -> Path:
    from safetensors.numpy import save_file

    path = block_path(split, number)
    indices = range(number * BLOCK_SCENES, (number + 1) * BLOCK_SCENES)
    block = render_block(split, indices, has_video=number < N_PICTURE_BLOCKS)
    with atomic_path(path) as temporary:
        save_file(block._asdict(), temporary)
    return path


def _render(scene: Scene, has_video: bool) -> Block:
    both = (scene, with_other_class(scene, 0))
    sounds = np.stack([render_audio(each) for each in both])
    resampled = [
        sixteen_bit(resample(sounds, SAMPLE_RATE_HZ, rate, method="soxr_hq")) for rate in RATES_HZ
    ]
    frames = list(render_frames(scene)) if has_video else []
    return block_of(both, resampled, np.reshape(frames, (-1, SIDE, SIDE, 3)).astype(np.uint8))


def block_of(scenes: Sequence[Scene], sounds: Sequence[Samples], pixels: Pixels) -> Block:
    """One example, without the axis of scenes.

    ``sounds`` holds ``[S, T]`` at each of ``RATES_HZ``, a row for each of ``scenes``; the picture
    ``[F, H, W, 3]`` is that of the first.
    """
    first = scenes[0]
    return Block(
        sounds[0],
        sounds[1],
        grey_frames(pixels),
        colour_stills(pixels),
        np.array(ACTION_NAMES.index(first.action)),
        np.array([MATERIAL_NAMES.index(each.material) for each in scenes]),
        np.stack([each.timbre.vector() for each in scenes]).astype(np.float32),
        event_marks(first)[: len(pixels)].astype(np.float32),
    )


def event_marks(scene: Scene) -> FloatArray:
    """How near each frame is to an event, ``[F]``: its strength at the event, falling to 0."""
    times_s = np.arange(round(scene.seconds * FPS)) / FPS
    marks = np.zeros(times_s.size)
    for event in scene.events:
        near = np.exp(-0.5 * ((times_s - event.time_s) / MARK_S) ** 2)
        marks = np.maximum(marks, event.strength * near)
    return marks


def sixteen_bit(samples: Waveform) -> Samples:
    """``samples`` in [-1, 1] as 16-bit numbers."""
    return np.asarray(np.round(np.clip(samples, -1.0, 1.0) * FULL_SCALE), dtype=np.int16)


def load_arrays(
    split: str, n_blocks: int, names: Sequence[str], first: int = 0
) -> tuple[Tensor, ...]:
    """These arrays of so many blocks of a split, joined, as tensors."""
    import torch
    from safetensors import safe_open

    parts: list[list[Tensor]] = [[] for _ in names]
    for number in range(first, first + n_blocks):
        with safe_open(block_path(split, number), framework="pt") as file:
            for part, name in zip(parts, names, strict=True):
                part.append(file.get_tensor(name))
    return tuple(torch.cat(part) for part in parts)
