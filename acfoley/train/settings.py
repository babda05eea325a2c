"""What a run is given beside its recipe: data, settings and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from acfoley.network.flow_network import FlowNetwork
from bench.errors import RunError


@dataclass(frozen=True)
class TrainingData:
    """Folders of features: those to train on, and those whose loss is only computed."""

    folders: Sequence[Path]
    held_out: Sequence[Path] = ()


@dataclass(frozen=True)
class StepReport:
    """The progress of training after a step."""

    step: int
    n_steps: int
    stage: str
    loss: float
    learning_rate: float
    clips_per_second: float
    seconds_left: float


OnStep = Callable[[StepReport], None]
#: Called after each validation with the step and the network, on the first process.
OnValidation = Callable[[int, FlowNetwork], None]


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a run that change its result by rounding at most.

    ``until`` is the name of the last stage to train. ``keep`` is the number of checkpoints that are
    kept. ``log_every``, ``validate_every`` and ``checkpoint_every`` count steps.
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
                "parts of a batch, steps between rows, validations and checkpoints, and the number "
                f"of checkpoints that are kept, must be 1 or more, not {counts}"
            )
