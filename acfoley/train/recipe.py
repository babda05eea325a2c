"""How a network is trained, as one frozen value that a run writes down and a resumed run compares.

The paper (section 3.4, appendix A): conditional flow matching, AdamW, 1e-4 after 1,000 steps of
warm-up, 1e-5 after 200,000 steps and 1e-6 after 240,000, 260,000 steps of 320 clips in bfloat16.
What it does not say is as MMAudio's code has it: betas, epsilon, weight decay, clipping, times.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from acfoley.params import FlowParams
from bench.errors import BenchError

#: Which sound of a clip is its reference: 2 s of the target itself, or what comes after it.
Reference = Literal["inside", "after"]
#: MMAudio's published checkpoints are averages with one of these relative widths.
SIGMAS = (0.05, 0.1)


@dataclass(frozen=True)
class Stage:
    """A stretch of training. ``lowest_score`` keeps only clips whose picture fits their sound."""

    name: str
    n_steps: int
    reference: Reference
    lowest_score: float | None = None

    def __post_init__(self) -> None:
        if self.n_steps < 1:
            raise BenchError(
                f"the stage {self.name!r} has {self.n_steps} steps, expected 1 or more"
            )


@dataclass(frozen=True)
class Schedule:
    """The learning rate by step.

    It rises in a line over ``warmup_steps``, and is multiplied by ``factor`` at every step of
    ``decay_steps``. These count from the end of the warm-up, as torch's SequentialLR counts them
    in MMAudio's code: with the paper's numbers the rate falls at 201,000 and 241,000.
    """

    base: float
    warmup_steps: int
    decay_steps: tuple[int, ...]
    factor: float = 0.1

    def rate(self, step: int) -> float:
        """The learning rate that is applied at ``step``, counted from 0.

        >>> Schedule(1e-4, 4, (6, 9)).rate(0)
        2e-05
        """
        if step < self.warmup_steps:
            return self.base * ((step + 1) / (self.warmup_steps + 1))
        rate = self.base
        for decay in self.decay_steps:
            if step - self.warmup_steps >= decay:
                rate *= self.factor
        return rate


@dataclass(frozen=True)
class Optimiser:
    """AdamW, as MMAudio's code sets it; weights of every kind decay."""

    betas: tuple[float, float] = (0.9, 0.95)
    epsilon_bfloat16: float = 1e-6
    epsilon_float32: float = 1e-8
    weight_decay: float = 1e-6
    largest_gradient: float = 1.0


@dataclass(frozen=True)
class Drops:
    """How often a clip is trained without a component.

    ``picture`` takes CLIP's and Synchformer's features away together, as MMAudio's first version
    does; where ``sync`` has a rate of its own it takes CLIP's alone, as MMAudio's second version
    does. ``everything`` takes all away at once, besides: guidance compares with such clips, which
    rates of 0.1 make one of 1,000. Each rate has its own draw.
    """

    video: float = 0.1
    text: float = 0.1
    audio: float = 0.1
    sync: float | None = None
    everything: float = 0.0

    def __post_init__(self) -> None:
        for name, share in asdict(self).items():
            if share is not None and not 0 <= share <= 1:
                raise BenchError(f"the drop rate of {name} is {share}, expected 0 to 1")


@dataclass(frozen=True)
class Recipe:
    """All that decides what weights come out, but for the data.

    ``batch_size`` counts the clips of one step over all processes and accumulated parts. Clips
    with a picture are seen ``video_repeats`` times in a pass over the data. Times of the flow are
    sigmoid of normal values with this mean and scale.
    """

    params: FlowParams
    stages: tuple[Stage, ...]
    schedule: Schedule
    batch_size: int
    bfloat16: bool
    optimiser: Optimiser = Optimiser()
    drops: Drops = Drops()
    time_mean: float = 0.0
    time_scale: float = 1.0
    video_repeats: int = 3
    sigmas: tuple[float, ...] = SIGMAS
    snapshot_every: int = 5_000
    seed: int = 14_159_265

    def __post_init__(self) -> None:
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) != len(names):
            raise BenchError(f"a recipe has stages of different names, not {names}")
        if min(self.batch_size, self.video_repeats, self.snapshot_every) < 1:
            raise BenchError(
                "batch_size, video_repeats and snapshot_every are 1 or more, not "
                f"{self.batch_size}, {self.video_repeats} and {self.snapshot_every}"
            )

    @property
    def n_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.n_steps for stage in self.stages)

    @property
    def epsilon(self) -> float:
        """Of AdamW, which divides by less than bfloat16 can tell from 0."""
        settings = self.optimiser
        return settings.epsilon_bfloat16 if self.bfloat16 else settings.epsilon_float32

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """The stage that ``step`` belongs to, and how many of its steps came before."""
        first = 0
        for stage in self.stages:
            if step < first + stage.n_steps:
                return stage, step - first
            first += stage.n_steps
        raise ValueError(f"there is no step {step}: the recipe has {self.n_steps}")

    def end_of(self, name: str) -> int:
        """How many steps are done when the stage ``name`` ends.

        Raises:
            BenchError: there is no such stage; the message lists those there are.
        """
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise BenchError(f"this recipe has no stage {name!r}; its stages: {', '.join(names)}")
        return sum(stage.n_steps for stage in self.stages[: names.index(name) + 1])

    def as_json(self) -> dict[str, Any]:
        """All settings, as JSON gives them back."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    def digest(self) -> str:
        """A short hash that changes with any setting."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(one: object, other: object, path: str = "") -> list[str]:
    """Which settings of two recipes, as JSON, differ: ``batch_size: 320 or 64``."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        pairs = [(one.get(n), other.get(n), f"{path}.{n}" if path else n) for n in names]
        return [line for pair in pairs for line in differences(*pair)]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        entries = enumerate(zip(one, other, strict=True))
        pairs = [(mine, theirs, f"{path}[{index}]") for index, (mine, theirs) in entries]
        return [line for pair in pairs for line in differences(*pair)]
    return [] if one == other else [f"{path}: {one} or {other}"]
