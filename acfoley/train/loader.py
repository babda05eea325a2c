"""The batches of a run, in order, each read while the step before it is computed."""

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
    """Which part of every batch a process takes, and in how many parts it computes it."""

    rank: int = 0
    n_processes: int = 1
    n_accumulated: int = 1

    @property
    def n_parts(self) -> int:
        """In how many equal parts a batch falls."""
        return self.n_processes * self.n_accumulated


class BatchLoader:
    """Batches by step, for one process."""

    def __init__(self, collator: Collator, share: BatchShare) -> None:
        self._batcher, self.share = collator, share
        recipe = collator.recipe
        self._rows = {s.name: select_clips(collator.dataset.rows, s, recipe) for s in recipe.stages}
        self._orders = {
            name: EpochSampler(len(rows), recipe.batch_size, recipe.seed, name)
            for name, rows in self._rows.items()
        }
        for order in self._orders.values():
            order.batch(0, 0, share.n_parts)

    def batches(self, step: int) -> list[Batch]:
        """The parts of the batch at ``step`` that this process computes, one after another."""
        recipe, share = self._batcher.recipe, self.share
        stage, within = recipe.stage_at(step)
        order, rows = self._orders[stage.name], self._rows[stage.name]
        found = []
        for number in range(share.n_accumulated):
            part = share.rank * share.n_accumulated + number
            places = order.batch(within, part, share.n_parts)
            chosen = [rows[place.index] for place in places]
            first = places[0].position
            found.append(self._batcher.training(chosen, stage.reference, step, first))
        return found

    def iterate(self, first: int, last: int) -> Iterator[tuple[int, list[Batch]]]:
        """Steps from ``first`` up to, not including, ``last``, with their batches."""
        return prefetch(lambda step: (step, self.batches(step)), range(first, last))


def select_clips(rows: Iterable[DatasetClip], stage: Stage, recipe: Recipe) -> list[DatasetClip]:
    """The clips of a stage, those with a picture as often as the recipe says.

    A stage that asks for a score takes clips with a picture whose score is above it.

    Raises:
        BenchError: it asks for a score, and no clip has one.
    """
    chosen = list(rows)
    if stage.lowest_score is not None:
        scores = [row.score for row in chosen if row.has_video and row.score is not None]
        if not scores:
            raise BenchError(
                f"the stage {stage.name!r} takes clips whose score is above "
                f"{stage.lowest_score:g}, and no clip has a score: list them with a column `score`"
            )
        chosen = [
            row
            for row in chosen
            if row.has_video and row.score is not None and row.score > stage.lowest_score
        ]
    counts = repeat_video_clips([row.has_video for row in chosen], recipe.video_repeats)
    return [chosen[index] for index in counts]


def prefetch(make: Callable[[int], Item], numbers: Iterable[int]) -> Iterator[Item]:
    """``make`` of each number in order, the next one being made in the background."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
        pending: Future[Item] | None = None
        for number in numbers:
            following = pool.submit(make, number)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
