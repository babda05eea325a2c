"""Averages of weights against the reference, their snapshots, and other widths made of these."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from acfoley.network.initialise import new_network
from acfoley.network.weights import open_flow
from acfoley.train.checkpoint import trainable_weights
from acfoley.train.ema import (
    EmaProfile,
    PowerFunctionEma,
    decay,
    gamma_of_sigma,
    list_snapshots,
    save_snapshots,
    synthesis_weights,
    synthesise,
)
from bench.checkpoints.load import load_state
from bench.errors import BenchError, MissingError
from tests.acfoley.seeded import GOLDEN
from tests.acfoley.train.small import PARAMS

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


def follow(n_updates: int, keep: set[int]) -> dict[int, dict[float, float]]:
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
    found = follow(500, set(map(int, golden)))
    for update, expected in golden.items():
        assert list(found[int(update)].values()) == pytest.approx(expected, abs=1e-9)


def test_synthesised_averages_of_a_known_path_are_those_of_the_reference():
    steps = range(100, 501, 100)
    averages = follow(500, set(steps))
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


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose weights all grow by one in each of 60 steps."""
    folder = tmp_path_factory.mktemp("run")
    network = new_network(PARAMS, 0)
    network.empty_string_feat.data.fill_(0.3)
    weights = trainable_weights(network)
    averages = PowerFunctionEma(weights, SIGMAS)
    for step in range(1, 61):
        for value in weights.values():
            value.data.fill_(step)
        averages.update(step, weights)
        if step % 10 == 0:
            save_snapshots(folder, network, averages, step)
    return folder


def test_a_followed_average_is_its_snapshot(run, tmp_path):
    path = tmp_path / "weights.safetensors"
    used = synthesise(run, 0.05, path)
    assert [(each.step, each.sigma) for each, _ in used] == [(60, 0.05)]
    expected, found = load_state(list_snapshots(run)[-2].path), load_state(path)
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


def test_other_widths_are_in_between_and_untrained_tensors_stay(run, tmp_path):
    values = {}
    for sigma in (0.03, 0.05, 0.075, 0.1, 0.15):
        path = tmp_path / f"{sigma}.safetensors"
        synthesise(run, sigma, path)
        state = load_state(path)
        values[sigma] = state["final_layer.conv.bias"][0].item()
        assert torch.equal(state["empty_string_feat"], torch.full((77, 3), 0.3))
        assert torch.equal(state["latent_std"], torch.ones(1, 1, 4))
    assert list(values.values()) == sorted(values.values(), reverse=True)
    # A relative width of 0.05 averages over about 3 of 60 steps.
    assert 55 < values[0.05] < 59


def test_an_earlier_step_can_be_chosen(run, tmp_path):
    used = synthesise(run, 0.1, tmp_path / "w.safetensors", step=30)
    assert [(each.step, each.sigma) for each, _ in used] == [(30, 0.1)]


def test_a_synthesised_average_is_a_checkpoint_of_the_network(run, tmp_path):
    path = tmp_path / "w.safetensors"
    synthesise(run, 0.08, path)
    network = open_flow(path, PARAMS)
    assert network.final_layer.conv.bias.isfinite().all()


def test_snapshots_in_half_precision_keep_untrained_tensors_in_float32(tmp_path):
    network = new_network(PARAMS, 0)
    network.latent_mean.data.fill_(1 / 3)
    save_snapshots(
        tmp_path, network, PowerFunctionEma(trainable_weights(network), SIGMAS), 5, torch.float16
    )
    state = load_state(list_snapshots(tmp_path)[0].path)
    assert state["audio_input_proj.0.weight"].dtype == torch.float16
    assert state["latent_mean"].dtype == torch.float32
    synthesise(tmp_path, 0.1, tmp_path / "w.safetensors")
    assert {value.dtype for value in load_state(tmp_path / "w.safetensors").values()} == {
        torch.float32
    }


def test_averages_that_cannot_be_synthesised_are_refused(run, tmp_path):
    with pytest.raises(MissingError, match="has no snapshots"):
        synthesise(tmp_path, 0.05, tmp_path / "w.safetensors")
    with pytest.raises(BenchError, match="up to step 60, not of step 70"):
        synthesise(run, 0.05, tmp_path / "w.safetensors", step=70)
    with pytest.raises(BenchError, match=r"name a \.safetensors file"):
        synthesise(run, 0.05, tmp_path / "w.pth")
    with pytest.raises(BenchError, match="above 0 and below 0.28"):
        synthesise(run, 0.5, tmp_path / "w.safetensors")
