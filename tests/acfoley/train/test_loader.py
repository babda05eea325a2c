"""The sampler of clips: complete, shuffled, shared, and a function of the step."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from acfoley.train.dataset import DatasetClip
from acfoley.train.loader import EpochSampler, select_clips
from acfoley.train.recipe import Stage
from bench.errors import BenchError
from tests.acfoley.train.small import RECIPE


def indices(sampler: EpochSampler, steps: range) -> list[int]:
    return [slot.index for step in steps for slot in sampler.batch(step)]


def test_each_pass_has_every_clip_once_in_its_own_order():
    sampler = EpochSampler(n_items=10, batch_size=4, seed=1, name="overlap")
    seen = indices(sampler, range(5))
    first, second = seen[:10], seen[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second != list(range(10))


def test_the_clips_of_a_step_do_not_depend_on_earlier_steps():
    sampler = EpochSampler(n_items=10, batch_size=4, seed=1, name="overlap")
    late = EpochSampler(n_items=10, batch_size=4, seed=1, name="overlap").batch(7)
    assert sampler.batch(7) == late
    assert sampler.batch(7) != EpochSampler(10, 4, 2, "overlap").batch(7)
    assert sampler.batch(7) != EpochSampler(10, 4, 1, "non-overlap").batch(7)


@pytest.mark.parametrize("n_parts", [1, 2, 4, 8])
def test_the_parts_of_a_batch_add_up_to_it(n_parts):
    sampler = EpochSampler(n_items=100, batch_size=8, seed=1, name="overlap")
    parts = [slot for part in range(n_parts) for slot in sampler.batch(3, part, n_parts)]
    assert parts == sampler.batch(3)
    assert [slot.position for slot in parts] == list(range(8))


def test_a_batch_may_be_larger_than_the_data():
    assert Counter(indices(EpochSampler(3, 9, 1, "a"), range(1))) == {0: 3, 1: 3, 2: 3}


def test_clips_with_video_are_repeated():
    is_video = {"a": True, "b": False, "c": True}
    clips = [
        DatasetClip(name, Path("shard"), {"video": 0} if has_video else {}, None)
        for name, has_video in is_video.items()
    ]
    chosen = select_clips(clips, Stage("overlap", 1, "inside"), replace(RECIPE, video_repeats=3))
    assert [clip.name for clip in chosen] == ["a", "a", "a", "b", "c", "c", "c"]


def test_empty_stages_and_indivisible_batches_are_refused():
    with pytest.raises(BenchError, match="no clip to train on in the stage 'finetune'"):
        EpochSampler(0, 4, 1, "finetune")
    with pytest.raises(BenchError, match="batch of 8 clips cannot be shared equally by 3"):
        EpochSampler(10, 8, 1, "overlap").batch(0, 0, 3)
