"""A recipe for every variant that the paper's Tables 1, 4 and 5 compare, and a small one of each.

The paper gives 260,000 steps in all, the last 40,000 of them on clips whose picture fits their
sound (ImageBind cosine over 0.3), and no border between its two stages. Here Stage I has 100,000
steps, Stage II 120,000, fine-tuning 40,000: borders are settings (``with_borders``). Variants of
one stage get the 220,000 steps of the two together, so that all see as many clips before
fine-tuning.
"""

from __future__ import annotations

from dataclasses import replace

from acfoley.params import CLAP_REFERENCE, PRESETS, VAE_REFERENCE, FlowParams
from acfoley.train.recipe import Recipe, Schedule, Stage
from bench.errors import BenchError

OVERLAP, NON_OVERLAP, FINETUNE = "overlap", "non-overlap", "finetune"
HIGH_CORRESPONDENCE = 0.3

PAPER_BORDERS = (100_000, 220_000, 260_000)
MINI_BORDERS = (800, 1_800, 2_200)

_PAPER_SCHEDULE = Schedule(1e-4, 1_000, (200_000, 240_000))
_MINI_SCHEDULE = Schedule(1e-3, 50, (1_600, 2_000))


def two_stages(borders: tuple[int, int, int], *, finetune: bool = True) -> tuple[Stage, ...]:
    """Stages that end after these numbers of steps."""
    first, second, last = borders
    if not 0 < first < second < last:
        raise BenchError(f"borders of stages must rise from above 0, not {list(borders)}")
    stages = (
        Stage(OVERLAP, first, "inside"),
        Stage(NON_OVERLAP, second - first, "after"),
        Stage(FINETUNE, last - second, "after", HIGH_CORRESPONDENCE),
    )
    return stages if finetune else stages[:2]


def with_borders(recipe: Recipe, borders: tuple[int, int, int]) -> Recipe:
    """The recipe of two stages with other borders.

    Raises:
        BenchError: borders do not rise, or the recipe has other stages.
    """
    if [stage.name for stage in recipe.stages] != [OVERLAP, NON_OVERLAP, FINETUNE]:
        raise BenchError("only a recipe of two stages and fine-tuning has borders to set")
    return replace(recipe, stages=two_stages(borders))


def _variants(full: Recipe, borders: tuple[int, int, int]) -> dict[str, Recipe]:
    """The variants of one recipe, by what the tables call them."""
    n_steps = borders[1]
    clap, attention = CLAP_REFERENCE, replace(VAE_REFERENCE, pooling="attention")
    return {
        "two-stage": full,
        "two-stage-without-finetuning": replace(full, stages=two_stages(borders, finetune=False)),
        "overlap-only": replace(full, stages=(Stage(OVERLAP, n_steps, "inside"),)),
        "non-overlap-only": replace(full, stages=(Stage(NON_OVERLAP, n_steps, "after"),)),
        "attention-pooling": replace(full, params=replace(full.params, reference=attention)),
        "clap-encoder": replace(full, params=replace(full.params, reference=clap)),
    }


def _paper(params: FlowParams) -> Recipe:
    return Recipe(params, two_stages(PAPER_BORDERS), _PAPER_SCHEDULE, 320, bfloat16=True)


def _mini(params: FlowParams) -> Recipe:
    return Recipe(
        params,
        two_stages(MINI_BORDERS),
        _MINI_SCHEDULE,
        32,
        bfloat16=False,
        video_repeats=1,
        snapshot_every=100,
    )


_PAPER = _variants(_paper(PRESETS["acfoley"]), PAPER_BORDERS)
_MINI = _variants(_mini(PRESETS["mini"]), MINI_BORDERS)

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
