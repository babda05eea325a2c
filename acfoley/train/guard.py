"""What happens when a loss or a gradient is no number: training stops, and the batch is named.

The gradients of all processes are summed before they are looked at, so that all stop at the same
step. Nothing of that step has reached the weights: the last checkpoint is good.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from acfoley.train.batches import Batch
from acfoley.train.world import World
from bench.errors import RunError, format_names
from bench.io import write_json

N_NAMED = 5


@dataclass(frozen=True)
class Losses:
    """Losses by clip of one process at one step, and the norm of the gradients of all."""

    batches: Sequence[Batch]
    by_clip: Sequence[Tensor]
    gradient_norm: float

    @property
    def names(self) -> list[str]:
        """The clips of this process."""
        return [name for batch in self.batches for name in batch.names]

    @property
    def bad_names(self) -> list[str]:
        """Those whose loss is no number."""
        is_good = torch.cat(list(self.by_clip)).isfinite().tolist()
        return [name for name, good in zip(self.names, is_good, strict=True) if not good]


def require_finite(losses: Losses, step: int, stage: str, run: Path, world: World) -> None:
    """Go on where the gradients are numbers.

    Raises:
        RunError: they are not; the message names the clips whose loss is none, or all of the batch,
            which ``stopped-<step>.json`` lists whole.
    """
    if math.isfinite(losses.gradient_norm):
        return
    bad = world.gathered(losses.bad_names)
    batch = world.gathered(losses.names)
    path = run / f"stopped-{step:08d}.json"
    if world.is_first:
        write_json(path, {"step": step, "stage": stage, "not_finite": bad, "batch": batch})
    world.wait()
    named = bad or batch
    some = format_names(named, N_NAMED)
    what = "the loss of" if bad else "no loss, but a gradient in the batch of"
    raise RunError(
        f"training stopped at step {step}: not finite is {what} {some} (see {path}); the "
        "last checkpoint is from before it: remove the clips, or lower the learning rate"
    )
