"""How a network is trained, as one frozen value that a run stores and a resumed run compares.

Paper, section 3.4 and appendix A: conditional flow matching, AdamW, learning rate 1e-4 after 1,000
steps of warm-up, 1e-5 after 200,000 steps and 1e-6 after 240,000, 260,000 steps of 320 clips in
bfloat16. What the paper leaves open (betas, epsilon, weight decay, clipping, distribution of the
times) has the values of MMAudio's code.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from acfoley.params import FlowParams
from bench.errors import BenchError

#: Which audio of a clip is its reference: 2 s from inside the target, or what follows the target.
Reference = Literal["inside", "after"]
#: MMAudio's published checkpoints are averages of one of these relative widths.
SIGMAS = (0.05, 0.1)
#: Keys of the JSON form that differ from the names of the fields, by the path of a field. Stored
#: checkpoints have these keys, and the digest names the folders of runs: they never change.
JSON_KEYS = {"dropout": "drops", "dropout.video": "picture"}


@dataclass(frozen=True)
class Stage:
    """A part of training: ``n_steps`` with one kind of reference.

    With ``lowest_score`` only clips whose audio-visual score is above it take part.
    """

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
    """The learning rate by step: linear warm-up, then piecewise constant.

    rate(s) = base * (s + 1) / (warmup_steps + 1)                  for s < warmup_steps
    rate(s) = base * factor ** #{d in decay_steps: s - warmup_steps >= d}    afterwards
    """

    base: float
    warmup_steps: int
    decay_steps: tuple[int, ...]
    factor: float = 0.1

    def rate(self, step: int) -> float:
        """Return the learning rate of ``step``, counted from 0.

        >>> Schedule(1e-4, 4, (6, 9)).rate(0)
        2e-05
        """
        # The warm-up divides by warmup_steps + 1: neither is the first rate 0, nor does the last
        # warm-up step repeat the base rate.
        if step < self.warmup_steps:
            return self.base * ((step + 1) / (self.warmup_steps + 1))
        # Torch's SequentialLR restarts the count for its second scheduler, so in MMAudio's code the
        # decay steps count from the end of the warm-up: the paper's rate falls at 201,000 and
        # 241,000. Factors are multiplied one by one, as there: a power has other last digits.
        rate = self.base
        for decay in self.decay_steps:
            if step - self.warmup_steps >= decay:
                rate *= self.factor
        return rate


@dataclass(frozen=True)
class Optimiser:
    """Settings of AdamW, with MMAudio's values; weight decay applies to all weights.

    ``largest_gradient`` is the norm that the gradient of all weights is clipped to.
    """

    betas: tuple[float, float] = (0.9, 0.95)
    epsilon_bfloat16: float = 1e-6
    epsilon_float32: float = 1e-8
    weight_decay: float = 1e-6
    largest_gradient: float = 1.0


@dataclass(frozen=True)
class ConditionDropout:
    """How often a clip is trained without a component: probabilities from 0 to 1.

    Without a rate for ``sync``, ``video`` drops CLIP's and Synchformer's features together, as
    MMAudio's first version does; with one, ``video`` drops CLIP's alone, as its second version
    does. ``everything`` drops all components at once, in addition. Each rate has its own random
    number.
    """

    video: float = 0.1
    text: float = 0.1
    audio: float = 0.1
    sync: float | None = None
    # Guidance compares with a network that knows no component at all. Independent rates of 0.1
    # leave only one clip in 1,000 without any.
    everything: float = 0.0

    def __post_init__(self) -> None:
        for name, share in asdict(self).items():
            if share is not None and not 0 <= share <= 1:
                raise BenchError(f"the dropout rate of {name} is {share}, expected 0 to 1")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the trained weights, except the data.

    ``batch_size`` counts the clips of one step over all processes and accumulated parts. A pass
    over the data has clips with video ``video_repeats`` times. Times of the flow are
    ``sigmoid(time_mean + time_scale * z)`` of standard normal z. ``sigmas`` are the relative widths
    of the averages of the weights, of which snapshots are written every ``snapshot_every`` steps.
    """

    params: FlowParams
    stages: tuple[Stage, ...]
    schedule: Schedule
    batch_size: int
    bfloat16: bool
    optimiser: Optimiser = Optimiser()
    dropout: ConditionDropout = ConditionDropout()
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
        """The epsilon of AdamW, larger in bfloat16."""
        # AdamW divides by sqrt(v) + epsilon; bfloat16 gradients are so coarse that a tiny v is
        # rounding, which an epsilon of 1e-8 would blow up.
        settings = self.optimiser
        return settings.epsilon_bfloat16 if self.bfloat16 else settings.epsilon_float32

    def stage_at(self, step: int) -> tuple[Stage, int]:
        """Return the stage of ``step``, and how many steps of that stage precede it."""
        first = 0
        for stage in self.stages:
            if step < first + stage.n_steps:
                return stage, step - first
            first += stage.n_steps
        raise ValueError(f"no step {step}: the recipe has {self.n_steps}")

    def end_of(self, name: str) -> int:
        """Return how many steps are done when the stage ``name`` ends.

        Raises:
            BenchError: no stage has this name; the message lists the stages.
        """
        names = [stage.name for stage in self.stages]
        if name not in names:
            raise BenchError(f"this recipe has no stage {name!r}; its stages: {', '.join(names)}")
        return sum(stage.n_steps for stage in self.stages[: names.index(name) + 1])

    def as_json(self) -> dict[str, Any]:
        """Return all settings under their stored keys, with lists for tuples as JSON has them."""
        stored: dict[str, Any] = json.loads(json.dumps(_with_json_keys(asdict(self))))
        return stored

    def digest(self) -> str:
        """Return a hash of 16 hex digits that changes with any setting."""
        text = json.dumps(self.as_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def find_differences(one: object, other: object, path: str = "") -> list[str]:
    """Return which settings of two recipes as JSON differ, such as ``batch_size: 320 or 64``."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted({*one, *other})
        pairs = [(one.get(n), other.get(n), f"{path}.{n}" if path else n) for n in names]
        return [line for pair in pairs for line in find_differences(*pair)]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        entries = enumerate(zip(one, other, strict=True))
        pairs = [(mine, theirs, f"{path}[{index}]") for index, (mine, theirs) in entries]
        return [line for pair in pairs for line in find_differences(*pair)]
    return [] if one == other else [f"{path}: {one} or {other}"]


def _with_json_keys(settings: dict[str, Any], path: str = "") -> dict[str, Any]:
    """Rename the fields of ``JSON_KEYS`` at every depth; their order does not matter."""
    renamed = {}
    for name, value in settings.items():
        own = path + name
        is_nested = isinstance(value, dict)
        renamed[JSON_KEYS.get(own, name)] = (
            _with_json_keys(value, own + ".") if is_nested else value
        )
    return renamed
