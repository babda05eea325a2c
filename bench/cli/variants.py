"""The trained variants that Tables 4 and 5 of the paper compare, under the names they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Variant(NamedTuple):
    """What it is called on the command line and in the paper's table, and the system that it is."""

    name: str
    label: str
    system: str


#: Options of ``bench ablate`` for one model, by name; the model itself is the last of each.
Ablations = Mapping[str, tuple[Variant, ...]]

ABLATIONS: Mapping[str, Ablations] = {
    "acfoley": {
        "stage": (
            Variant("overlap-only", "Overlap", "acfoley-overlap-only"),
            Variant("non-overlap-only", "Non-overlap", "acfoley-non-overlap-only"),
            Variant("two-stage", "Two-stage w/o ft.", "acfoley-two-stage"),
            Variant("full", "Two-stage", "acfoley"),
        ),
        "pooling": (
            Variant("attention", "Attention-Based", "acfoley-attention-pooling"),
            Variant("average", "Average", "acfoley"),
        ),
    },
    "acfoley-mini": {
        "stage": (
            Variant("overlap-only", "Overlap", "acfoley-mini-overlap-only"),
            Variant("non-overlap-only", "Non-overlap", "acfoley-mini-non-overlap-only"),
            Variant("two-stage", "Two-stage", "acfoley-mini"),
        ),
        "pooling": (
            Variant("attention", "Attention-Based", "acfoley-mini-attention-pooling"),
            Variant("average", "Average", "acfoley-mini"),
        ),
    },
}
