"""Full precision for networks in float32, which torch does not always compute in on a GPU."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_n_open = 0
_earlier = (False, False)


@contextmanager
def full_precision() -> Iterator[None]:
    """Compute products and convolutions of float32 without rounding their inputs to TF32.

    By default torch lets cuDNN round them to 10 bits: features change by 1e-3 then. The settings
    belong to the process: they are restored when the last of all threads that are inside leaves.
    """
    global _n_open, _earlier
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    with _lock:
        if _n_open == 0:
            _earlier = matmul.allow_tf32, cudnn.allow_tf32
        _n_open += 1
        matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        with _lock:
            _n_open -= 1
            if _n_open == 0:
                matmul.allow_tf32, cudnn.allow_tf32 = _earlier
