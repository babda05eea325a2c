"""Batches: the right features, independent noise for each clip, dropout at the set rates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from acfoley.params import VAE_REFERENCE
from acfoley.train.collate import Collator
from acfoley.train.dataset import FeatureDataset
from acfoley.train.features import encode_clip
from acfoley.train.precompute import precompute
from acfoley.train.recipe import ConditionDropout, Stage
from bench.errors import BenchError
from tests.acfoley.train.small import (
    CLAP_PARAMS,
    COLUMNS,
    ENCODING,
    LAYOUT,
    N_CROPS,
    PARAMS,
    RECIPE,
    clip,
    make_list,
    random_values,
    write_features,
)

KEPT = replace(RECIPE, dropout=ConditionDropout(0, 0, 0))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return FeatureDataset([write_features(tmp_path_factory.mktemp("features") / "f")])


def rows(dataset, *names):
    return [row for name in names for row in dataset.clips if row.name == name]


def test_a_batch_has_the_features_of_its_clips(dataset):
    batch = Collator(dataset, KEPT).training(rows(dataset, "clip3", "wav1"), "after", 5, 0)
    assert batch.names == ("clip3", "wav1")
    made = encode_clip(ENCODING, clip("clip3"), LAYOUT)
    for name in ("video", "sync", "text"):
        np.testing.assert_array_equal(batch.features.get(name)[0].numpy(), made[name])
    near = torch.from_numpy(made["target.mean"])
    assert (batch.audio[0] - near).std() == pytest.approx(0.1, rel=0.2)
    assert (batch.features.audio[0].numpy() - made["after.mean"]).std() < 0.2
    assert {name: each.tolist() for name, each in batch.is_empty.items()} == {
        "sync": [False, True],
        "video": [False, True],
        "text": [False, True],
        "audio": [False, False],
    }
    assert batch.noise.std() == pytest.approx(1, abs=0.1)
    assert ((batch.times > 0) & (batch.times < 1)).all()


def test_stage_one_takes_each_of_the_inside_references_at_some_step(dataset):
    collator = Collator(dataset, KEPT)
    made = encode_clip(ENCODING, clip("clip0"), LAYOUT)["inside.mean"]
    found = set()
    for step in range(30):
        [reference] = collator.training(
            rows(dataset, "clip0"), "inside", step, 0
        ).features.audio.numpy()
        distances = [np.abs(reference - each).max() for each in made]
        assert min(distances) < 0.6
        found.add(int(np.argmin(distances)))
    assert found == set(range(N_CROPS))


def test_random_numbers_of_a_clip_depend_on_the_step_and_not_on_the_other_clips(dataset):
    collator = Collator(dataset, RECIPE)
    pair = collator.training(rows(dataset, "clip0", "clip1"), "inside", 3, 0)
    alone = collator.training(rows(dataset, "clip1"), "inside", 3, 1)
    for name in ("audio", "noise", "times"):
        assert torch.equal(getattr(pair, name)[1], getattr(alone, name)[0])
    assert torch.equal(pair.features.audio[1], alone.features.audio[0])
    later = collator.training(rows(dataset, "clip1"), "inside", 4, 1)
    twice = collator.training(rows(dataset, "clip1", "clip1"), "inside", 3, 1)
    assert not torch.equal(later.noise, alone.noise)
    assert not torch.equal(twice.noise[0], twice.noise[1])


def test_validation_never_changes_and_drops_nothing(dataset):
    one = Collator(dataset, RECIPE).validation(dataset.clips)
    other = Collator(
        dataset, replace(RECIPE, seed=99, dropout=ConditionDropout(1, 1, 1))
    ).validation(dataset.clips)
    assert torch.equal(one.noise, other.noise)
    assert torch.equal(one.times, other.times)
    assert not one.is_empty["audio"].any()
    assert not other.is_empty["audio"].any()


def dropped_at(dataset, dropout):
    """Return which of 2,000 clips lose each component."""
    collator = Collator(dataset, replace(RECIPE, dropout=dropout))
    [row] = rows(dataset, "clip0")
    batches = [collator.training([row] * 50, "inside", step, 0) for step in range(40)]
    return {n: torch.cat([b.is_empty[n] for b in batches]) for n in batches[0].is_empty}


def test_components_are_dropped_at_their_rates_and_sync_together_with_video(dataset):
    dropped = dropped_at(dataset, ConditionDropout(video=0.1, text=0.2, audio=0.3))
    assert torch.equal(dropped["sync"], dropped["video"])
    for name, rate in {"video": 0.1, "text": 0.2, "audio": 0.3}.items():
        assert dropped[name].float().mean() == pytest.approx(rate, abs=0.03)
    both = (dropped["video"] & dropped["text"]).float().mean()
    assert both == pytest.approx(0.02, abs=0.015)


def test_sync_with_its_own_rate_is_dropped_independently(dataset):
    dropped = dropped_at(dataset, ConditionDropout(video=0.1, sync=0.3))
    assert dropped["sync"].float().mean() == pytest.approx(0.3, abs=0.03)
    assert dropped["video"].float().mean() == pytest.approx(0.1, abs=0.03)
    assert (dropped["sync"] & dropped["video"]).float().mean() == pytest.approx(0.03, abs=0.015)


def test_all_components_can_be_dropped_at_once(dataset):
    dropped = dropped_at(dataset, ConditionDropout(0, 0, 0, everything=0.2))
    assert dropped["text"].float().mean() == pytest.approx(0.2, abs=0.03)
    for name in ("sync", "video", "audio"):
        assert torch.equal(dropped[name], dropped["text"])


def test_times_are_logit_normal(dataset):
    [row] = rows(dataset, "clip0")
    times = Collator(dataset, RECIPE).training([row] * 1_000, "inside", 0, 0).times
    assert times.logit().mean() == pytest.approx(0, abs=0.1)
    assert times.logit().std() == pytest.approx(1, abs=0.1)


def test_features_that_do_not_fit_the_network_are_refused(dataset):
    wide = replace(PARAMS, clip_width=7)
    with pytest.raises(BenchError, match=r"video of \[8, 6\], the network .* takes \[8, 7\]"):
        Collator(dataset, replace(RECIPE, params=wide))
    with pytest.raises(
        BenchError, match=r"has no inside\.embedding, .* `acfoley precompute --clap`"
    ):
        Collator(dataset, replace(RECIPE, params=CLAP_PARAMS))
    with pytest.raises(BenchError, match=r"inside\.mean of \[7, 4\], .* takes \[any, 40\]"):
        Collator(dataset, replace(RECIPE, params=replace(PARAMS, reference=VAE_REFERENCE)))


def test_only_the_references_of_a_recipe_are_required(dataset, tmp_path):
    columns = {**COLUMNS, "references": lambda s: {"after.mean": random_values(s, "after", 7, 4)}}
    precompute(make_list("a"), replace(ENCODING, columns=columns), tmp_path, LAYOUT)
    only_after = FeatureDataset([tmp_path])
    with pytest.raises(BenchError, match=r"has no inside\.mean"):
        Collator(only_after, RECIPE)
    with pytest.raises(BenchError, match=r"has no after\.std"):
        Collator(only_after, replace(RECIPE, stages=(Stage("non-overlap", 1, "after"),)))
    assert Collator(dataset, replace(RECIPE, stages=(Stage("overlap", 1, "inside"),)))
