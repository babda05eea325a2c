"""Train the mini judges from random weights: ``python -m bench.mini_judges.train [NAME...]``.

``make judges`` trains all five: it renders the examples (kept in ``$BENCH_HOME``), trains one
network per core, and replaces the weights in the package. Seeds are derived from names and every
network is trained by one thread, so that the same machine gives the same bytes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.engine import core_count, open_engine
from bench.errors import BenchError
from bench.mini_judges.dataset import (
    N_TRAINING_BLOCKS,
    N_VIDEO_BLOCKS,
    TRAINING_SPLIT,
    render_blocks,
)
from bench.mini_judges.weights import NAMES, build_network, save_network
from bench.seeds import stable_seed

if TYPE_CHECKING:
    from torch import Generator, nn

USAGE = "usage: python -m bench.mini_judges.train [NAME...]"
WEIGHT_DECAY = 0.02
#: Share of the steps in which the learning rate rises.
WARMUP_SHARE = 0.15
LARGEST_GRADIENT_NORM = 1.0
REPORT_EVERY = 50


class TrainingConfig(NamedTuple):
    """Number of steps, largest learning rate, and number of blocks of examples."""

    n_steps: int
    max_rate: float
    n_blocks: int


CONFIGS = {
    "synchformer": TrainingConfig(600, 3e-3, N_VIDEO_BLOCKS),
    "passt": TrainingConfig(900, 2e-3, N_TRAINING_BLOCKS),
    "panns": TrainingConfig(1300, 3e-3, N_TRAINING_BLOCKS),
    "imagebind": TrainingConfig(500, 3e-3, N_VIDEO_BLOCKS),
    "vggish": TrainingConfig(400, 3e-3, N_TRAINING_BLOCKS),
}


def train(name: str, n_blocks: int | None = None, n_steps: int | None = None) -> nn.Module:
    """Train a network from random weights in this thread, and return it in evaluation mode.

    ``n_blocks`` and ``n_steps`` replace those of ``CONFIGS``. The blocks have been rendered.
    """
    import torch

    from bench.mini_judges.objectives import OBJECTIVES

    # More threads would split sums differently from machine to machine and change the last digits.
    torch.set_num_threads(1)
    # The word is part of the seed: another one would change the shipped weights.
    config, seed = CONFIGS[name], stable_seed("mini judge", name)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = build_network(name)
    objective = OBJECTIVES[name](network, n_blocks or config.n_blocks)
    steps = n_steps or config.n_steps
    optimizer = torch.optim.AdamW(
        objective.parameters(), config.max_rate, weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.max_rate, total_steps=steps, pct_start=WARMUP_SHARE
    )
    started = time.perf_counter()
    for step, batch in enumerate(_prefetch_batches(objective, generator, steps), start=1):
        optimizer.zero_grad()
        loss = objective(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(objective.parameters(), LARGEST_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        if step % REPORT_EVERY == 0:
            spent_s = time.perf_counter() - started
            _report(
                f"{name}: step {step} of {steps}, loss {float(loss.detach()):.3f}, {spent_s:.0f} s"
            )
    return network.eval()


def _prefetch_batches(objective: Any, generator: Generator, n_batches: int) -> Iterator[Any]:
    """Yield batches in order; another thread prepares the next one during the step of this one.

    A single thread draws from the generator, one batch after the other, so that the sequence of
    random numbers does not depend on timing.
    """
    with ThreadPoolExecutor(1) as thread:
        pending = thread.submit(objective.sample_batch, generator)
        for number in range(n_batches):
            batch = pending.result()
            if number + 1 < n_batches:
                pending = thread.submit(objective.sample_batch, generator)
            yield batch


def main(names: Sequence[str]) -> None:
    """Render missing examples, then train and save the networks of these names, or all.

    Raises:
        BenchError: a name is unknown, or a network could not be trained.
    """
    if unknown := [name for name in names if name not in NAMES]:
        raise BenchError(f"no mini judge {unknown[0]!r}, expected one of: {', '.join(NAMES)}")
    workers = core_count()
    for done, _ in enumerate(render_blocks(TRAINING_SPLIT, N_TRAINING_BLOCKS, workers), start=1):
        _report(f"examples: block {done} of {N_TRAINING_BLOCKS}")
    chosen = [name for name in CONFIGS if name in names or not names]
    for outcome in open_engine(workers).map(_open_trainer, chosen):
        if outcome.failure is not None:
            raise BenchError(f"{outcome.item} could not be trained: {outcome.failure.message}")
        _report(f"{outcome.item}: {outcome.value}")


def _open_trainer() -> Callable[[str], str]:
    return _train_and_save


def _train_and_save(name: str) -> str:
    path = save_network(train(name), name)
    return f"{path.name}, {path.stat().st_size / 1e6:.2f} MB"


def _report(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.stdout.write(f"{USAGE}\nNAME is one of: {', '.join(NAMES)}; without names, all.\n")
        sys.exit(0)
    try:
        main(sys.argv[1:])
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
