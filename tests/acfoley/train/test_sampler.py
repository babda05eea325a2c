"""The sampler of clips: complete, shuffled, shared, and a function of the step."""

from __future__ import annotations

from collections import Counter

import pytest

from acfoley.train.sampler import EpochSampler, repeat_video_clips
from bench.errors import BenchError


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
    assert repeat_video_clips([True, False, True], 3) == [0, 0, 0, 1, 2, 2, 2]


def test_empty_stages_and_indivisible_batches_are_refused():
    with pytest.raises(BenchError, match="no clip to train on in the stage 'finetune'"):
        EpochSampler(0, 4, 1, "finetune")
    with pytest.raises(BenchError, match="batch of 8 clips cannot be shared equally by 3"):
        EpochSampler(10, 8, 1, "overlap").batch(0, 0, 3)
