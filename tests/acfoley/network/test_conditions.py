"""Conditions: masks, empty features, references, and refusals of wrong shapes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from acfoley.network.attention import rotary_angles, rotate
from acfoley.network.conditions import (
    COMPONENTS,
    Conditions,
    Features,
    concatenate,
    drop_components,
    nearest_indices,
)
from acfoley.network.flow_network import FlowNetwork
from acfoley.network.initialise import new_network
from acfoley.params import CLAP_REFERENCE, PRESETS, VAE_REFERENCE, sequence_lengths
from bench.types import parse_condition
from tests.acfoley.seeded import ACFOLEY_GAIN, NARROW, draw, drawn_features, seeded_state

LENGTHS = sequence_lengths(2.0)
TIMES = torch.tensor([0.4])


def seeded(params) -> FlowNetwork:
    network = new_network(params, seed=0)
    network.load_state_dict(seeded_state(params, ACFOLEY_GAIN))
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def network() -> FlowNetwork:
    return seeded(NARROW)


@pytest.fixture(scope="module")
def features() -> Features:
    return drawn_features("masks", 1, LENGTHS)


def velocity(network: FlowNetwork, conditions: Conditions) -> torch.Tensor:
    return network(draw("latents", (1, LENGTHS.latents, 40)), TIMES, conditions)


def test_a_masked_component_equals_a_missing_one(network, features):
    for name in COMPONENTS:
        masked = network.conditions(features, LENGTHS, parse_condition(name))
        absent = network.conditions(replace(features, **{name: None}), LENGTHS)
        assert torch.equal(velocity(network, masked), velocity(network, absent))
        assert not torch.equal(
            velocity(network, masked), velocity(network, network.conditions(features, LENGTHS))
        )


@pytest.mark.parametrize("name", COMPONENTS)
def test_explicit_empty_features_equal_missing_ones(network, features, name):
    empty = network.empty_features(1, LENGTHS)
    given = network.conditions(replace(features, **{name: empty.get(name)}), LENGTHS)
    absent = network.conditions(replace(features, **{name: None}), LENGTHS)
    torch.testing.assert_close(
        velocity(network, given), velocity(network, absent), rtol=1e-5, atol=1e-5
    )


def test_a_mask_of_the_vector_keeps_tokens_of_video_and_text(network, features):
    full = network.conditions(features, LENGTHS)
    for name in ("video", "text"):
        partly = network.conditions(features, LENGTHS, parse_condition(name, "vector"))
        whole = network.conditions(features, LENGTHS, parse_condition(name))
        assert torch.equal(getattr(partly, name), getattr(full, name))
        assert torch.equal(partly.vector, whole.vector)
        assert not torch.equal(partly.vector, full.vector)
    for name in ("audio", "sync"):
        partly, whole = (
            network.conditions(features, LENGTHS, parse_condition(name, scope))
            for scope in ("vector", "whole")
        )
        assert torch.equal(velocity(network, partly), velocity(network, whole))


def test_clips_with_and_without_sync_can_share_a_batch(network, features):
    with_sync = network.conditions(features, LENGTHS)
    without = network.conditions(replace(features, sync=None), LENGTHS)
    both = concatenate([with_sync, without, with_sync])
    latents = draw("latents", (1, LENGTHS.latents, 40)).expand(3, -1, -1)
    together = network(latents, TIMES.expand(3), both)
    for row, alone in zip(together, (with_sync, without, with_sync), strict=True):
        torch.testing.assert_close(row, velocity(network, alone)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seconds", [1.0, 1.3, 2.0, 8.0])
def test_three_segments_of_empty_sync_features_represent_all(network, seconds):
    lengths = sequence_lengths(seconds)
    short = network.conditions(Features(), lengths)
    full = network.conditions(Features(sync=network.empty_features(1, lengths).sync), lengths)
    assert len(short.sync_rows) == min(24, lengths.sync_tokens)
    torch.testing.assert_close(
        short.sync_rows[short.sync_indices], full.sync_rows[full.sync_indices], rtol=1e-4, atol=1e-5
    )


def test_ties_of_nearest_indices_fall_as_in_float32():
    indices = nearest_indices(192, 345)
    assert (indices[57], indices[172]) == (31, 95)
    assert (len(indices), indices[0], indices[-1]) == (345, 0, 191)


def test_references_of_any_length_are_accepted(network, features):
    conditioned = [
        network.conditions(replace(features, audio=draw("audio", (1, n, 40))), LENGTHS).vector
        for n in (1, 5, 87, 1300)
    ]
    assert all(torch.isfinite(vector).all() for vector in conditioned)
    assert not torch.equal(conditioned[0], conditioned[3])


def test_a_constant_reference_is_the_same_for_average_and_for_attention_pooling():
    reference = replace(VAE_REFERENCE, pooling="attention")
    network = seeded(replace(NARROW, reference=reference))
    vectors = []
    for tokens in (draw("tokens", (1, 9, 40)), draw("tokens", (1, 9, 40)).flip(1)):
        projected = network.audio_feature_proj(tokens)
        vectors.append(network.audio_pool(projected))
        assert not torch.allclose(vectors[-1], projected.mean(1), atol=1e-3)
    one = network.audio_feature_proj(draw("token", (1, 1, 40)))
    same = one.expand(-1, 6, -1)
    torch.testing.assert_close(network.audio_pool(one), network.audio_pool(same))


def test_a_clap_embedding_conditions_the_vector_alone(features):
    network = seeded(replace(NARROW, reference=CLAP_REFERENCE))
    conditioned = network.conditions(replace(features, audio=draw("clap", (1, 1, 512))), LENGTHS)
    unconditioned = network.conditions(replace(features, audio=None), LENGTHS)
    assert conditioned.vector.shape == unconditioned.vector.shape == (1, 128)
    assert not torch.equal(conditioned.vector, unconditioned.vector)
    assert torch.equal(conditioned.video, unconditioned.video)


def test_added_references_do_not_change_the_width_of_the_merging_layer():
    added = seeded(replace(NARROW, reference=replace(VAE_REFERENCE, fusion="add")))
    assert added.global_cond_mlp.w1.weight.shape == (512, 128)
    assert added.conditions(Features(), LENGTHS).vector.shape == (1, 128)


def test_components_are_dropped_clip_by_clip(network):
    features = drawn_features("drop", 3, LENGTHS)
    empty = network.empty_features(3, LENGTHS)
    found = drop_components(features, empty, {"video": torch.tensor([False, True, False])})
    assert torch.equal(found.video[0], features.video[0])
    assert torch.equal(found.video[1], empty.video[1])
    assert found.text is features.text
    with pytest.raises(ValueError, match="'audio'"):
        drop_components(replace(features, audio=None), empty, {"audio": torch.tensor([True] * 3)})


@pytest.mark.parametrize(
    ("name", "shape", "match"),
    [
        ("sync", (1, 39, 768), r"sync must be \[B, 40, 768\], got \[1, 39, 768\]"),
        ("video", (1, 16, 768), r"video must be \[B, 16, 1024\]"),
        ("text", (1, 76, 1024), r"text must be \[B, 77, 1024\]"),
        ("audio", (1, 87, 41), r"audio must be \[B, L, 40\]"),
        ("audio", (1, 0, 40), r"audio must be \[B, L, 40\]"),
    ],
)
def test_features_of_another_shape_are_refused(network, name, shape, match):
    with pytest.raises(ValueError, match=match):
        network.conditions(Features(**{name: torch.zeros(shape)}), LENGTHS)


def test_a_network_without_reference_input_refuses_a_reference(features):
    network = new_network(replace(PRESETS["mini"], reference=None), seed=0)
    with pytest.raises(ValueError, match="no input for reference audio"):
        network.conditions(features, LENGTHS)


def test_batches_of_different_sizes_are_refused(network):
    unequal = Features(video=torch.zeros(2, 16, 1024), text=torch.zeros(1, 77, 1024))
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        network.conditions(unequal, LENGTHS)


def test_rotation_keeps_lengths_and_depends_on_distance_alone(rng):
    heads = draw("heads", (1, 1, 1, 64)).expand(-1, -1, 9, -1)
    turned = rotate(heads, rotary_angles(9, 64))
    torch.testing.assert_close(turned.norm(dim=-1), heads.norm(dim=-1))
    products = turned[0, 0] @ turned[0, 0].T
    torch.testing.assert_close(products.diagonal(1), products[0, 1].expand(8), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        rotary_angles(9, 64, 2.0)[:, :4], rotary_angles(9, 64)[:, ::2][:, :4]
    )
