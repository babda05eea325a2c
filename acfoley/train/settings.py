"""What a run is given besides its recipe, and what it tells while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from acfoley.network.flow_network import FlowNetwork
from bench.errors import RunError


@dataclass(frozen=True)
class Data:
    """Folders of features: those to train on, and those whose loss is only looked at."""

    folders: Sequence[Path]
    held_out: Sequence[Path] = ()


@dataclass(frozen=True)
class Report:
    """How training goes, after a step."""

    step: int
    n_steps: int
    stage: str
    loss: float
    learning_rate: float
    clips_per_second: float
    seconds_left: float


OnStep = Callable[[Report], None]
#: Called after each validation with the step and the network, on the first process.
OnValidation = Callable[[int, FlowNetwork], None]


@dataclass(frozen=True)
class Settings:
    """How a recipe is carried out: nothing here changes what is learned, but for rounding.

    ``until`` ends after the stage of that name. ``keep`` is how many checkpoints stay.
    """

    until: str | None = None
    n_accumulated: int = 1
    log_every: int = 50
    validate_every: int = 1_000
    checkpoint_every: int = 1_000
    keep: int = 3
    snapshot_dtype: Literal["float32", "float16"] = "float32"
    compile: bool = False
    resume: bool = False
    on_step: OnStep = field(default=lambda report: None)
    on_validation: OnValidation = field(default=lambda step, network: None)

    def __post_init__(self) -> None:
        counts = (
            self.n_accumulated,
            self.log_every,
            self.validate_every,
            self.checkpoint_every,
            self.keep,
        )
        if min(counts) < 1:
            raise RunError(
                "parts of a batch, steps between rows, validations and checkpoints, and how many "
                f"of these are kept, must be 1 or more, not {counts}"
            )
