"""Prepared arrays to a batch on the device, and its answers back to clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.judges.extractor import Features, Prepared

if TYPE_CHECKING:
    from torch import Tensor


def stacked(prepared: Sequence[Prepared], name: str, device: str) -> Tensor:
    """The arrays of this name of all clips, ``[B, ...]`` on ``device``.

    A GPU is given them from pinned memory, without waiting for the copy.
    """
    import torch

    batch = torch.from_numpy(np.stack([each[name] for each in prepared]))
    if torch.device(device).type == "cuda":
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)


def unstacked(answers: Mapping[str, Tensor]) -> list[Features]:
    """Tensors ``[B, ...]`` by name as the features of each clip, on the CPU."""
    arrays = {name: tensor.cpu().numpy() for name, tensor in answers.items()}
    n_clips = len(next(iter(arrays.values())))
    # Copies: a view of one clip would keep the whole batch in memory.
    return [{name: array[i].copy() for name, array in arrays.items()} for i in range(n_clips)]
