"""One recipe for each variant that the paper's Tables 1, 4 and 5 compare, full size and mini.

The paper gives 260,000 steps in all, the last 40,000 of them on clips whose audio fits their video
(ImageBind cosine over 0.3), and no border between its two stages. Here Stage I has 100,000 steps,
Stage II 120,000, fine-tuning 40,000; ``set_borders`` changes this. Variants of one stage get the
220,000 steps of the two together, so that all variants train on equally many clips before
fine-tuning. Mini recipes have no fine-tuning, since in every mini clip the audio fits the video.
"""

from __future__ import annotations

from dataclasses import replace

from acfoley.params import PRESETS, FlowParams
from acfoley.train.recipe import ConditionDropout, Optimiser, Recipe, Schedule, Stage
from bench.errors import BenchError

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
