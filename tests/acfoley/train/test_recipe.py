"""Learning rates, stages, presets, and refused settings."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from acfoley.params import PRESETS, sequence_lengths
from acfoley.train.recipe import (
    RECIPES,
    ConditionDropout,
    Schedule,
    Stage,
    add_finetuning,
    build_two_stages,
    find_differences,
    find_recipe,
    set_borders,
)
from tests.acfoley.seeded import GOLDEN

TRAINING = json.loads((GOLDEN / "training.json").read_text())
OFFICIAL = TRAINING["official"]
#: Computed by the release before fields were renamed.
RELEASED_DIGESTS = {
    "acfoley": "8f5d3534956a2510",
    "two-stage": "8f5d3534956a2510",
    "two-stage-without-finetuning": "c5e15717d94003dc",
    "overlap-only": "c90498257724516d",
    "non-overlap-only": "87a3beca94cf1353",
    "attention-pooling": "88a7ee6af7b1b073",
    "clap-encoder": "bb6d81f3d5568631",
    "mini": "b0493fa91780049b",
    "mini-two-stage": "b0493fa91780049b",
    "mini-overlap-only": "78c04b7c2e645999",
    "mini-non-overlap-only": "9556907e4a926795",
    "mini-attention-pooling": "ea8bd1b9f0ec8451",
    "mini-clap-encoder": "fd03de00a291ee43",
}


def test_learning_rates_are_those_of_the_reference():
    schedule = Schedule(
        OFFICIAL["learning_rate"],
        OFFICIAL["linear_warmup_steps"],
        tuple(OFFICIAL["schedule_steps"]),
        OFFICIAL["schedule_gamma"],
    )
    for step, rate in TRAINING["lr_by_iteration_official"].items():
        assert schedule.rate(int(step)) == pytest.approx(rate, rel=1e-12)


def test_learning_rates_of_a_short_schedule_are_those_of_the_reference():
    golden = TRAINING["lr_by_iteration_small"]
    schedule = Schedule(golden["base"], golden["warmup"], tuple(golden["steps"]), golden["gamma"])
    rates = [schedule.rate(step) for step in range(len(golden["lr"]))]
    assert rates == pytest.approx(golden["lr"], rel=1e-12)


def test_the_optimiser_is_that_of_the_reference():
    recipe = RECIPES["acfoley"]
    settings = recipe.optimiser
    assert list(settings.betas) == OFFICIAL["betas"]
    assert recipe.epsilon == OFFICIAL["eps_with_bf16_autocast"]
    assert replace(recipe, bfloat16=False).epsilon == OFFICIAL["eps_without"]
    assert settings.weight_decay == OFFICIAL["weight_decay"]
    assert settings.largest_gradient == OFFICIAL["clip_grad_norm"]
    assert recipe.dropout.video == OFFICIAL["drop_video_probability"]
    assert recipe.dropout.text == OFFICIAL["drop_text_probability"]
    assert recipe.time_mean == OFFICIAL["timestep_mean"]
    assert recipe.time_scale == OFFICIAL["timestep_scale"]


def test_the_recipe_is_that_of_the_paper():
    recipe = RECIPES["acfoley"]
    assert (recipe.n_steps, recipe.batch_size, recipe.bfloat16) == (260_000, 320, True)
    assert recipe.schedule.rate(150_000) == 1e-4
    assert recipe.schedule.rate(210_000) == pytest.approx(1e-5)
    assert recipe.schedule.rate(259_999) == pytest.approx(1e-6)
    assert recipe.params == PRESETS["acfoley"]
    finetune = recipe.stages[-1]
    assert (finetune.n_steps, finetune.lowest_score) == (40_000, 0.3)
    assert sequence_lengths(8.0).samples == 353_280


def test_every_variant_of_the_tables_has_a_recipe_and_a_small_one():
    variants = {
        "overlap-only": ["inside"],
        "non-overlap-only": ["after"],
        "two-stage-without-finetuning": ["inside", "after"],
        "two-stage": ["inside", "after", "after"],
        "attention-pooling": ["inside", "after", "after"],
        "clap-encoder": ["inside", "after", "after"],
    }
    for name, references in variants.items():
        assert [stage.reference for stage in RECIPES[name].stages] == references
        if name != "two-stage-without-finetuning":
            found = [stage.reference for stage in RECIPES[f"mini-{name}"].stages]
            assert found == references[:2]  # no fine-tuning in the mini world
    assert RECIPES["attention-pooling"].params == PRESETS["acfoley_attention"]
    assert RECIPES["clap-encoder"].params == PRESETS["mmaudio_clap"]
    before = {n: r.n_steps for n, r in RECIPES.items() if "only" in n or "without" in n}
    assert {n: steps for n, steps in before.items() if not n.startswith("mini")} == dict.fromkeys(
        ["overlap-only", "non-overlap-only", "two-stage-without-finetuning"], 220_000
    )


@pytest.mark.parametrize(("name", "digest"), list(RELEASED_DIGESTS.items()))
def test_released_recipes_keep_their_digest_whatever_their_fields_are_called(name, digest):
    """Folders of runs have the digest in their names, and checkpoints store the JSON form."""
    assert RECIPES[name].digest() == digest


def test_stored_keys_are_those_of_released_checkpoints():
    stored = RECIPES["mini"].as_json()
    assert stored["drops"] == dict.fromkeys(("picture", "text", "audio", "sync", "everything"), 0.1)
    assert "dropout" not in stored


def test_every_step_belongs_to_one_stage():
    recipe = replace(RECIPES["mini"], stages=add_finetuning(build_two_stages(3, 5), 9))
    found = [recipe.stage_at(step) for step in range(recipe.n_steps)]
    assert [stage.name for stage, _ in found] == (
        ["overlap"] * 3 + ["non-overlap"] * 2 + ["finetune"] * 4
    )
    assert [within for _, within in found] == [0, 1, 2, 0, 1, 0, 1, 2, 3]
    assert [recipe.end_of(stage.name) for stage in recipe.stages] == [3, 5, 9]
    with pytest.raises(ValueError, match="no step 9"):
        recipe.stage_at(9)


def test_borders_of_stages_can_be_moved():
    recipe = set_borders(RECIPES["acfoley"], (50_000, 260_000, 300_000))
    assert [stage.n_steps for stage in recipe.stages] == [50_000, 210_000, 40_000]


def test_differences_of_two_recipes_are_listed_by_setting():
    recipe = RECIPES["mini"]
    other = replace(
        recipe, batch_size=64, dropout=ConditionDropout(text=0.2), stages=build_two_stages(3, 5)
    )
    found = find_differences(recipe.as_json(), other.as_json())
    assert "batch_size: 8 or 64" in found
    assert "drops.text: 0.1 or 0.2" in found
    assert "stages[0].n_steps: 1000 or 3" in found
    assert find_differences(recipe.as_json(), recipe.as_json()) == []
    assert recipe.digest() != other.digest()


def test_invalid_recipes_are_refused():
    recipe = RECIPES["acfoley"]
    refused = {
        "no recipe 'maxi'; there are: acfoley": lambda: find_recipe("maxi"),
        "must rise from above 0": lambda: set_borders(recipe, (5, 5, 9)),
        "only a recipe of two stages": lambda: set_borders(RECIPES["overlap-only"], (1, 2, 3)),
        "no stage 'third'; its stages: overlap, non-overlap, finetune": lambda: recipe.end_of(
            "third"
        ),
        "has 0 steps": lambda: Stage("empty", 0, "inside"),
        "dropout rate of text is 1.5": lambda: ConditionDropout(text=1.5),
        "stages of different names": lambda: replace(recipe, stages=()),
        "batch_size, video_repeats": lambda: replace(recipe, batch_size=0),
    }
    for message, make in refused.items():
        with pytest.raises(Exception, match=message):
            make()
