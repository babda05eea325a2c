"""The published model as a system: its declaration, requests and refusals."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch

import acfoley.generate
import acfoley.loading
from acfoley.memory import GIBIBYTE, estimate_need
from acfoley.network.weights import preset_params
from baselines import SYSTEMS
from bench.errors import BenchError, MissingError
from bench.isolation import IsolatedSystem
from bench.plugins import open_system
from bench.types import Audio, Condition, Request
from tests.acfoley.fakes import fake_model
from tests.baselines.calls import generate_one

Ask = Callable[..., Request]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """A narrow network between fakes instead of the published model; lists the opened files."""
    asked: list[tuple[object, ...]] = []

    def open_model(*arguments: object, **options: object) -> acfoley.generate.Model:
        asked.append(arguments)
        return fake_model()

    monkeypatch.setattr(acfoley.loading, "open_model", open_model)
    quick = partial(acfoley.generate.Settings, n_steps=1)
    monkeypatch.setattr(acfoley.generate, "Settings", quick)
    return asked


def test_missing_weights_are_one_line_with_the_command_that_fetches_them(home, ask: Ask) -> None:
    system = open_system("acfoley")
    with pytest.raises(MissingError, match=r"has no ac_foley\.pth, .*`acfoley fetch --preset acf"):
        system.open("cpu")


def test_a_sample_has_the_length_and_the_rate_that_are_declared(opened, ask: Ask) -> None:
    system = open_system("acfoley")
    assert not system.is_anchor
    audio = generate_one(system.open("cpu"), ask(system))
    assert audio.samples.shape == (1, round(2.5 * 44_100))
    assert audio.sample_rate_hz == system.sample_rate_hz == 44_100
    assert np.abs(audio.samples).max() <= 1
    assert opened[0][0] == "acfoley"


def test_audio_depends_on_seed_reference_and_masks(opened, ask: Ask) -> None:
    system = open_system("acfoley")
    there = pickle.loads(pickle.dumps(system)).open("cpu")  # noqa: S301 - our own bytes
    here = system.open("cpu")
    first = generate_one(here, ask(system)).samples
    assert np.array_equal(first, generate_one(there, ask(system)).samples)
    assert not np.allclose(first, generate_one(here, ask(system, seed=9)).samples, atol=1e-4)
    unconditioned = generate_one(
        here, ask(system, condition=Condition(frozenset({"audio"})))
    ).samples
    assert np.array_equal(unconditioned, generate_one(here, ask(system, reference=None)).samples)
    conditions = [
        Condition(frozenset({name}), scope)
        for name, scope in (("sync", "whole"), ("video", "whole"), ("video", "vector"))
    ]
    generated = [
        first,
        unconditioned,
        *(generate_one(here, ask(system, condition=each)).samples for each in conditions),
    ]
    for one, other in itertools.combinations(generated, 2):
        assert not np.allclose(one, other, atol=1e-4)


def test_a_request_without_a_video_is_refused_by_the_name_of_its_clip(opened, ask: Ask) -> None:
    system = open_system("acfoley")
    with pytest.raises(BenchError, match="'test_000000'"):
        generate_one(system.open("cpu"), ask(system, video=None))


def test_a_batch_gives_what_single_requests_give(opened, ask: Ask) -> None:
    system = open_system("acfoley")
    generate = system.open("cpu")
    batch = [ask(system, seed=1), ask(system, seed=2, reference=None), ask(system, seed=3)]
    for one, together in zip(batch, generate(batch), strict=True):
        assert isinstance(together, Audio)
        np.testing.assert_allclose(
            together.samples, generate_one(generate, one).samples, rtol=0, atol=1e-4
        )


def test_a_request_without_video_fails_alone_in_its_batch(opened, ask: Ask) -> None:
    system = open_system("acfoley")
    found = system.open("cpu")([ask(system), ask(system, video=None), ask(system, seed=2)])
    assert [type(each) for each in found] == [Audio, BenchError, Audio]


@pytest.mark.parametrize("preset", ["acfoley", "acfoley_attention", "mmaudio_clap"])
def test_the_declared_memory_holds_a_full_batch(preset: str) -> None:
    system = open_system("acfoley")
    n_clips = system.batch_size_on("cuda")
    need = estimate_need(preset_params(preset), torch.bfloat16, 8.0, n_clips=n_clips)
    assert system.device_memory_gib is not None
    assert 0.9 < need.total / GIBIBYTE / system.device_memory_gib <= 1.0


def test_the_large_model_is_one_per_device_and_the_small_one_is_not() -> None:
    names = [name for name in SYSTEMS if ":" not in name]
    for name in names:
        is_large = name.startswith(("acfoley", "mmaudio")) and not name.startswith("acfoley-mini")
        if name == "mmaudio-small-16k":  # it opens nothing
            continue
        system = open_system(name)
        is_large = is_large or isinstance(system, IsolatedSystem)
        assert system.workers_per_device == (1 if is_large else None)
    assert {"acfoley", "acfoley-mini", "noise"} <= set(names)
