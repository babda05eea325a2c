"""The loss of held-out clips under noise of their own, which never changes."""

from __future__ import annotations

import torch

from acfoley.train.batches import Batcher
from acfoley.train.objective import Objective
from acfoley.train.world import World


@torch.no_grad()
def held_out_loss(objective: Objective, held_out: Batcher, size: int, world: World) -> float:
    """The mean over all clips, computed by all processes in batches of ``size``."""
    rows = held_out.corpus.rows[world.rank :: world.size]
    total = 0.0
    for start in range(0, len(rows), size):
        batch = held_out.validation(rows[start : start + size]).to(world.device)
        total += objective(batch).double().sum().item()
    return world.total(total) / len(held_out.corpus.rows)
