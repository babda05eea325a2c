"""Which clips are trained on at which step: a function of seed and step, with nothing to remember.

Passes over the clips follow one another without a gap, each in an order of its own; a batch may
span two. A run that goes on at step n therefore sees what it would have seen, and processes that
share a batch take neighbouring parts of it, so that their number changes nothing.
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
    """One clip of a batch: its ``index`` among the items, its ``position`` in the whole batch."""

    index: int
    position: int


@dataclass(frozen=True)
class EpochSampler:
    """The order of ``n_items`` under ``name``, which differs from stage to stage."""

    n_items: int
    batch_size: int
    seed: int
    name: str

    def __post_init__(self) -> None:
        if self.n_items < 1:
            raise BenchError(f"there is no clip to train on in the stage {self.name!r}")

    def batch(self, step: int, part: int = 0, n_parts: int = 1) -> list[BatchSlot]:
        """The places of ``part`` of the batch at ``step``, both counted from 0.

        Raises:
            BenchError: a batch cannot be divided into that many equal parts.
        """
        if self.batch_size % n_parts:
            raise BenchError(
                f"a batch of {self.batch_size} clips cannot be shared equally by {n_parts} "
                "(processes times accumulated parts): choose a number that divides it"
            )
        size = self.batch_size // n_parts
        positions = range(part * size, (part + 1) * size)
        return [BatchSlot(self._item(step * self.batch_size + p), p) for p in positions]

    def _item(self, number: int) -> int:
        epoch, place = divmod(number, self.n_items)
        return int(
            _shuffled(self.n_items, stable_seed("order", self.seed, self.name, epoch))[place]
        )


@lru_cache(maxsize=4)
def _shuffled(n_items: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(n_items)


def repeat_video_clips(has_video: Sequence[bool], repeats: int) -> list[int]:
    """Indices of clips, those with a picture ``repeats`` times, in order."""
    counts = ((index, repeats if seen else 1) for index, seen in enumerate(has_video))
    return [index for index, count in counts for _ in range(count)]
