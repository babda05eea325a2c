"""Every system that comes with the benchmark keeps the adapter contract."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from baselines import SYSTEMS
from bench.errors import BenchError
from bench.plugins import list_systems, open_system
from bench.types import Audio, Request
from tests.baselines.calls import generate_one
from tests.baselines.conftest import STANDINS

NEEDS_NOTHING = ["silence", "precomputed:DIRECTORY"]
#: Tested in separate files, with drawn weights or fakes.
NEEDS_WEIGHTS = {
    name.partition(":")[0] for name in SYSTEMS if name.startswith(("acfoley", "mmaudio"))
}
#: Tested where published archives are, ``test_published.py``.
NEEDS_SAMPLES = {"multifoley"}
#: Tested with stand-ins of their scripts, by ``test_isolated_*.py``.
NEEDS_ENVIRONMENT = {path.name for path in STANDINS.iterdir() if not path.name.startswith("_")}
RANDOM = ["noise", "oracle-timbre:0.3", "oracle-class:1", "oracle-noise:-20"]
SPECS = [
    "ground-truth",
    "silence",
    "shuffled",
    "reference-loop",
    "motion-grains",
    "oracle",
    "oracle-shift:0.2",
    "oracle-lowpass:2000",
    "oracle-gain:-6",
    "oracle-cut:1",
    "oracle-speed:5",
    "precomputed",
    "precomputed:DIRECTORY",
    *RANDOM,
]

Ask = Callable[..., Request]


@pytest.fixture(params=SPECS)
def spec(request: pytest.FixtureRequest, samples: Path) -> str:
    return str(request.param).replace("DIRECTORY", str(samples))


def sample(spec: str, ask: Ask, **changes: object) -> Audio:
    system = open_system(spec)
    return generate_one(system.open("cpu"), ask(system, **changes))


def test_every_row_of_the_table_is_tested_here() -> None:
    tried = {spec.partition(":")[0] for spec in SPECS}
    assert tried | NEEDS_WEIGHTS | NEEDS_SAMPLES | NEEDS_ENVIRONMENT == {
        usage.partition(":")[0] for usage in SYSTEMS
    }
    assert [listing.usage for listing in list_systems()] == list(SYSTEMS)


def test_a_sample_is_long_enough_and_within_full_scale(spec: str, ask: Ask) -> None:
    audio = sample(spec, ask)
    assert round(audio.seconds, 6) >= 2.5
    assert audio.samples.dtype == np.float32
    assert np.isfinite(audio.samples).all()
    assert np.abs(audio.samples).max() <= 1.0
    assert audio.sample_rate_hz == (open_system(spec).sample_rate_hz or audio.sample_rate_hz)


def test_the_same_seed_gives_the_same_sample_in_another_worker(spec: str, ask: Ask) -> None:
    system = open_system(spec)
    unpickled = pickle.loads(pickle.dumps(system))  # noqa: S301 - our own bytes
    here, there = (generate_one(each.open("cpu"), ask(each)) for each in (system, unpickled))
    assert there.sample_rate_hz == here.sample_rate_hz
    assert np.array_equal(there.samples, here.samples)


def test_the_seed_changes_samples_of_random_systems_only(spec: str, ask: Ask) -> None:
    first, second = (sample(spec, ask, seed=seed).samples for seed in (1, 2))
    assert np.array_equal(first, second) == (spec not in RANDOM)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec not in NEEDS_NOTHING])
def test_a_request_without_a_required_input_is_refused_by_the_name_of_its_clip(
    spec: str, ask: Ask
) -> None:
    system = open_system(spec)
    nothing = {"video": None, "reference": None, "clip": None, "other": None}
    with pytest.raises(BenchError, match="'test_000000'"):
        generate_one(system.open("cpu"), ask(system, **nothing))


def test_all_systems_that_do_not_compete_are_anchors(spec: str) -> None:
    contestants = ("reference-loop", "motion-grains", "precomputed")
    assert open_system(spec).is_anchor != spec.startswith(contestants)
