"""Which clips are in the batch of a step: a function of the seed and the step alone.

Passes over the clips (epochs) follow one another without a gap, each in its own random order, and a
batch may span two passes. A resumed run therefore gets the same clips at step n as an uninterrupted
one. Processes that share a batch take consecutive parts, so that their number changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError
from bench.seeds import stable_seed


@dataclass(frozen=True)
class BatchSlot:
    """One clip of a batch: its ``index`` among the items, and its ``position`` in the batch."""

    index: int
    position: int


@dataclass(frozen=True)
class EpochSampler:
    """Random passes over ``n_items``; ``name`` is the stage, which has its own order."""

    n_items: int
    batch_size: int
    seed: int
    name: str

    def __post_init__(self) -> None:
        if self.n_items < 1:
            raise BenchError(f"no clip to train on in the stage {self.name!r}")

    def batch(self, step: int, part: int = 0, n_parts: int = 1) -> list[BatchSlot]:
        """Return ``part`` of the batch at ``step``, both counted from 0.

        Raises:
            BenchError: the batch size is not divisible by ``n_parts``.
        """
        if self.batch_size % n_parts:
            raise BenchError(
                f"a batch of {self.batch_size} clips cannot be shared equally by {n_parts} "
                "(processes times accumulated parts): choose a number that divides it"
            )
        size = self.batch_size // n_parts
        slots = []
        for position in range(part * size, (part + 1) * size):
            # Items are counted through all passes, so that a batch may span two of them.
            epoch, within = divmod(step * self.batch_size + position, self.n_items)
            order = _shuffle(self.n_items, stable_seed("order", self.seed, self.name, epoch))
            slots.append(BatchSlot(int(order[within]), position))
        return slots


# A batch reads one or two epochs, clip by clip; without a cache each clip would shuffle anew.
@lru_cache(maxsize=4)
def _shuffle(n_items: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(n_items)


def repeat_video_clips(has_video: Sequence[bool], repeats: int) -> list[int]:
    """Return the indices of all clips in order, those of clips with video ``repeats`` times."""
    return [
        index for index, is_video in enumerate(has_video) for _ in range(repeats if is_video else 1)
    ]
