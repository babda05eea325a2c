"""A recipe for every variant that the paper's Tables 1, 4 and 5 compare, and a small one of each.

The paper gives 260,000 steps in all, the last 40,000 of them on clips whose picture fits their
sound (ImageBind cosine over 0.3), and no border between its two stages. Here Stage I has 100,000
steps, Stage II 120,000, fine-tuning 40,000: borders are settings (``with_borders``). Variants of
one stage get the 220,000 steps of the two together, so that all see as many clips before
fine-tuning. Small recipes have no fine-tuning: every picture of the mini world fits its sound.
"""

from __future__ import annotations

from dataclasses import replace

from acfoley.params import PRESETS, FlowParams
from acfoley.train.recipe import Drops, Optimiser, Recipe, Schedule, Stage
from bench.errors import BenchError

OVERLAP, NON_OVERLAP, FINETUNE = "overlap", "non-overlap", "finetune"
HIGH_CORRESPONDENCE = 0.3

PAPER_BORDERS = (100_000, 220_000, 260_000)
MINI_BORDERS = (1_000, 3_000)

#: Mean and scale of the normal values that times are sigmoids of. From time 0.15 on, the noisy
#: latents of 8 s show what a sound is as a whole, and a reference tells nothing new: the paper's
#: times (0 and 1) lie before that once in 24, these once in 2, which a run of few steps needs.
MINI_TIMES = (-1.5, 1.5)

_PAPER_SCHEDULE = Schedule(1e-4, 1_000, (200_000, 240_000))
_MINI_SCHEDULE = Schedule(3e-4, 50, (1_600, 2_200, 2_650), factor=0.35)
#: Gradients of eight clips vary more than those of 320: their squares are averaged for longer.
_MINI_OPTIMISER = Optimiser(betas=(0.9, 0.99))

#: So that sync without a picture (Table 6) is known from training, and so is nothing at all, which
#: guidance compares with: of 24,000 clips the paper's rates leave 24 without everything.
MINI_DROPS = Drops(sync=0.1, everything=0.1)


def two_stages(first: int, second: int) -> tuple[Stage, ...]:
    """Stages I and II, which end after these numbers of steps."""
    if not 0 < first < second:
        raise BenchError(f"borders of stages must rise from above 0, not {first}, {second}")
    return Stage(OVERLAP, first, "inside"), Stage(NON_OVERLAP, second - first, "after")


def finetuned(stages: tuple[Stage, ...], n_steps: int) -> tuple[Stage, ...]:
    """Stages with fine-tuning up to step ``n_steps`` after them."""
    n_before = sum(stage.n_steps for stage in stages)
    if n_steps <= n_before:
        raise BenchError(f"fine-tuning ends after step {n_steps}, what is before it at {n_before}")
    return *stages, Stage(FINETUNE, n_steps - n_before, "after", HIGH_CORRESPONDENCE)


def with_borders(recipe: Recipe, borders: tuple[int, int, int]) -> Recipe:
    """The recipe of two stages with other borders.

    Raises:
        BenchError: borders do not rise, or the recipe has other stages.
    """
    if [stage.name for stage in recipe.stages] != [OVERLAP, NON_OVERLAP, FINETUNE]:
        raise BenchError("only a recipe of two stages and fine-tuning has borders to set")
    first, second, last = borders
    return replace(recipe, stages=finetuned(two_stages(first, second), last))


def _paper(params: FlowParams) -> Recipe:
    first, second, last = PAPER_BORDERS
    stages = finetuned(two_stages(first, second), last)
    return Recipe(params, stages, _PAPER_SCHEDULE, 320, bfloat16=True)


def _mini(params: FlowParams) -> Recipe:
    return Recipe(
        params,
        two_stages(*MINI_BORDERS),
        _MINI_SCHEDULE,
        8,
        bfloat16=True,
        optimiser=_MINI_OPTIMISER,
        drops=MINI_DROPS,
        video_repeats=1,
        snapshot_every=100,
        time_mean=MINI_TIMES[0],
        time_scale=MINI_TIMES[1],
    )


def _of_one_stage(recipe: Recipe) -> dict[str, Recipe]:
    """Variants that spend the steps of both stages on one of them."""
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
    **_of_one_stage(_FULL),
    "attention-pooling": _paper(PRESETS["acfoley_attention"]),
    "clap-encoder": _paper(PRESETS["mmaudio_clap"]),
}
_MINI = {
    "two-stage": _SMALL,
    **_of_one_stage(_SMALL),
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


def recipe_named(name: str) -> Recipe:
    """Return a recipe.

    Raises:
        BenchError: there is none of this name; the message lists those there are.
    """
    if name not in RECIPES:
        raise BenchError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}")
    return RECIPES[name]
