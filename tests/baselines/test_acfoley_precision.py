"""The same models in another precision: what they declare, and that samples name it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import acfoley.loading
import baselines.acfoley
from baselines.acfoley import PRECISIONS
from bench.errors import BenchError
from bench.pipeline.provenance import origin_of
from bench.plugins import open_system
from bench.types import Request
from tests.acfoley.fakes import fake_model, work_of
from tests.baselines.calls import generate_one

Ask = Callable[..., Request]


def test_samples_name_the_precision_and_whether_it_was_compiled() -> None:
    usual = open_system("acfoley-mini")
    named = [open_system(f"acfoley-mini-with:{each}") for each in PRECISIONS]
    origins = [origin_of(system, "cuda:1") for system in named]
    assert [origin.dtype for origin in origins] == list(PRECISIONS)
    assert len({origin.key for origin in origins}) == 4
    assert origins[0] == origin_of(usual, "cuda:1")
    # The same code and weights in another precision, so that a run keeps them apart.
    assert origins[0].compare(origins[1]) == "elsewhere"


def test_the_model_is_opened_as_asked(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(
        acfoley.loading, "open_model", lambda preset, folder, loading, **k: asked.append(loading)
    )
    for precision in ("float32", "bfloat16-compiled"):
        open_system(f"acfoley-with:{precision}").open("cuda")
    assert [(each.device, each.dtype, each.compile) for each in asked] == [
        ("cuda", "float32", False),
        ("cuda", "bfloat16", True),
    ]
    assert open_system("acfoley-with:float32").needed_memory_gib() == pytest.approx(15.1)
    assert open_system("acfoley-with:bfloat16").needed_memory_gib() == pytest.approx(13.0)


def test_bfloat16_rounds_what_float32_makes_and_float32_is_the_usual_one(ask: Ask) -> None:
    specs = "acfoley-mini", "acfoley-mini-with:float32", "acfoley-mini-with:bfloat16"
    systems = [pickle.loads(pickle.dumps(open_system(spec))) for spec in specs]  # noqa: S301
    usual, exact, rounded = (
        generate_one(each.open("cpu"), ask(each, seconds=1.0)).samples for each in systems
    )
    assert np.array_equal(usual, exact)
    assert not np.array_equal(usual, rounded)
    assert np.isfinite(rounded).all()


def test_an_unknown_precision_is_refused_with_those_there_are() -> None:
    with pytest.raises(BenchError, match="no precision 'half'; acfoley-with takes one of: float32"):
        open_system("acfoley-with:half")
    with pytest.raises(BenchError, match="no precision ''"):
        open_system("acfoley-mini-with")


def test_compiling_needs_a_compiler(monkeypatch) -> None:
    monkeypatch.setattr(baselines.acfoley.shutil, "which", lambda name: None)
    assert "install g++" in open_system("acfoley-mini-with:float32-compiled").lacks()
    assert open_system("acfoley-mini-with:float32").lacks() == ""


@pytest.mark.slow  # four models open
def test_systems_that_look_ahead_open_what_prepares_the_next_batch(ask: Ask, monkeypatch) -> None:
    monkeypatch.setattr(acfoley.loading, "open_model", lambda *a, **k: fake_model())
    for spec in ("acfoley-mini", "acfoley-mini-with:float32", "acfoley", "mmaudio-large-44k"):
        system = open_system(spec)
        assert system.looks_ahead
        generate = system.open("cpu")
        request = ask(system)
        generate.prepare([request, replace(request, video=None)])
        if spec != "acfoley-mini":  # opened by itself, not between fakes
            assert work_of(generate.model)["video"] == 1
            generate([request])
            assert work_of(generate.model)["video"] == 1
