"""Averages of weights against the reference, and others made of their snapshots."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from acfoley.train.ema import (
    EmaProfile,
    PowerFunctionEma,
    decay,
    gamma_of_sigma,
    synthesis_weights,
)
from bench.errors import BenchError
from tests.acfoley.seeded import GOLDEN

EMA = json.loads((GOLDEN / "ema.json").read_text())
SIGMAS = (0.05, 0.1)


def test_exponents_are_those_of_the_reference():
    for sigma, gamma in EMA["gamma_of_sigma_rel"].items():
        assert gamma_of_sigma(float(sigma)) == pytest.approx(gamma, rel=1e-9)


@pytest.mark.parametrize(
    ("entry", "corrected"), [("without", False), ("with_step_size_correction", True)]
)
def test_decays_are_those_of_the_reference(entry, corrected):
    for update, expected in EMA["decay_at_update"][entry].items():
        found = [decay(gamma_of_sigma(s), int(update), corrected=corrected) for s in SIGMAS]
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("case", EMA["synthesis"])
def test_coefficients_of_snapshots_are_those_of_the_reference(case):
    steps = case["snapshot_steps"]
    snapshots = [EmaProfile(sigma, step) for sigma in SIGMAS for step in steps]
    target = EmaProfile(case["target_sigma_rel"], case["target_step"])
    expected = case["weights_sigma_0_05"] + case["weights_sigma_0_1"]
    np.testing.assert_allclose(synthesis_weights(snapshots, target), expected, rtol=0, atol=1e-6)


def followed(n_updates: int, keep: set[int]) -> dict[int, dict[float, float]]:
    """Averages of the golden path after the updates to ``keep``."""
    value = torch.zeros((), dtype=torch.float64)
    averages = PowerFunctionEma({"w": value}, SIGMAS)
    found = {}
    for update in range(1, n_updates + 1):
        value.fill_(math.sin(0.01 * update) + update / 1000)
        averages.update(update, {"w": value})
        if update in keep:
            found[update] = {sigma: averages.values[sigma]["w"].item() for sigma in SIGMAS}
    return found


def test_averages_of_a_known_path_are_those_of_the_reference():
    golden = EMA["toy"]["averages_after_update"]
    found = followed(500, set(map(int, golden)))
    for update, expected in golden.items():
        assert list(found[int(update)].values()) == pytest.approx(expected, abs=1e-9)


def test_synthesised_averages_of_a_known_path_are_those_of_the_reference():
    steps = range(100, 501, 100)
    averages = followed(500, set(steps))
    snapshots = [EmaProfile(sigma, step) for sigma in SIGMAS for step in steps]
    values = np.array([averages[each.step][each.sigma] for each in snapshots])
    for name, expected in EMA["toy"]["synthesised"].items():
        sigma, step = name.split("@")
        weights = synthesis_weights(snapshots, EmaProfile(float(sigma), int(step)))
        assert weights @ values == pytest.approx(expected, abs=1e-6)


def test_the_first_update_copies_and_tensors_are_not_shared():
    value = torch.ones(3)
    averages = PowerFunctionEma({"w": torch.zeros(3)}, SIGMAS)
    averages.update(1, {"w": value})
    value.fill_(7)
    for sigma in SIGMAS:
        assert torch.equal(averages.values[sigma]["w"], torch.ones(3))


@pytest.mark.parametrize("sigma", [0.0, -0.1, 0.28, 1.0])
def test_a_width_that_no_profile_has_is_refused(sigma):
    with pytest.raises(BenchError, match="above 0 and below 0.28"):
        gamma_of_sigma(sigma)
