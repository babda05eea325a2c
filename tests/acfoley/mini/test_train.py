"""All of ``make mini-weights`` at a size of seconds."""

from __future__ import annotations

from dataclasses import replace
from shutil import copy

import pytest
import torch

from acfoley.mini import train, variants
from acfoley.mini.variants import ENCODER_FILES, open_mini, ship, variant_recipe, weights_path
from acfoley.train import recipe as recipes
from acfoley.train.recipe import Schedule
from bench.errors import BenchError, MissingError


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Eight clips, three steps of two clips, weights that go elsewhere."""
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    (tmp_path / "weights").mkdir()
    for name in ENCODER_FILES.values():
        copy(weights_path(name), tmp_path / "weights")
    monkeypatch.setattr(variants, "FOLDER", tmp_path / "weights")
    monkeypatch.setattr(train, "N_CLIPS", 6)
    monkeypatch.setattr(train, "N_HELD_OUT", 2)
    monkeypatch.setattr(train, "N_CODEC_CLIPS", 6)
    monkeypatch.setattr(train, "REPORT_EVERY", 1)
    for name in ("mini-two-stage", "mini-clap-encoder"):
        recipe = recipes.RECIPES[name]
        small = replace(
            recipe,
            stages=recipes.build_two_stages(2, 3),
            schedule=Schedule(1e-3, 1, ()),
            batch_size=2,
        )
        monkeypatch.setitem(recipes.RECIPES, name, small)
    variants.weights_hash.cache_clear()
    yield tmp_path
    variants.weights_hash.cache_clear()


@pytest.mark.slow
def test_training_from_scratch_gives_the_same_weights_again(tiny, capsys):
    train.main(["two-stage", "clap-encoder"], 0)
    err = capsys.readouterr().err
    assert "clips: 8 of 8" in err
    assert "two-stage: step 3 of 3" in err
    first = weights_path("two-stage").read_bytes()
    network = open_mini("two-stage").network
    assert network.params == variant_recipe("two-stage").params
    assert torch.isfinite(network.final_layer.conv.weight).all()
    assert open_mini("clap-encoder").network.params.reference.encoder == "clap"
    train.main(["two-stage"], 0)  # a finished run is shipped as it is
    assert weights_path("two-stage").read_bytes() == first


def test_an_unknown_variant_is_refused_before_any_work(tiny):
    with pytest.raises(BenchError, match="no mini variant 'three-stage'; there are: two-stage"):
        train.main(["three-stage"], 0)
    assert not (tiny / "home").exists()


def test_weights_that_are_missing_or_broken_are_refused(tiny):
    with pytest.raises(MissingError, match="`make mini-weights` trains it"):
        open_mini("two-stage")
    with pytest.raises(BenchError, match="the weights b of codec are not finite in 16 bit"):
        ship({"a": torch.ones(2), "b": torch.full((1,), 1e6)}, "codec")
    assert not weights_path("codec").exists()
