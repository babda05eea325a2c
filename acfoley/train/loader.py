"""The batches of a run in order, each prepared in the background during the step before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from acfoley.train.collate import Batch, Collator
from acfoley.train.dataset import DatasetClip
from acfoley.train.recipe import Recipe, Stage
from acfoley.train.sampler import EpochSampler, repeat_video_clips
from bench.errors import BenchError

Item = TypeVar("Item")


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
        return prefetch(lambda step: (step, self.batches(step)), range(first, last))


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
    counts = repeat_video_clips([clip.has_video for clip in chosen], recipe.video_repeats)
    return [chosen[index] for index in counts]


def prefetch(make: Callable[[int], Item], numbers: Iterable[int]) -> Iterator[Item]:
    """Yield ``make`` of each number in order, while a thread makes the next one."""
    # One thread: batches come in order, and at most two of them are in memory.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        pending: Future[Item] | None = None
        for number in numbers:
            following = pool.submit(make, number)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
