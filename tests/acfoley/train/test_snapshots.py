"""Weights made of the averages of a run."""

from __future__ import annotations

import pytest
import torch

from acfoley.network.initialise import new_network
from acfoley.train.checkpoint import trainable
from acfoley.train.ema import PowerAverages
from acfoley.train.snapshots import save_snapshots, snapshots, synthesise
from acfoley.weights import open_flow
from bench.checkpoints.load import load_state
from bench.errors import BenchError, MissingError
from tests.acfoley.train.small import PARAMS

SIGMAS = (0.05, 0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose weights all grow by one in each of 60 steps."""
    folder = tmp_path_factory.mktemp("run")
    network = new_network(PARAMS, 0)
    network.empty_string_feat.data.fill_(0.3)
    weights = trainable(network)
    averages = PowerAverages(weights, SIGMAS)
    for step in range(1, 61):
        for value in weights.values():
            value.data.fill_(step)
        averages.update(step, weights)
        if step % 10 == 0:
            save_snapshots(folder, network, averages, step)
    return folder


def test_a_tracked_average_is_its_snapshot(run, tmp_path):
    path = tmp_path / "weights.safetensors"
    used = synthesise(run, 0.05, path)
    assert [(each.step, each.sigma) for each, _ in used] == [(60, 0.05)]
    expected, found = load_state(snapshots(run)[-2].path), load_state(path)
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


def test_other_widths_lie_between_and_what_is_not_trained_stays(run, tmp_path):
    values = {}
    for sigma in (0.03, 0.05, 0.075, 0.1, 0.15):
        path = tmp_path / f"{sigma}.safetensors"
        synthesise(run, sigma, path)
        state = load_state(path)
        values[sigma] = state["final_layer.conv.bias"][0].item()
        assert torch.equal(state["empty_string_feat"], torch.full((77, 3), 0.3))
        assert torch.equal(state["latent_std"], torch.ones(1, 1, 4))
    assert list(values.values()) == sorted(values.values(), reverse=True)
    # A relative width of 0.05 looks back about 3 of 60 steps.
    assert 55 < values[0.05] < 59


def test_an_earlier_time_can_be_chosen(run, tmp_path):
    used = synthesise(run, 0.1, tmp_path / "w.safetensors", step=30)
    assert [(each.step, each.sigma) for each, _ in used] == [(30, 0.1)]


def test_what_is_made_is_a_checkpoint_of_the_network(run, tmp_path):
    path = tmp_path / "w.safetensors"
    synthesise(run, 0.08, path)
    network = open_flow(path, PARAMS)
    assert network.final_layer.conv.bias.isfinite().all()


def test_snapshots_in_half_precision_keep_the_rest_whole(tmp_path):
    network = new_network(PARAMS, 0)
    network.latent_mean.data.fill_(1 / 3)
    save_snapshots(tmp_path, network, PowerAverages(trainable(network), SIGMAS), 5, torch.float16)
    state = load_state(snapshots(tmp_path)[0].path)
    assert state["audio_input_proj.0.weight"].dtype == torch.float16
    assert state["latent_mean"].dtype == torch.float32
    synthesise(tmp_path, 0.1, tmp_path / "w.safetensors")
    assert {value.dtype for value in load_state(tmp_path / "w.safetensors").values()} == {
        torch.float32
    }


def test_what_cannot_be_made_is_refused(run, tmp_path):
    with pytest.raises(MissingError, match="has no snapshots"):
        synthesise(tmp_path, 0.05, tmp_path / "w.safetensors")
    with pytest.raises(BenchError, match="up to step 60, not of step 70"):
        synthesise(run, 0.05, tmp_path / "w.safetensors", step=70)
    with pytest.raises(BenchError, match=r"name a \.safetensors file"):
        synthesise(run, 0.05, tmp_path / "w.pth")
    with pytest.raises(BenchError, match="above 0 and below 0.28"):
        synthesise(run, 0.5, tmp_path / "w.safetensors")
