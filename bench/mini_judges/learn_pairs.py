"""How sound and picture learn to meet: of 60 classes, which sound belongs to which picture."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from bench.mini_judges.augment import tint
from bench.mini_judges.bands import Bands, Shelf
from bench.mini_judges.examples import TRAINING_SPLIT, load_arrays
from bench.mini_judges.imagebind import WIDTH, Imagebind
from bench.mini_judges.labels import N_ACTIONS, N_MATERIALS
from bench.mini_judges.panns import HEARING

N_STILLS = 5
WARMTH = 2.0
CLASS_WEIGHT = 0.5
#: Embeddings have length 1, too short for the logits of a head.
CLASS_SCALE = 8.0


class Pairs(NamedTuple):
    """A batch: sounds, and stills ``[B, S, 64, 64, 3]`` in 0 to 255."""

    sounds: Bands
    stills: Tensor


class PairLesson(nn.Module):
    """A batch holds every class once, so that no other sound of it fits a picture as well."""

    def __init__(self, network: Imagebind, n_blocks: int) -> None:
        super().__init__()
        self.network = network
        self.warmth = nn.Parameter(torch.tensor(WARMTH))
        self.shelf = Shelf(HEARING, n_blocks)
        (self.stills,) = load_arrays(TRAINING_SPLIT, n_blocks, ("stills",))
        sizes = (N_ACTIONS, N_MATERIALS, N_ACTIONS, N_MATERIALS)
        self.heads = nn.ModuleList(nn.Linear(WIDTH, size) for size in sizes)

    def draw(self, generator: Generator) -> Pairs:
        """A batch of 60 pairs, one of every class."""
        scenes = self.shelf.scenes(generator)
        sounds = self.shelf.draw(scenes, torch.zeros_like(scenes), generator)
        shown = torch.randperm(self.stills.shape[1], generator=generator)[:N_STILLS]
        return Pairs(sounds, tint(self.stills[scenes][:, shown], generator))

    def forward(self, pairs: Pairs) -> Tensor:
        """The loss of one batch."""
        sounds = pairs.sounds
        pictures = self.network.see(pairs.stills)
        heard = self.network.judge(sounds.frames)
        logits = self.warmth.exp() * pictures @ heard.T
        place = torch.arange(len(heard))
        loss = functional.cross_entropy(logits, place) + functional.cross_entropy(logits.T, place)
        sides = (pictures, pictures, heard, heard)
        truths = (sounds.action, sounds.material) * 2
        for head, side, truth in zip(self.heads, sides, truths, strict=True):
            loss = loss + CLASS_WEIGHT * functional.cross_entropy(CLASS_SCALE * head(side), truth)
        return loss
