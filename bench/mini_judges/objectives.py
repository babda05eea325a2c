"""Training objectives of the mini judges: what a batch is, and its loss.

An objective owns the network, heads that are used in training only, and its training data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from bench.mini_judges import synchformer
from bench.mini_judges.augment import augment_waveforms, jitter_brightness
from bench.mini_judges.dataset import (
    FULL_SCALE,
    TRAINING_SPLIT,
    MelBatch,
    MelDataset,
    load_arrays,
)
from bench.mini_judges.front_end import (
    FRAMES_PER_S,
    N_ACTIONS,
    N_LABELS,
    N_MATERIALS,
    FrontEnd,
    restore_powers,
)
from bench.mini_judges.networks import Imagebind, Panns, Passt, Vggish
from bench.mini_judges.synchformer import (
    GRID_FRAMES,
    LARGEST_FRAMES,
    N_OFFSETS,
    WINDOW_FRAMES,
)

N_TIMBRE = 9
SMOOTHING = 0.05
TIMBRE_WEIGHT = 2.0
#: A patch without an event still has this weight, relative to the loudest of its track.
SMALLEST_PATCH_WEIGHT = 0.05

N_STILLS = 5
#: Initial logit scale, as a logarithm: cosines are multiplied by exp(2) = 7.4 at first.
LOG_LOGIT_SCALE = 2.0
CLASS_WEIGHT = 0.5
#: Multiplies the class logits: unit vectors are too short for a linear head to become confident.
CLASS_SCALE = 8.0

N_SCENES = 10
N_WINDOWS = 12
#: Frames of a scene that a batch uses: 8 s, the length that is judged.
N_FRAMES = 200
OTHER_SHARE = 0.3
MARK_WEIGHT = 2.0
SAMPLES_PER_FRAME = synchformer.FRONT_END.sample_rate_hz // FRAMES_PER_S


class _AudioObjective(nn.Module):
    """An objective of audio alone, whose batches are 60 tracks of one front end."""

    def __init__(self, front_end: FrontEnd, n_blocks: int) -> None:
        super().__init__()
        self.dataset = MelDataset(front_end, n_blocks)

    def sample_batch(self, generator: Generator) -> MelBatch:
        """Sample a batch of 60 tracks."""
        return self.dataset.sample_batch(generator)


class TaggingObjective(_AudioObjective):
    """Class and timbre of full tracks, for the roles of PaSST and PANNs.

    Classes alone would make the embeddings blind to differences within a class, which are what the
    Fréchet distances have to measure. So a head regresses the nine timbre coordinates as well.
    """

    def __init__(self, network: Passt | Panns, n_blocks: int) -> None:
        super().__init__(network.FRONT_END, n_blocks)
        self.network = network
        self.timbre = nn.Linear(network.WIDTH, N_TIMBRE)

    def forward(self, batch: MelBatch) -> Tensor:
        """The loss of one batch, a scalar."""
        embedding, logits = self.network.encode_mel(batch.frames)
        class_loss = functional.cross_entropy(logits, batch.label, label_smoothing=SMOOTHING)
        timbre_loss = functional.mse_loss(self.timbre(embedding), batch.timbre)
        return class_loss + TIMBRE_WEIGHT * timbre_loss


class PatchObjective(_AudioObjective):
    """Class and timbre of every patch of 0.96 s, for the role of VGGish.

    A patch is weighted by its level: one between two events has nothing that could be classified.
    """

    def __init__(self, network: Vggish, n_blocks: int) -> None:
        super().__init__(network.FRONT_END, n_blocks)
        self.network = network
        self.labels = nn.Linear(network.WIDTH, N_LABELS)
        self.timbre = nn.Linear(network.WIDTH, N_TIMBRE)

    def forward(self, batch: MelBatch) -> Tensor:
        """The weighted mean loss of the patches of one batch, a scalar."""
        embeddings = self.network.encode_mel(batch.frames)
        class_loss = functional.cross_entropy(
            self.labels(embeddings).transpose(1, 2),
            batch.label[:, None].expand(-1, embeddings.shape[1]),
            label_smoothing=SMOOTHING,
            reduction="none",
        )
        timbre_loss = (self.timbre(embeddings) - batch.timbre[:, None]).square().mean(-1)
        weight = _patch_levels(batch.frames)
        loss: Tensor = ((class_loss + TIMBRE_WEIGHT * timbre_loss) * weight).sum() / weight.sum()
        return loss


def _patch_levels(frames: Tensor) -> Tensor:
    """RMS level of each patch ``[B, P]``, relative to the loudest of its track."""
    patches = restore_powers(frames).sum(dim=1)
    patches = patches.unfold(1, Vggish.PATCH_FRAMES, Vggish.PATCH_FRAMES)
    level = patches.mean(dim=-1).sqrt()
    return (level / level.amax(dim=1, keepdim=True)).clamp(min=SMALLEST_PATCH_WEIGHT)


class PairBatch(NamedTuple):
    """A batch: audio, and stills ``[B, S, 64, 64, 3]`` in 0 to 255."""

    audio: MelBatch
    stills: Tensor


class ContrastiveObjective(nn.Module):
    """Contrastive training of audio and video embeddings, for the role of ImageBind.

    The loss of a batch with unit vectors v and a is the cross-entropy of the logits
    ``exp(s) v_i . a_j`` with target j = i, over the audio for each video and over the videos for
    each audio (InfoNCE in both directions); s is learned. A batch holds every class once: two
    examples of one class would be a positive pair that the loss treats as a negative one.

    Heads for action and material add a loss on each side that does not depend on the other side.
    """

    def __init__(self, network: Imagebind, n_blocks: int) -> None:
        super().__init__()
        self.network = network
        self.log_logit_scale = nn.Parameter(torch.tensor(LOG_LOGIT_SCALE))
        self.dataset = MelDataset(network.FRONT_END, n_blocks)
        (self.stills,) = load_arrays(TRAINING_SPLIT, n_blocks, ("stills",))
        sizes = (N_ACTIONS, N_MATERIALS, N_ACTIONS, N_MATERIALS)
        self.heads = nn.ModuleList(nn.Linear(network.WIDTH, size) for size in sizes)

    def sample_batch(self, generator: Generator) -> PairBatch:
        """Sample a batch of 60 pairs, one of every class."""
        scenes = self.dataset.sample_scenes(generator)
        audio = self.dataset.load_batch(scenes, torch.zeros_like(scenes), generator)
        chosen = torch.randperm(self.stills.shape[1], generator=generator)[:N_STILLS]
        return PairBatch(audio, jitter_brightness(self.stills[scenes][:, chosen], generator))

    def forward(self, batch: PairBatch) -> Tensor:
        """The loss of one batch, a scalar."""
        video = self.network.encode_video(batch.stills)
        audio = self.network.encode_mel(batch.audio.frames)
        logits = self.log_logit_scale.exp() * video @ audio.T
        target = torch.arange(len(audio))
        loss = functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        sides = (video, video, audio, audio)
        truths = (batch.audio.action, batch.audio.material) * 2
        for head, side, truth in zip(self.heads, sides, truths, strict=True):
            loss = loss + CLASS_WEIGHT * functional.cross_entropy(CLASS_SCALE * head(side), truth)
        return loss


class OffsetBatch(NamedTuple):
    """A batch: 10 scenes, and for each of 120 windows its offset and the start of its video.

    ``grey [10, F, 64, 64]``, ``waveforms [10, T]``, ``marks [10, F]``, ``ahead [120]``: frames by
    which the audio is ahead; window n is of scene n modulo 10.
    """

    grey: Tensor
    waveforms: Tensor
    marks: Tensor
    ahead: Tensor
    starts: list[int]


class OffsetObjective(nn.Module):
    """The offset between windows of audio and video, for the role of Synchformer.

    Windows are shifted by any number of frames, not only by the steps of the grid. An offset
    between two steps is shared between both in proportion (``grid_shares``), so that the network
    answers with one of its neighbours. A network that was trained on steps alone answered a delay
    of 0.1 s with 0.6 s.

    A head on each side regresses the events (``Block.marks``), which gives both encoders a gradient
    before any lag agrees. The audio of some scenes is of another material, so that offsets are not
    recognised by timbre. Each scene is encoded once and used in 12 windows.
    """

    def __init__(self, network: synchformer.Synchformer, n_blocks: int) -> None:
        super().__init__()
        self.network = network
        names = ("audio_16k", "grey", "marks")
        self.audio, self.grey, self.marks = load_arrays(TRAINING_SPLIT, n_blocks, names)
        width = synchformer.WIDTH
        self.mark_heads = nn.ModuleList([nn.Linear(width, 1), nn.Linear(width, 1)])

    def sample_batch(self, generator: Generator) -> OffsetBatch:
        """Sample a batch of 12 windows of each of 10 scenes."""
        scenes = torch.randint(len(self.grey), (N_SCENES,), generator=generator)
        first = int(torch.randint(self.grey.shape[1] - N_FRAMES, (1,), generator=generator))
        frames = slice(first, first + N_FRAMES)
        samples = slice(first * SAMPLES_PER_FRAME, (first + N_FRAMES) * SAMPLES_PER_FRAME)
        # 0 is the scene's own audio, 1 that of the same events on another material.
        which = (torch.rand(N_SCENES, generator=generator) < OTHER_SHARE).long()
        audio = self.audio[scenes, which, samples].float() / FULL_SCALE
        grey = jitter_brightness(self.grey[scenes, frames], generator)
        waveforms = augment_waveforms(audio, synchformer.FRONT_END.sample_rate_hz, generator)
        n_offsets = 2 * LARGEST_FRAMES + 1
        ahead = torch.randint(n_offsets, (N_SCENES * N_WINDOWS,), generator=generator)
        ahead -= LARGEST_FRAMES
        starts = [_sample_start(each, generator) for each in ahead.tolist()]
        return OffsetBatch(grey, waveforms, self.marks[scenes, frames], ahead, starts)

    def forward(self, batch: OffsetBatch) -> Tensor:
        """The loss of one batch, a scalar."""
        video = self.network.encode_video(batch.grey)
        audio = self.network.encode_audio(batch.waveforms)
        windows: list[tuple[Tensor, Tensor]] = []
        for number, (ahead, start) in enumerate(
            zip(batch.ahead.tolist(), batch.starts, strict=True)
        ):
            # Audio taken from ``ahead`` frames later plays that much too early: it is ahead.
            scene, later = number % N_SCENES, start + ahead
            windows.append(
                (
                    video[scene, start : start + WINDOW_FRAMES],
                    audio[scene, later : later + WINDOW_FRAMES],
                )
            )
        sides = (torch.stack(side) for side in zip(*windows, strict=True))
        logits = self.network.raw_logits(*sides)
        shares = grid_shares(batch.ahead)
        loss = functional.cross_entropy(logits, shares, label_smoothing=SMOOTHING)
        for head, side in zip(self.mark_heads, (video, audio), strict=True):
            loss = loss + MARK_WEIGHT * functional.mse_loss(head(side).squeeze(-1), batch.marks)
        return loss


def grid_shares(ahead: Tensor) -> Tensor:
    """Target probabilities ``[B, 21]`` of the grid for offsets ``ahead [B]`` in frames.

    Linear interpolation: ``max(0, 1 - |offset - step| / 5 frames)``, which sums to 1.
    """
    steps = torch.arange(N_OFFSETS) * GRID_FRAMES - LARGEST_FRAMES
    distance = (ahead[:, None] - steps).abs() / GRID_FRAMES
    return (1.0 - distance).clamp(min=0.0)


def _sample_start(ahead: int, generator: Generator) -> int:
    """Sample the start of the video window such that the audio window is inside as well."""
    # Video starts at s and audio at s + ahead; both must be in [0, latest].
    latest = N_FRAMES - WINDOW_FRAMES
    low, high = max(0, -ahead), min(latest, latest - ahead)
    return low + int(torch.randint(high - low + 1, (1,), generator=generator))


#: By the name of the network.
OBJECTIVES: dict[str, Callable[[Any, int], nn.Module]] = {
    "passt": TaggingObjective,
    "panns": TaggingObjective,
    "vggish": PatchObjective,
    "imagebind": ContrastiveObjective,
    "synchformer": OffsetObjective,
}
