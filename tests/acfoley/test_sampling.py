"""Paths, losses, times, noise and steps of the flow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from acfoley.network.conditions import Features
from acfoley.network.initialise import new_network
from acfoley.params import PRESETS, sequence_lengths
from acfoley.sampling import (
    Noise,
    classifier_free_guidance,
    euler,
    flow_loss,
    interpolate,
    logit_normal_times,
    noise_for,
)
from tests.acfoley.seeded import GOLDEN, NARROW, draw, seeded_state

TRAINING = json.loads((GOLDEN / "training.json").read_text())


def test_path_and_loss_are_those_of_the_reference():
    golden = TRAINING["flow_matching"]
    noise, audio, velocity = (draw(f"fm/{name}", (2, 345, 40)) for name in ("x0", "x1", "v"))
    latents = interpolate(noise, audio, torch.tensor(golden["t"]))
    expected = torch.tensor(golden["xt_first_values"])
    torch.testing.assert_close(latents[:, 0, :4], expected, rtol=1e-6, atol=1e-6)
    loss = flow_loss(velocity, noise, audio)
    torch.testing.assert_close(loss, torch.tensor(golden["loss_per_sample"]), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("mean", "scale", "entry"), [(0.0, 1.0, "t"), (0.5, 2.0, "t_mean_0_5_scale_2")]
)
def test_times_of_training_are_those_of_the_reference(mean, scale, entry):
    times = logit_normal_times(draw("fm/normal", (8,)), mean, scale)
    expected = torch.tensor(TRAINING["timesteps"][entry])
    torch.testing.assert_close(times, expected, rtol=0, atol=1e-6)


def test_a_constant_velocity_leads_from_noise_to_audio_in_any_number_of_steps():
    noise, audio = draw("noise", (2, 5, 40)), draw("sound", (2, 5, 40))
    for n_steps in (1, 4, 25):
        asked = []

        def velocity(latents, times, asked=asked):
            asked.append(times[0].item())
            return audio - noise

        found = euler(velocity, noise, n_steps)
        torch.testing.assert_close(found, audio, rtol=1e-5, atol=1e-5)
        assert asked == pytest.approx([step / n_steps for step in range(n_steps)])


def test_each_step_is_reported():
    done = []
    euler(lambda latents, times: latents, torch.zeros(1, 1, 1), 3, done.append)
    assert done == [1, 2, 3]


def test_the_noise_of_a_clip_does_not_depend_on_the_other_clips_of_the_batch():
    together = noise_for([7, 8, 9], 87)
    assert together.shape == (3, 87, 40)
    assert torch.equal(together[1:2], noise_for([8], 87))
    assert torch.equal(together.flip(0), noise_for([9, 8, 7], 87))
    assert not torch.equal(together[0], together[1])
    assert abs(float(together.mean())) < 0.05
    assert float(together.std()) == pytest.approx(1, abs=0.05)


def test_latents_start_from_the_same_noise_whatever_the_reference_draws():
    with_reference, without = Noise(7), Noise(7)
    first = torch.randn((40, 87), generator=with_reference.reference)
    assert torch.equal(with_reference.latents(87), without.latents(87))
    assert not torch.equal(first.T, Noise(7).latents(87)[0])


def test_the_official_order_draws_the_reference_first():
    generator = torch.Generator().manual_seed(42)
    reference = torch.randn((1, 40, 87), generator=generator)
    latents = torch.randn((1, 345, 40), generator=generator)
    noise = Noise(42, official=True)
    assert torch.equal(torch.randn((1, 40, 87), generator=noise.reference), reference)
    assert torch.equal(noise.latents(345), latents)
    alone = Noise(42, official=True).latents(345)
    assert not torch.equal(alone, latents)
    assert Noise(42, official=True, dtype=torch.bfloat16).latents(3).dtype == torch.bfloat16


@pytest.fixture(scope="module")
def network():
    network = new_network(NARROW, seed=0)
    network.load_state_dict(seeded_state(NARROW, {}))
    return network.eval()


@torch.inference_mode()
def test_guidance_of_one_or_less_is_no_guidance(network):
    lengths = sequence_lengths(1.0)
    features = Features(video=draw("video", (1, 8, 1024)))
    known, empty = (network.conditions(each, lengths) for each in (features, Features()))
    latents, times = noise_for([1], lengths.latents), torch.tensor([0.5])
    alone = network(latents, times, known)
    for strength in (0.0, 1.0):
        assert torch.equal(
            classifier_free_guidance(network, known, empty, strength)(latents, times), alone
        )
    away = network(latents, times, empty)
    pushed = classifier_free_guidance(network, known, empty, 3.0)(latents, times)
    torch.testing.assert_close(pushed, 3 * alone - 2 * away, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_clip_is_the_same_alone_and_at_any_index_of_a_batch(network):
    lengths = sequence_lengths(1.0)
    features = Features(
        audio=draw("audio", (3, 20, 40)),
        sync=draw("sync", (3, lengths.sync_tokens, 768)),
        video=draw("video", (3, 8, 1024)),
    )
    empty = network.conditions(Features(), lengths)

    def sampled(clips: list[int]) -> torch.Tensor:
        chosen = Features(
            audio=features.audio[clips], sync=features.sync[clips], video=features.video[clips]
        )
        noise = noise_for([100 + clip for clip in clips], lengths.latents)
        return euler(
            classifier_free_guidance(network, network.conditions(chosen, lengths), empty), noise, 3
        )

    together, turned, alone = sampled([0, 1, 2]), sampled([2, 0, 1]), sampled([1])
    torch.testing.assert_close(turned[[1, 2, 0]], together, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(alone[0], together[1], rtol=1e-4, atol=1e-4)


def test_the_loss_falls_when_the_mini_network_learns_one_batch():
    params = replace(PRESETS["mini"], clip_width=32, sync_width=16, text_width=32)
    network = new_network(params, seed=5).train()
    lengths = sequence_lengths(1.0)
    features = Features(
        audio=draw("audio", (2, 44, 40)),
        sync=draw("sync", (2, lengths.sync_tokens, 16)),
        video=draw("video", (2, 8, 32)),
        text=draw("text", (2, 77, 32)),
    )
    noise, audio = draw("noise", (2, 44, 40)), draw("sound", (2, 44, 40))
    times = logit_normal_times(draw("times", (2,)))
    latents = interpolate(noise, audio, times)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        optimiser.zero_grad()
        velocity = network(latents, times, network.conditions(features, lengths))
        loss = flow_loss(velocity, noise, audio).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(float(flow_loss(torch.zeros(1), noise, audio).mean()))
    assert losses[-1] < 0.9 * losses[0], losses


def test_every_trained_tensor_of_the_mini_network_gets_a_gradient():
    network = new_network(PRESETS["mini"], seed=5).train()
    for parameter in network.parameters():
        if parameter.requires_grad and not parameter.any():
            torch.nn.init.normal_(parameter.data, std=0.1)
    lengths = sequence_lengths(1.0)
    empty = network.conditions(Features(), lengths)
    network(noise_for([1], lengths.latents), torch.tensor([0.3]), empty).square().sum().backward()
    untouched = [
        name
        for name, each in network.named_parameters()
        if each.requires_grad and each.grad is None
    ]
    assert untouched == []
    fixed = {name for name, each in network.named_parameters() if not each.requires_grad}
    assert fixed == {"latent_mean", "latent_std", "empty_string_feat"}
