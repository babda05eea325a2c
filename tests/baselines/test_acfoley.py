"""The published model as a system: what it is called, given and refused."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

import acfoley.generate
from bench.errors import BenchError, MissingError
from bench.plugins import open_system
from bench.types import Condition, Request
from tests.acfoley.fakes import fake_model

Ask = Callable[..., Request]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """A narrow network between stand-ins for the published model; lists what was opened."""
    asked: list[tuple[object, ...]] = []

    def open_model(*arguments: object) -> acfoley.generate.Model:
        asked.append(arguments)
        return fake_model()

    monkeypatch.setattr(acfoley.generate, "open_model", open_model)
    quick = partial(acfoley.generate.Settings, n_steps=1)
    monkeypatch.setattr(acfoley.generate, "Settings", quick)
    return asked


def test_missing_weights_are_one_line_with_the_command_that_fetches_them(home, ask: Ask) -> None:
    system = open_system("acfoley")
    with pytest.raises(MissingError, match=r"lacks ac_foley\.pth, .*`acfoley fetch --preset acf"):
        system.open("cpu")


def test_a_sample_has_the_length_and_the_rate_that_are_declared(opened, ask: Ask) -> None:
    system = open_system("acfoley")
    assert not system.is_anchor
    audio = system.open("cpu")(ask(system))
    assert audio.samples.shape == (1, round(2.5 * 44_100))
    assert audio.sample_rate_hz == system.sample_rate_hz == 44_100
    assert np.abs(audio.samples).max() <= 1
    assert opened[0][0] == "acfoley"


def test_seed_and_reference_decide_and_masks_hide(opened, ask: Ask) -> None:
    system = open_system("acfoley")
    there = pickle.loads(pickle.dumps(system)).open("cpu")  # noqa: S301 - our own bytes
    here = system.open("cpu")
    first = here(ask(system)).samples
    assert np.array_equal(first, there(ask(system)).samples)
    assert not np.allclose(first, here(ask(system, seed=9)).samples, atol=1e-4)
    unheard = here(ask(system, condition=Condition(frozenset({"audio"})))).samples
    assert np.array_equal(unheard, here(ask(system, reference=None)).samples)
    conditions = [
        Condition(frozenset({name}), scope)
        for name, scope in (("sync", "whole"), ("video", "whole"), ("video", "vector"))
    ]
    sounds = [first, unheard, *(here(ask(system, condition=each)).samples for each in conditions)]
    for one, other in itertools.combinations(sounds, 2):
        assert not np.allclose(one, other, atol=1e-4)


def test_a_request_without_a_picture_is_refused_by_the_name_of_its_clip(opened, ask: Ask) -> None:
    system = open_system("acfoley")
    with pytest.raises(BenchError, match="'test_000000'"):
        system.open("cpu")(ask(system, video=None))
