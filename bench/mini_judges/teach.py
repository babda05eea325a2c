"""Teach the small judges from nothing: ``python -m bench.mini_judges.teach [NAME...]``.

``make judges`` does it for all five: it renders the examples (kept in ``$BENCH_HOME``), trains one
network per core, and replaces the weights in the package. Seeds come from names and every network
is trained by one thread, so that the same machine gives the same bytes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from bench.engine import open_engine
from bench.errors import BenchError
from bench.mini_judges.examples import (
    N_PICTURE_BLOCKS,
    N_TRAINING_BLOCKS,
    TRAINING_SPLIT,
    render_blocks,
)
from bench.mini_judges.shipped import NAMES, new_network, save_network
from bench.seeds import stable_seed

if TYPE_CHECKING:
    from torch import Generator, nn

    from bench.mini_judges.panns import Panns
    from bench.mini_judges.passt import Passt

WEIGHT_DECAY = 0.02
WARMING_SHARE = 0.15
LARGEST_GRADIENT = 1.0
SHOWN_EVERY = 50


class Course(NamedTuple):
    """Steps, the highest rate of learning, and the blocks of examples that are drawn from."""

    n_steps: int
    rate: float
    n_blocks: int


COURSES = {
    "synchformer": Course(600, 3e-3, N_PICTURE_BLOCKS),
    "passt": Course(900, 2e-3, N_TRAINING_BLOCKS),
    "panns": Course(1300, 3e-3, N_TRAINING_BLOCKS),
    "imagebind": Course(500, 3e-3, N_PICTURE_BLOCKS),
    "vggish": Course(400, 3e-3, N_TRAINING_BLOCKS),
}


def teach(name: str, n_blocks: int | None = None, n_steps: int | None = None) -> nn.Module:
    """Return a network that was taught from nothing, by this thread alone."""
    import torch

    torch.set_num_threads(1)
    course, seed = COURSES[name], stable_seed("mini judge", name)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = new_network(name)
    lesson = _lesson(network, n_blocks or COURSES[name].n_blocks)
    steps = n_steps or course.n_steps
    optimizer = torch.optim.AdamW(lesson.parameters(), course.rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, course.rate, total_steps=steps, pct_start=WARMING_SHARE
    )
    started = time.perf_counter()
    for step, batch in enumerate(_drawn(lesson, generator, steps), start=1):
        optimizer.zero_grad()
        loss = lesson(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(lesson.parameters(), LARGEST_GRADIENT)
        optimizer.step()
        schedule.step()
        if step % SHOWN_EVERY == 0:
            spent = time.perf_counter() - started
            _say(f"{name}: step {step} of {steps}, loss {float(loss.detach()):.3f}, {spent:.0f} s")
    return network.eval()


def _drawn(lesson: Any, generator: Generator, n_batches: int) -> Iterator[Any]:
    """Batches in their order, each drawn by another thread while the one before it is learned."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(lesson.draw, generator)
        for number in range(n_batches):
            batch = coming.result()
            if number + 1 < n_batches:
                coming = thread.submit(lesson.draw, generator)
            yield batch


def _lesson(network: nn.Module, n_blocks: int) -> nn.Module:
    from bench.mini_judges.imagebind import Imagebind
    from bench.mini_judges.learn_offsets import OffsetLesson
    from bench.mini_judges.learn_pairs import PairLesson
    from bench.mini_judges.learn_sounds import PatchLesson, SoundLesson
    from bench.mini_judges.synchformer import Synchformer
    from bench.mini_judges.vggish import Vggish

    if isinstance(network, Imagebind):
        return PairLesson(network, n_blocks)
    if isinstance(network, Synchformer):
        return OffsetLesson(network, n_blocks)
    if isinstance(network, Vggish):
        return PatchLesson(network, n_blocks)
    return SoundLesson(cast("Passt | Panns", network), n_blocks)


def main(names: Sequence[str]) -> None:
    """Render what is missing, then teach and ship the networks of these names, or all.

    Raises:
        BenchError: there is no such network, or one could not be taught.
    """
    if unknown := [name for name in names if name not in NAMES]:
        raise BenchError(f"no small judge {unknown[0]!r}; there are: {', '.join(NAMES)}")
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    for done, _ in enumerate(render_blocks(TRAINING_SPLIT, N_TRAINING_BLOCKS, workers), start=1):
        _say(f"examples: block {done} of {N_TRAINING_BLOCKS}")
    wanted = [name for name in COURSES if name in names or not names]
    for outcome in open_engine(workers).map(_open_teacher, wanted):
        if outcome.failure is not None:
            raise BenchError(f"{outcome.item} could not be taught: {outcome.failure.message}")
        _say(f"{outcome.item}: {outcome.value}")


def _open_teacher() -> Callable[[str], str]:
    return _teach_and_ship


def _teach_and_ship(name: str) -> str:
    path = save_network(teach(name), name)
    return f"{path.name}, {path.stat().st_size / 1e6:.2f} MB"


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
