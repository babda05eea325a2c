"""What the stand-in needs of torch: its generator, which CondFoley does not seed."""

from __future__ import annotations

import random

generator = random.Random()  # noqa: S311


def manual_seed(seed: int) -> None:
    """Seed it."""
    generator.seed(seed)
