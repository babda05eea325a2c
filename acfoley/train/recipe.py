"""How a network is trained, as one frozen value that a run stores and a resumed run compares.

Paper, section 3.4 and appendix A: conditional flow matching, AdamW, learning rate 1e-4 after 1,000
steps of warm-up, 1e-5 after 200,000 steps and 1e-6 after 240,000, 260,000 steps of 320 clips in
bfloat16. What the paper leaves open (betas, epsilon, weight decay, clipping, distribution of the
times) has the values of MMAudio's code.

``RECIPES`` has one recipe for each variant that the paper's Tables 1, 4 and 5 compare, full size
and mini.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from acfoley.params import PRESETS, FlowParams
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


# The recipes of the paper's tables.
#
# The paper gives 260,000 steps in all, the last 40,000 of them on clips whose audio fits their
# video (ImageBind cosine over 0.3), and no border between its two stages. Here Stage I has 100,000
# steps, Stage II 120,000, fine-tuning 40,000; ``set_borders`` changes this. Variants of one stage
# get the 220,000 steps of the two together, so that all variants train on equally many clips before
# fine-tuning. Mini recipes have no fine-tuning, since in every mini clip the audio fits the video.

OVERLAP, NON_OVERLAP, FINETUNE = "overlap", "non-overlap", "finetune"
HIGH_CORRESPONDENCE = 0.3

PAPER_BORDERS = (100_000, 220_000, 260_000)
MINI_BORDERS = (1_000, 3_000)

#: Mean and scale of the normal values whose sigmoid is the time. From t = 0.15 on, the noisy
#: latents of 8 s already reveal the timbre, so a reference adds no information and its use is not
#: learned there. P(t < 0.15) = Phi((logit(0.15) - mean) / scale): with the paper's (0, 1) it is
#: Phi(-1.73) = 0.04, one time in 24; with these Phi(-0.16) = 0.44, which a run of few steps needs.
MINI_TIMES = (-1.5, 1.5)

_PAPER_SCHEDULE = Schedule(1e-4, 1_000, (200_000, 240_000))
_MINI_SCHEDULE = Schedule(3e-4, 50, (1_600, 2_200, 2_650), factor=0.35)
#: Gradients of eight clips vary more than those of 320: average their squares over more steps.
_MINI_OPTIMISER = Optimiser(betas=(0.9, 0.99))

#: Sync is dropped on its own, so that sync without video (Table 6) occurs in training, and so does
#: the network without any component that guidance compares with: of the 24,000 clips of a mini run
#: the paper's rates would leave only 24 without everything.
MINI_DROPOUT = ConditionDropout(sync=0.1, everything=0.1)


def build_two_stages(first: int, second: int) -> tuple[Stage, ...]:
    """Return Stages I and II, which end after ``first`` and ``second`` steps."""
    if not 0 < first < second:
        raise BenchError(f"borders of stages must rise from above 0, not {first}, {second}")
    return Stage(OVERLAP, first, "inside"), Stage(NON_OVERLAP, second - first, "after")


def add_finetuning(stages: tuple[Stage, ...], n_steps: int) -> tuple[Stage, ...]:
    """Return ``stages`` with fine-tuning after them, up to step ``n_steps`` of the run."""
    n_before = sum(stage.n_steps for stage in stages)
    if n_steps <= n_before:
        raise BenchError(
            f"fine-tuning ends after step {n_steps}, the stages before it after step {n_before}"
        )
    return *stages, Stage(FINETUNE, n_steps - n_before, "after", HIGH_CORRESPONDENCE)


def set_borders(recipe: Recipe, borders: tuple[int, int, int]) -> Recipe:
    """Return a recipe of two stages and fine-tuning with other ends of its stages.

    Raises:
        BenchError: borders do not rise, or the recipe has other stages.
    """
    if [stage.name for stage in recipe.stages] != [OVERLAP, NON_OVERLAP, FINETUNE]:
        raise BenchError("only a recipe of two stages and fine-tuning has borders to set")
    first, second, last = borders
    return replace(recipe, stages=add_finetuning(build_two_stages(first, second), last))


def _paper(params: FlowParams) -> Recipe:
    first, second, last = PAPER_BORDERS
    stages = add_finetuning(build_two_stages(first, second), last)
    return Recipe(params, stages, _PAPER_SCHEDULE, 320, bfloat16=True)


def _mini(params: FlowParams) -> Recipe:
    return Recipe(
        params,
        build_two_stages(*MINI_BORDERS),
        _MINI_SCHEDULE,
        8,
        bfloat16=True,
        optimiser=_MINI_OPTIMISER,
        dropout=MINI_DROPOUT,
        video_repeats=1,
        snapshot_every=100,
        time_mean=MINI_TIMES[0],
        time_scale=MINI_TIMES[1],
    )


def _split_stages(recipe: Recipe) -> dict[str, Recipe]:
    """Return the variants that spend the steps of both stages on one of them, by name."""
    stages = recipe.stages[:2]
    n_steps = sum(stage.n_steps for stage in stages)
    return {
        f"{stage.name}-only": replace(recipe, stages=(replace(stage, n_steps=n_steps),))
        for stage in stages
    }


_FULL, _SMALL = _paper(PRESETS["acfoley"]), _mini(PRESETS["mini"])
_PAPER = {
    "two-stage": _FULL,
    "two-stage-without-finetuning": replace(_FULL, stages=_FULL.stages[:2]),
    **_split_stages(_FULL),
    "attention-pooling": _paper(PRESETS["acfoley_attention"]),
    "clap-encoder": _paper(PRESETS["mmaudio_clap"]),
}
_MINI = {
    "two-stage": _SMALL,
    **_split_stages(_SMALL),
    "attention-pooling": _mini(PRESETS["mini_attention"]),
    "clap-encoder": _mini(PRESETS["mini_clap"]),
}

#: By the name that ``acfoley train --preset`` takes; ``acfoley`` and ``mini`` are ``two-stage``.
RECIPES: dict[str, Recipe] = {
    "acfoley": _PAPER["two-stage"],
    **_PAPER,
    "mini": _MINI["two-stage"],
    **{f"mini-{name}": recipe for name, recipe in _MINI.items()},
}


def find_recipe(name: str) -> Recipe:
    """Return the recipe ``name``.

    Raises:
        BenchError: no recipe has this name; the message lists all names.
    """
    if name not in RECIPES:
        raise BenchError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name]
