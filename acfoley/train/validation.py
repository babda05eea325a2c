"""The loss of held-out clips under noise of their own, which never changes."""

from __future__ import annotations

import torch

from acfoley.train.collate import Collator
from acfoley.train.distributed import ProcessGroup
from acfoley.train.loss import FlowMatchingLoss


@torch.no_grad()
def held_out_loss(
    objective: FlowMatchingLoss, held_out: Collator, size: int, processes: ProcessGroup
) -> float:
    """The mean over all clips, computed by all processes in batches of ``size``."""
    rows = held_out.dataset.rows[processes.rank :: processes.size]
    total = 0.0
    for start in range(0, len(rows), size):
        batch = held_out.validation(rows[start : start + size]).to(processes.device)
        total += objective(batch).double().sum().item()
    return processes.total(total) / len(held_out.dataset.rows)
