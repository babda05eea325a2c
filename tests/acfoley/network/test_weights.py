"""Checkpoints of the flow network: strict loading, refusals by name, and warm starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from acfoley.network.conditions import Features
from acfoley.network.initialise import new_network, warm_start
from acfoley.network.weights import open_flow, open_warm, preset_params
from acfoley.params import (
    CLAP_REFERENCE,
    PRESETS,
    VAE_REFERENCE,
    FlowParams,
    sequence_lengths,
)
from acfoley.sampling import classifier_free_guidance, euler, noise_for
from bench.errors import BenchError, MissingError
from tests.acfoley.seeded import ACFOLEY_GAIN, MMAUDIO_GAIN, draw, write_checkpoint

MINI = PRESETS["mini"]
REFERENCES = {
    "vae": VAE_REFERENCE,
    "attention": replace(VAE_REFERENCE, pooling="attention"),
    "added": replace(VAE_REFERENCE, fusion="add"),
    "clap": CLAP_REFERENCE,
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("mini") / "mini.pth", MINI, ACFOLEY_GAIN)


def test_a_checkpoint_opens_frozen_in_the_requested_type(checkpoint):
    network = open_flow(checkpoint, MINI, dtype=torch.bfloat16)
    assert not network.training
    assert {p.dtype for p in network.parameters()} == {torch.bfloat16}
    assert not any(p.requires_grad for p in network.parameters())


def test_weights_in_half_precision_are_converted_to_float32(checkpoint, tmp_path):
    network = open_flow(checkpoint, MINI)
    half = {name: tensor.half() for name, tensor in network.state_dict().items()}
    torch.save(half, tmp_path / "half.pth")
    found = open_flow(tmp_path / "half.pth", MINI)
    assert found.latent_mean.dtype == torch.float32
    assert torch.equal(found.t_embed.mlp[0].bias, half["t_embed.mlp.0.bias"].float())


def test_half_precision_stays_near_single_precision(checkpoint):
    lengths, latents = sequence_lengths(1.0), noise_for([1], 44)
    full, short = (open_flow(checkpoint, MINI, dtype=t) for t in (torch.float32, torch.bfloat16))
    with torch.inference_mode():
        expected, found = (
            euler(
                classifier_free_guidance(
                    net, net.conditions(Features(), lengths), net.conditions(Features(), lengths)
                ),
                latents,
                2,
            )
            for net in (full, short)
        )
    assert found.dtype == torch.float32
    assert (found - expected).norm() / expected.norm() < 0.05


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingError, match=r"no checkpoint .*absent\.pth"):
        open_flow(tmp_path / "absent.pth", MINI)


def test_a_truncated_checkpoint_is_refused(checkpoint, tmp_path):
    content = checkpoint.read_bytes()
    (tmp_path / "half.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(BenchError, match="is truncated"):
        open_flow(tmp_path / "half.pth", MINI)


def test_the_checkpoint_of_another_preset_is_recognised(checkpoint):
    with pytest.raises(BenchError, match="of the preset 'mini'.*use --preset mini"):
        open_flow(checkpoint, PRESETS["small_44k"])


def test_a_tensor_that_is_missing_renamed_or_of_another_shape_is_named(checkpoint, tmp_path):
    state = dict(open_flow(checkpoint, MINI).state_dict())
    state["extra.weight"] = torch.zeros(1)
    state["latent_mean"] = torch.zeros(1, 1, 41)
    del state["audio_cond_proj.bias"]
    torch.save(state, tmp_path / "changed.pth")
    with pytest.raises(BenchError) as caught:
        open_flow(tmp_path / "changed.pth", MINI)
    for name in ("extra.weight", "latent_mean is [1, 1, 41]", "audio_cond_proj.bias"):
        assert name in str(caught.value)


def test_presets_have_names():
    assert preset_params("mini") == MINI
    with pytest.raises(BenchError, match="no preset 'huge'; there are: small_44k"):
        preset_params("huge")
    assert 2e6 < sum(p.numel() for p in new_network(MINI, seed=0).parameters()) < 5e6


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="100 cannot be shared by 3"):
        FlowParams(100, 3, 1, 1, version=1, reference=None)


def test_a_new_network_predicts_zero_and_depends_on_the_seed_alone():
    first, second, other = (new_network(MINI, seed) for seed in (1, 1, 2))
    lengths = sequence_lengths(1.0)
    with torch.inference_mode():
        conditions = first.conditions(Features(), lengths)
        velocity = first(noise_for([3], lengths.latents), torch.tensor([0.5]), conditions)
    assert not velocity.any()
    states = [network.state_dict() for network in (first, second, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(*(state["clip_input_proj.0.weight"] for state in states[1:]))
    assert all(torch.isfinite(tensor).all() for tensor in states[0].values())


@pytest.mark.parametrize(("kind", "version"), [*((kind, 1) for kind in REFERENCES), ("vae", 2)])
def test_a_warm_start_has_the_output_of_the_mmaudio_checkpoint(kind, version, tmp_path):
    params = replace(MINI, version=version, reference=None)
    path = write_checkpoint(tmp_path / "mmaudio.pth", params, MMAUDIO_GAIN)
    original = open_flow(path, params)
    network = open_warm(path, params, REFERENCES[kind], seed=9)
    lengths = sequence_lengths(1.0)
    features = Features(
        sync=draw("sync", (1, 16, MINI.sync_width)),
        video=draw("video", (1, 8, MINI.clip_width)),
        text=draw("text", (1, 77, MINI.text_width)),
    )
    reference = draw("audio", (1, 1 if kind == "clap" else 87, REFERENCES[kind].width))
    noise = noise_for([4], lengths.latents)

    @torch.inference_mode()
    def sample(net, features):
        known, empty = (net.conditions(each, lengths) for each in (features, Features()))
        return euler(classifier_free_guidance(net, known, empty), noise, 2)

    expected = sample(original, features)
    assert torch.equal(sample(network, features), expected)
    assert torch.equal(sample(network, replace(features, audio=reference)), expected)
    assert network.global_cond_mlp.w1.weight.requires_grad


def test_a_warm_start_from_a_network_with_a_reference_is_refused():
    with pytest.raises(ValueError, match="knows no reference"):
        warm_start(new_network(MINI, seed=0), VAE_REFERENCE, seed=0)
