"""How ``gpu_check`` does without packages that its machine may not have."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np
from torch import Tensor

from acfoley.codec.snake import AntialiasedSnake
from bench.backbones import panns
from bench.dsp import mel
from benchmarks.vocoder_speed import plain_activation

#: Imported by packages that define a network, for parts of them that no network of ours uses:
#: torchlibrosa imports librosa for a front end, open_clip torchvision for its transforms of images,
#: hear21passt a function of timm that downloads.
STAND_INS = (
    "matplotlib",
    "matplotlib.pyplot",
    "librosa",
    "torchvision",
    "torchvision.ops",
    "torchvision.ops.misc",
    "torchvision.transforms",
    "torchvision.transforms.functional",
    "ftfy",
    "regex",
    "tqdm",
    "timm",
    "timm.models",
    "timm.models._hub",
)


def is_here(package: str) -> bool:
    """Whether a package can be imported."""
    return find_spec(package) is not None


@contextmanager
def stand_ins() -> Iterator[None]:
    """While open, missing packages that networks import and do not use are empty modules."""
    missing = [name for name in STAND_INS if not is_here(name.partition(".")[0])]
    for name in missing:
        sys.modules[name] = MagicMock(name=name, __spec__=ModuleSpec(name, None))
    try:
        yield
    finally:
        # Not all modules as they were before: what was imported meanwhile stays.
        for name in missing:
            sys.modules.pop(name, None)


def replace_missing() -> list[str]:
    """Do without librosa and numba in this process; return a sentence for each that is missing."""
    notes = []
    if not is_here("librosa"):
        notes.append("librosa is missing: mel filters are others, the same on both sides")
        stand_in = SimpleNamespace(filters=SimpleNamespace(mel=_htk_filters))
        mel.load_librosa = panns.load_librosa = lambda: stand_in
    if not is_here("numba"):
        notes.append("numba is missing: the vocoder's activation on the CPU is its definition")
        forward = AntialiasedSnake.forward

        def activate(module: AntialiasedSnake, signal: Tensor) -> Tensor:
            is_cpu = signal.device.type == "cpu"
            return plain_activation(module, signal) if is_cpu else forward(module, signal)

        AntialiasedSnake.forward = activate
    return notes


def _htk_filters(
    sr: int, n_fft: int, n_mels: int, fmin: float, fmax: float, dtype: type
) -> np.ndarray[Any, Any]:
    """In the place of ``librosa.filters.mel``: triangles of another scale."""
    return mel.htk_mel_bank(n_mels, n_fft, sr, fmin, fmax).T.astype(dtype)
