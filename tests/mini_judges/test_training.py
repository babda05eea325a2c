"""Training of the mini judges: targets, augmentation, and the order of batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.mini_judges import augment, train
from bench.mini_judges.dataset import compute_event_marks
from bench.mini_judges.front_end import log_mel, restore_powers
from bench.mini_judges.networks import Panns
from bench.mini_judges.objectives import grid_shares
from bench.synthetic.scene import make_scene

FRONT_END = Panns.FRONT_END
RATE_HZ = 16_000


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded generator."""
    return torch.Generator().manual_seed(1)


def tones(frequency_hz: float, n: int = 3) -> torch.Tensor:
    """``n`` equal tones of amplitude 0.5 that last one second, ``[n, 16000]``."""
    times_s = torch.arange(RATE_HZ) / RATE_HZ
    return (0.5 * torch.sin(2 * np.pi * frequency_hz * times_s)).expand(n, -1)


def test_targets_of_offsets_are_interpolated_between_the_steps_of_the_grid():
    shares = grid_shares(torch.tensor([0, 5, 1, -48]))
    assert shares[0].argmax() == 10
    assert shares[0].max() == 1.0
    assert shares[1, 11] == 1.0
    assert shares[2, 10:12].tolist() == pytest.approx([0.8, 0.2])
    assert shares[3, 0:2].tolist() == pytest.approx([0.6, 0.4])


def test_targets_of_all_offsets_sum_to_one():
    sums = grid_shares(torch.arange(-50, 51)).sum(dim=1)
    assert torch.allclose(sums, torch.ones(101), atol=1e-6)


def test_event_marks_have_the_strength_of_an_event_at_its_frame():
    scene = make_scene("mini", 0)
    marks = compute_event_marks(scene)
    assert marks.shape == (250,)
    for event in scene.events:
        near = marks[max(0, round(event.time_s * 25) - 1) : round(event.time_s * 25) + 2].max()
        assert 0.75 * event.strength < near <= max(each.strength for each in scene.events)
    assert marks[: int(scene.events[0].time_s * 25) - 4].max() < 1e-3


def test_a_low_pass_halves_the_amplitude_at_its_cutoff(generator, monkeypatch):
    monkeypatch.setattr(augment, "LOW_PASS_SHARE", 1.0)
    monkeypatch.setattr(augment, "CUTOFF_HZ", (1_000.0, 1_000.0))
    filtered = augment.low_pass(tones(1_000.0), RATE_HZ, generator)
    assert torch.allclose(filtered, 0.5 * tones(1_000.0), atol=1e-4)


def test_waveforms_without_a_low_pass_are_unchanged(generator, monkeypatch):
    monkeypatch.setattr(augment, "LOW_PASS_SHARE", 0.0)
    waveforms = tones(3_000.0)
    assert torch.allclose(augment.low_pass(waveforms, RATE_HZ, generator), waveforms, atol=1e-3)


def test_phase_noise_changes_the_waveform_and_keeps_its_length_and_most_of_its_level(generator):
    waveforms = tones(800.0, n=4)
    noisy = augment.add_phase_noise(waveforms, generator)
    assert noisy.shape == waveforms.shape
    assert (noisy - waveforms).std() > 0.02
    assert 0.4 < noisy.std() / waveforms.std() < 1.1


def test_no_phase_noise_is_the_identity(generator, monkeypatch):
    monkeypatch.setattr(augment, "PHASE_NOISE_RAD", 0.0)
    waveforms = tones(800.0)
    assert torch.allclose(augment.add_phase_noise(waveforms, generator), waveforms, atol=1e-5)


def test_a_gain_on_log_mel_frames_is_that_of_the_waveform(generator, monkeypatch):
    monkeypatch.setattr(augment, "NOISE_SHARE", 0.0)
    monkeypatch.setattr(augment, "LOW_PASS_SHARE", 0.0)
    monkeypatch.setattr(augment, "GAIN_DB", (-6.0, -6.0))
    waveforms = tones(800.0)
    quieter = augment.augment_log_mel(log_mel(waveforms, FRONT_END), FRONT_END, generator)
    expected = restore_powers(log_mel(10 ** (-6.0 / 20.0) * waveforms, FRONT_END))
    assert torch.allclose(restore_powers(quieter), expected, atol=1e-6)


def test_noise_on_log_mel_frames_has_the_power_of_noise_on_the_waveform(generator, monkeypatch):
    monkeypatch.setattr(augment, "NOISE_SHARE", 1.1)
    monkeypatch.setattr(augment, "LOW_PASS_SHARE", 0.0)
    monkeypatch.setattr(augment, "GAIN_DB", (0.0, 0.0))
    monkeypatch.setattr(augment, "NOISE_DB", (-20.0, -20.0))
    monkeypatch.setattr(augment, "PHASE_NOISE_SHARE", 0.0)
    silence = torch.zeros(8, 4 * RATE_HZ)
    on_frames = augment.augment_log_mel(log_mel(silence, FRONT_END), FRONT_END, generator)
    on_waveforms = log_mel(augment.augment_waveforms(silence, RATE_HZ, generator), FRONT_END)
    ratio = restore_powers(on_frames).mean(dim=(0, 2)) / restore_powers(on_waveforms).mean(
        dim=(0, 2)
    )
    # The log-normal spread of 0.5 nepers raises the mean of the powers by exp(0.5^2 / 2).
    assert torch.allclose(ratio, torch.full_like(ratio, float(np.exp(0.125))), rtol=0.15)


def test_brightness_changes_by_at_most_a_tenth_and_stays_in_range(generator):
    pixels = torch.full((20, 2, 4, 4), 200, dtype=torch.uint8)
    changed = augment.jitter_brightness(pixels, generator)
    per_video = changed.flatten(1)
    assert (per_video == per_video[:, :1]).all()
    assert 180.0 <= changed.min() < changed.max() <= 220.0
    white = torch.full((20, 2, 4, 4), 255, dtype=torch.uint8)
    assert augment.jitter_brightness(white, generator).max() == 255.0


def test_batches_are_sampled_in_order_and_no_more_than_needed(generator):
    class Counter:
        n_sampled = 0

        def sample_batch(self, generator: torch.Generator) -> tuple[int, float]:
            self.n_sampled += 1
            return self.n_sampled, float(torch.rand(1, generator=generator))

    objective = Counter()
    batches = list(train._prefetch_batches(objective, generator, 5))
    expected = torch.Generator().manual_seed(1)
    assert batches == [(n, float(torch.rand(1, generator=expected))) for n in range(1, 6)]
    assert objective.n_sampled == 5


def test_an_unknown_network_is_refused_before_anything_is_rendered(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(tmp_path))
    with pytest.raises(BenchError, match="no mini judge 'clap', expected one of: passt, panns"):
        train.main(["clap"])
    assert not list(tmp_path.iterdir())
