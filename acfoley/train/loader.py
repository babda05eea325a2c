"""The batches of a run: which clips are in each, and their preparation during the step before.

The clips of a batch are a function of the seed and the step alone. Passes over the clips (epochs)
follow one another without a gap, each in its own random order, and a batch may span two passes. A
resumed run therefore gets the same clips at step n as an uninterrupted one. Processes that share a
batch take consecutive parts, so that their number changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from acfoley.train.collate import Batch, Collator
from acfoley.train.dataset import DatasetClip
from acfoley.train.recipe import Recipe, Stage
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


@dataclass(frozen=True)
class BatchShare:
    """Which part of every batch a process computes, and in how many accumulated parts."""

    rank: int = 0
    n_processes: int = 1
    n_accumulated: int = 1

    @property
    def n_parts(self) -> int:
        """The number of equal parts of a batch."""
        return self.n_processes * self.n_accumulated


class BatchLoader:
    """The batches of one process, by step.

    Raises:
        BenchError: a stage has no clips, or the batch size is not divisible by the parts.
    """

    def __init__(self, collator: Collator, share: BatchShare) -> None:
        self._collator, self.share = collator, share
        recipe = collator.recipe
        self._clips = {
            s.name: select_clips(collator.dataset.clips, s, recipe) for s in recipe.stages
        }
        self._samplers = {
            name: EpochSampler(len(clips), recipe.batch_size, recipe.seed, name)
            for name, clips in self._clips.items()
        }
        # Every stage, not the first alone: the later ones begin after days.
        for sampler in self._samplers.values():
            sampler.batch(0, 0, share.n_parts)  # refuses an indivisible batch before step 0

    def batches(self, step: int) -> list[Batch]:
        """Return the accumulated parts of the batch at ``step`` that this process computes."""
        recipe, share = self._collator.recipe, self.share
        # The sampler counts the steps of its stage, the collator's seeds those of the run.
        stage, within = recipe.stage_at(step)
        sampler, clips = self._samplers[stage.name], self._clips[stage.name]
        found = []
        for number in range(share.n_accumulated):
            part = share.rank * share.n_accumulated + number
            slots = sampler.batch(within, part, share.n_parts)
            chosen = [clips[slot.index] for slot in slots]
            first = slots[0].position
            found.append(self._collator.training(chosen, stage.reference, step, first))
        return found

    def iterate(self, first: int, last: int) -> Iterator[tuple[int, list[Batch]]]:
        """Yield the steps from ``first`` up to, not including, ``last``, with their batches."""
        # One thread: batches come in order, and at most two of them are in memory.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
            pending = deque([pool.submit(self.batches, step) for step in range(first, last)[:1]])
            for step in range(first, last):
                # Submitted before this one is waited for, so that the thread is never idle.
                if step + 1 < last:
                    pending.append(pool.submit(self.batches, step + 1))
                yield step, pending.popleft().result()


def select_clips(clips: Iterable[DatasetClip], stage: Stage, recipe: Recipe) -> list[DatasetClip]:
    """Return the clips of a stage, those with video as often as the recipe sets.

    A stage with a lowest score has only clips with video whose score is above it.

    Raises:
        BenchError: the stage has a lowest score, and no clip with video has a score.
    """
    chosen = list(clips)
    if (lowest := stage.lowest_score) is not None:
        scored = [(clip, clip.score) for clip in chosen if clip.has_video]
        if all(score is None for _, score in scored):
            raise BenchError(
                f"the stage {stage.name!r} takes clips whose score is above {lowest:g}, and no "
                "clip has a score: list them with a column `score`"
            )
        chosen = [clip for clip, score in scored if score is not None and score > lowest]
    return [clip for clip in chosen for _ in range(recipe.video_repeats if clip.has_video else 1)]
