"""Generating: exact lengths, a seed per clip, features encoded once, clear refusals."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from acfoley.encoders.encoders import prepare_reference
from acfoley.generate import Job, Settings, checked_settings
from acfoley.network.conditions import Features
from acfoley.params import sequence_lengths
from acfoley.sampling import classifier_free_guidance, euler
from bench.errors import BenchError, MediaError
from bench.media import write_video
from bench.types import Audio, Excerpt, parse_condition
from tests.acfoley.fakes import fake_model, work_of
from tests.acfoley.seeded import NARROW

QUICK = Settings(n_steps=2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    """A video of 2.5 s that grows brighter."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    shades = np.linspace(20, 200, 63).astype(np.uint8)
    write_video(path, (np.full((48, 64, 3), shade, np.uint8) for shade in shades), 25)
    return Excerpt(path)


def reference(seed: int, seconds: float = 1.0) -> Audio:
    noise = np.random.default_rng(seed).normal(0, 0.1, (1, round(44_100 * seconds)))
    return Audio(noise.clip(-1, 1).astype(np.float32), 44_100)


def job(clip: Excerpt | None, **changes: object) -> Job:
    return replace(
        Job(seconds=1.5, seed=3, video=clip, prompt="a dog", reference=reference(0)), **changes
    )


def same(first: Audio, second: Audio) -> bool:
    return np.allclose(first.samples, second.samples, atol=1e-4)


def test_eight_seconds_are_exactly_352_800_samples():
    (audio,) = fake_model().generate([Job(seconds=8.0, seed=1)], Settings(n_steps=1))
    assert audio.samples.shape == (1, 352_800)
    assert audio.sample_rate_hz == 44_100
    assert audio.samples.dtype == np.float32
    assert np.abs(audio.samples).max() <= 1


@pytest.mark.parametrize("seconds", [1.0, 1.57, 2.0])
def test_any_length_is_exact_to_the_sample(seconds, clip):
    (audio,) = fake_model().generate([job(clip, seconds=seconds)], Settings(n_steps=1))
    assert audio.samples.shape == (1, round(seconds * 44_100))


def test_on_a_cpu_the_audio_of_a_clip_is_the_same_to_the_bit_in_any_list_of_jobs(clip):
    model = fake_model()
    jobs = [job(clip, seed=seed, reference=reference(seed)) for seed in (5, 6, 7)]
    together = model.generate(jobs, QUICK)
    alone = [fake_model().generate([each], QUICK)[0] for each in jobs[::-1]][::-1]
    for first, second in zip(together, alone, strict=True):
        assert np.array_equal(first.samples, second.samples)
    assert not same(alone[0], alone[1])


def test_the_other_clips_of_a_batch_change_audio_by_rounding_only(clip):
    model = fake_model()
    jobs = [job(clip, seed=seed, reference=reference(seed)) for seed in (5, 6, 7)]
    jobs[1] = replace(jobs[1], prompt="", negative="speech", video=None)
    together = model.generate_batch(jobs, QUICK)
    turned = model.generate_batch(jobs[::-1], QUICK)[::-1]
    for first, second, alone in zip(together, turned, model.generate(jobs, QUICK), strict=True):
        assert same(first, second)
        assert same(first, alone)
    with pytest.raises(ValueError, match="same length, and there must be one"):
        model.generate_batch([jobs[0], replace(jobs[0], seconds=2.0)], QUICK)


def test_five_references_and_four_masks_encode_the_video_once(clip):
    model = fake_model()
    for seed in range(5):
        model.generate([job(clip, reference=reference(seed))], QUICK)
    assert work_of(model) == {"video": 1, "sync": 1, "text": 1, "encode": 5, "decode": 5}
    for mask in ("audio", "sync", "video", "text"):
        model.generate([job(clip)], replace(QUICK, mask=parse_condition(mask)))
    assert work_of(model) == {"video": 1, "sync": 1, "text": 1, "encode": 5, "decode": 9}


def test_a_video_that_changed_is_encoded_again(tmp_path):
    path, model = tmp_path / "clip.mp4", fake_model()
    for shade in (40, 180):
        write_video(path, (np.full((48, 64, 3), shade, np.uint8) for _ in range(45)), 25)
        model.generate([job(Excerpt(path))], QUICK)
    assert work_of(model)["video"] == 2


def test_masked_components_are_not_encoded(clip):
    model = fake_model()
    mask = parse_condition("video,sync,text,audio")
    (blind,) = model.generate([job(clip)], replace(QUICK, mask=mask))
    assert work_of(model) == {"decode": 1}
    (nothing,) = model.generate([Job(seconds=1.5, seed=3)], QUICK)
    assert np.array_equal(blind.samples, nothing.samples)


def test_each_component_changes_the_audio(clip):
    model = fake_model()
    (full,) = model.generate([job(clip)], QUICK)
    for mask in ("audio", "sync", "video", "text"):
        (masked,) = model.generate([job(clip)], replace(QUICK, mask=parse_condition(mask)))
        assert not same(masked, full), mask
    (pushed,) = model.generate([job(clip, negative="speech")], QUICK)
    assert not same(pushed, full)


def test_the_official_order_draws_the_noise_of_the_reference_first(clip):
    model, network = fake_model(), fake_model().network
    lengths, only = sequence_lengths(1.5), reference(4)
    settings = replace(QUICK, parity="official")
    (audio,) = model.generate([Job(seconds=1.5, seed=42, reference=only)], settings)
    generator = torch.Generator().manual_seed(42)
    posterior = model.codec.encode(torch.from_numpy(prepare_reference(only, "published"))[None])
    drawn = torch.randn((1, 40, 87), generator=generator).transpose(1, 2)
    start = torch.randn((1, lengths.latents, 40), generator=generator)
    with torch.inference_mode():
        known = network.conditions(Features(audio=posterior.mean + posterior.std * drawn), lengths)
        empty = network.conditions(Features(), lengths)
        latents = euler(classifier_free_guidance(network, known, empty), start, 2)
        expected = model.codec.decode(latents)[:, : audio.samples.shape[1]]
    np.testing.assert_allclose(audio.samples, expected.numpy(), atol=1e-5)
    (own,) = model.generate([Job(seconds=1.5, seed=42, reference=only)], QUICK)
    assert not same(audio, own)


def test_with_low_memory_networks_visit_the_device_in_turns(clip):
    device = torch.device("cpu", 0)
    model = fake_model(visiting=device)
    (audio,) = model.generate([job(clip)], QUICK)
    assert model.encoders._encoders.devices == ["cpu:0", "cpu"] * 3
    assert model.codec.devices == ["cpu:0", "cpu"] * 2
    assert np.array_equal(audio.samples, fake_model().generate([job(clip)], QUICK)[0].samples)


def test_a_cut_prompt_is_reported_once(clip, caplog):
    model = fake_model()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            model.generate([job(clip, prompt="dog " * 30)], QUICK)
    assert [record.message.endswith("was cut") for record in caplog.records] == [True]


def test_stages_and_steps_are_reported(clip):
    stages, steps = [], []
    fake_model().generate([job(clip)], QUICK, on_stage=stages.append, on_step=steps.append)
    assert stages == ["video", "synchronisation", "prompt", "reference", "flow", "audio"]
    assert steps == [1, 2]


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"seconds": 2.9}, MediaError, "lasts 2.5"),
        ({"video": Excerpt(Path("absent.mp4"))}, MediaError, "absent.mp4"),
        ({"reference": reference(0, 0.05)}, MediaError, "lasts 0.05"),
        ({"reference": Audio(np.zeros((1, 44_100), np.float32), 44_100)}, MediaError, "silent"),
        ({"seconds": 31.0}, ValueError, "1 to 30 s"),
    ],
)
def test_unusable_videos_references_and_lengths_are_refused(clip, changes, error, match):
    with pytest.raises(error, match=match):
        fake_model().generate([job(clip, **changes)], QUICK)


def test_jobs_of_different_lengths_are_batches_of_their_own_in_the_order_of_the_jobs(clip):
    model = fake_model()
    jobs = [job(clip, seconds=seconds, seed=seed) for seed, seconds in enumerate((1.5, 2.0, 1.5))]
    together = model.generate(jobs, QUICK)
    assert [audio.seconds for audio in together] == [1.5, 2.0, 1.5]
    for each, audio in zip(jobs, together, strict=True):
        assert same(model.generate([each], QUICK)[0], audio)
    assert model.generate([], QUICK) == []


def test_a_network_without_reference_input_refuses_a_reference(clip):
    model = fake_model(replace(NARROW, reference=None))
    with pytest.raises(BenchError, match="use the preset acfoley"):
        model.generate([job(clip)], QUICK)
    assert model.generate([job(clip, reference=None)], QUICK)[0].samples.any()


def test_settings_are_checked():
    settings = checked_settings(3, 2.0, "video", "vector", "official", "whole")
    assert (settings.n_steps, settings.parity, settings.mask.scope) == (3, "official", "vector")
    for n_steps, guidance, parity, match in (
        (0, 1.0, "own", "at least 1 step"),
        (1, 1.0, "theirs", "own and official"),
        (1, float("nan"), "own", "guidance is a finite number, not nan"),
        (1, float("inf"), "own", "guidance is a finite number, not inf"),
    ):
        with pytest.raises(BenchError, match=match):
            checked_settings(n_steps, guidance, "", "whole", parity, "published")
