"""Checkpoint files of the official layouts under weights drawn by name."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

GROUP = re.compile(r"\{([^{}]*)\}")


class _Tensors(nn.Module):
    """As much of a module as the seeding asks for: named tensors."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        self.tensors = tensors

    def state_dict(self) -> dict[str, Tensor]:
        return self.tensors


def seed_weights(shared: Path) -> ModuleType:
    """The module that draws weights and inputs by name."""
    path = shared / "golden" / "seed_weights.py"
    spec = importlib.util.spec_from_file_location("seed_weights", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def official_shapes(shared: Path, table: str) -> dict[str, list[int]]:
    """Names and shapes of the official file that ``golden/<table>`` describes."""
    content = json.loads((shared / "golden" / table).read_text())
    shapes = {
        name: shape for pattern, shape in content["entries"].items() for name in _expanded(pattern)
    }
    assert len(shapes) == content["tensors"]
    return shapes


def official_state(
    shared: Path, table: str, gain: Mapping[str, float] | None = None
) -> dict[str, Tensor]:
    """Seeded tensors of the official layout; constants stay zero."""
    shapes = official_shapes(shared, table)
    tensors = {name: torch.zeros(shape) for name, shape in shapes.items()}
    seed_weights(shared).fill(_Tensors(tensors), gain=gain)
    return tensors


def _expanded(pattern: str) -> Iterator[str]:
    """Expand ``{0..2}`` to 0, 1 and 2, ``{a,b}`` to a and b; groups combine."""
    group = GROUP.search(pattern)
    if group is None:
        yield pattern
        return
    first, dots, last = group[1].partition("..")
    values = range(int(first), int(last) + 1) if dots else group[1].split(",")
    for value in values:
        yield from _expanded(pattern.replace(group[0], str(value), 1))
