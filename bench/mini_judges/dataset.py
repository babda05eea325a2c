"""Training data of the mini judges: scenes of splits of their own, rendered and kept on disk.

A block is 60 consecutive scenes, which hold every class once. Each scene has two audio tracks of
the same events: its own, and that of another material with another timbre, so that synchronisation
is not learned from timbre. Only the first blocks have frames: audio classes need more examples than
video does. Blocks are safetensors in ``$BENCH_HOME/judges``, in a folder named by the versions of
the world and of the examples.

``MelDataset`` holds the audio of all blocks as log-mel frames for one front end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Generator, Tensor

from bench.engine import open_engine
from bench.errors import BenchError
from bench.io import atomic_path, bench_home
from bench.media import resample
from bench.mini_judges.augment import augment_log_mel
from bench.mini_judges.front_end import (
    ACTION_NAMES,
    MATERIAL_NAMES,
    N_MATERIALS,
    FrontEnd,
    colour_stills,
    grey_frames,
    log_mel,
)
from bench.synthetic.audio import SAMPLE_RATE_HZ, render_audio
from bench.synthetic.corruptions import change_class
from bench.synthetic.scene import CLASSES, FPS, WORLD_VERSION, Scene, make_scene
from bench.synthetic.video import SIDE, render_frames
from bench.types import FloatArray, Pixels, Waveform

TRAINING_SPLIT = "mini-train"
HELD_OUT_SPLIT = "mini-heldout"
N_TRAINING_BLOCKS = 40
N_VIDEO_BLOCKS = 20
N_HELD_OUT_BLOCKS = 6
BLOCK_SCENES = len(CLASSES)

#: Half the size of floats on disk, with an error below that of the AAC of a clip.
Samples = npt.NDArray[np.int16]

#: Raised when what a block contains changes; part of the name of its folder.
EXAMPLES_VERSION = 2
RATES_HZ = (32_000, 16_000)
#: The largest 16-bit sample.
FULL_SCALE = 32_767.0
#: Standard deviation of the bump that an event leaves in ``Block.marks``.
MARK_WIDTH_S = 0.03
#: Lengths that training audio is cut to.
CUTS_S = (2, 3, 5, 8)
N_THREADS = 2


class Block(NamedTuple):
    """Arrays of N scenes; audio and what depends on it have an axis of 2: own and other.

    ``audio_32k [N, 2, T]`` and ``audio_16k [N, 2, T]`` int16, ``grey [N, F, 64, 64]`` uint8 at
    25 fps, ``stills [N, S, 64, 64, 3]`` uint8, ``action [N]``, ``material [N, 2]``,
    ``timbre [N, 2, 9]`` in [0, 1], ``marks [N, F]`` in [0, 1]: how close a frame is to an event.
    Blocks without video have no frames and stills: F and S are 0.
    """

    audio_32k: Samples
    audio_16k: Samples
    grey: Pixels
    stills: Pixels
    action: npt.NDArray[np.int64]
    material: npt.NDArray[np.int64]
    timbre: npt.NDArray[np.float32]
    marks: npt.NDArray[np.float32]


def render_blocks(split: str, n_blocks: int, workers: int) -> Iterator[Path]:
    """Render the blocks that are missing, and yield the path of each as it is finished.

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
    """The path of a block, whether it exists or not."""
    folder = bench_home() / "judges" / f"world-{WORLD_VERSION}-examples-{EXAMPLES_VERSION}"
    return folder / f"{split}_{number:03d}.safetensors"


def load_block(split: str, number: int) -> Block:
    """Read a block that was rendered before."""
    from safetensors.numpy import load_file

    return Block(**load_file(block_path(split, number)))


def render_block(split: str, indices: Iterable[int], *, has_video: bool = True) -> Block:
    """Render the scenes of these indices."""
    examples = []
    for index in indices:
        scene = make_scene(split, index)
        both = (scene, change_class(scene, 0))
        audio = np.stack([render_audio(each) for each in both])
        resampled = [
            to_int16(resample(audio, SAMPLE_RATE_HZ, rate, method="soxr_hq")) for rate in RATES_HZ
        ]
        frames = list(render_frames(scene)) if has_video else []
        # Reshaped, so that no frames have four axes as well.
        pixels = np.reshape(frames, (-1, SIDE, SIDE, 3)).astype(np.uint8)
        examples.append(make_example(both, resampled, pixels))
    return Block(*(np.stack(arrays) for arrays in zip(*examples, strict=True)))


def _open_renderer(split: str) -> partial[Path]:
    return partial(_write_block, split)


def _write_block(split: str, number: int) -> Path:
    from safetensors.numpy import save_file

    path = block_path(split, number)
    indices = range(number * BLOCK_SCENES, (number + 1) * BLOCK_SCENES)
    block = render_block(split, indices, has_video=number < N_VIDEO_BLOCKS)
    with atomic_path(path) as temporary:
        save_file(block._asdict(), temporary)
    return path


def make_example(scenes: Sequence[Scene], audio: Sequence[Samples], pixels: Pixels) -> Block:
    """Assemble one example, without the axis N.

    ``audio`` holds ``[S, T]`` at each of ``RATES_HZ``, a row for each of ``scenes``; the video
    ``pixels [F, H, W, 3]`` is that of the first scene.
    """
    first = scenes[0]
    return Block(
        audio[0],
        audio[1],
        grey_frames(pixels),
        colour_stills(pixels),
        np.array(ACTION_NAMES.index(first.action)),
        np.array([MATERIAL_NAMES.index(each.material) for each in scenes]),
        np.stack([each.timbre.vector() for each in scenes]).astype(np.float32),
        compute_event_marks(first)[: len(pixels)].astype(np.float32),
    )


def compute_event_marks(scene: Scene) -> FloatArray:
    """Marks ``[F]``: the strength of an event at its time, with a Gaussian fall to 0 around it."""
    times_s = np.arange(round(scene.seconds * FPS)) / FPS
    marks = np.zeros(times_s.size)
    for event in scene.events:
        bump = np.exp(-0.5 * ((times_s - event.time_s) / MARK_WIDTH_S) ** 2)
        marks = np.maximum(marks, event.strength * bump)
    return marks


def to_int16(samples: Waveform) -> Samples:
    """Convert ``samples`` in [-1, 1] to 16-bit integers."""
    return np.asarray(np.round(np.clip(samples, -1.0, 1.0) * FULL_SCALE), dtype=np.int16)


def load_arrays(
    split: str, n_blocks: int, names: Sequence[str], first: int = 0
) -> tuple[Tensor, ...]:
    """Read these arrays of ``n_blocks`` blocks of a split, concatenated along the scenes."""
    from safetensors import safe_open

    parts: list[list[Tensor]] = [[] for _ in names]
    for number in range(first, first + n_blocks):
        with safe_open(block_path(split, number), framework="pt") as file:
            for part, name in zip(parts, names, strict=True):
                part.append(file.get_tensor(name))
    return tuple(torch.cat(part) for part in parts)


class MelBatch(NamedTuple):
    """A batch: ``frames [B, M, F]``, ``action [B]``, ``material [B]``, ``timbre [B, 9]``."""

    frames: Tensor
    action: Tensor
    material: Tensor
    timbre: Tensor

    @property
    def label(self) -> Tensor:
        """Class indices ``[B]``, 0 to 59."""
        return self.action * N_MATERIALS + self.material


class MelDataset:
    """The audio of all training blocks as log-mel frames of one front end, to sample batches from.

    Frames are computed once and kept in half precision, because the front end costs more than the
    small networks. Augmentation works on the powers of the bands.
    """

    def __init__(self, front_end: FrontEnd, n_blocks: int) -> None:
        with ThreadPoolExecutor(N_THREADS) as threads:
            blocks = threads.map(partial(_load_log_mel, front_end), range(n_blocks))
            self.frames = torch.cat(list(blocks))
        names = ("action", "material", "timbre")
        self.action, self.material, self.timbre = load_arrays(TRAINING_SPLIT, n_blocks, names)
        self.front_end = front_end
        self.n_blocks = n_blocks

    def sample_scenes(self, generator: Generator) -> Tensor:
        """Sample a scene of every class, indices ``[60]``, each from a random block."""
        # Scene k of each block is of class k, so one of each k is a batch without duplicates.
        blocks = torch.randint(self.n_blocks, (BLOCK_SCENES,), generator=generator)
        return blocks * BLOCK_SCENES + torch.arange(BLOCK_SCENES)

    def load_batch(self, scenes: Tensor, which: Tensor, generator: Generator) -> MelBatch:
        """Cut and augment the tracks ``which [B]`` (0 own, 1 other) of ``scenes [B]``.

        All tracks of a batch have the same random length of ``CUTS_S``, since the networks are used
        at several, and a random start each.
        """
        seconds = CUTS_S[int(torch.randint(len(CUTS_S), (1,), generator=generator))]
        n_frames = seconds * self.front_end.sample_rate_hz // self.front_end.hop_samples
        latest = self.frames.shape[-1] - n_frames
        starts = torch.randint(latest + 1, scenes.shape, generator=generator)
        indices = starts[:, None] + torch.arange(n_frames)
        cut = self.frames[scenes[:, None], which[:, None], :, indices].transpose(1, 2)
        return MelBatch(
            augment_log_mel(cut.float(), self.front_end, generator),
            self.action[scenes],
            self.material[scenes, which],
            self.timbre[scenes, which],
        )

    def sample_batch(self, generator: Generator) -> MelBatch:
        """Sample 60 tracks: one scene of every class, with its own or the other material."""
        scenes = self.sample_scenes(generator)
        which = torch.randint(2, scenes.shape, generator=generator)
        return self.load_batch(scenes, which, generator)


def _load_log_mel(front_end: FrontEnd, number: int) -> Tensor:
    """Log-mel frames ``[60, 2, M, F]`` of a block, in half precision."""
    name = f"audio_{front_end.sample_rate_hz // 1000}k"
    (audio,) = load_arrays(TRAINING_SPLIT, 1, (name,), first=number)
    with torch.inference_mode():
        parts = [log_mel(part.float() / FULL_SCALE, front_end).half() for part in audio]
    return torch.stack(parts)
