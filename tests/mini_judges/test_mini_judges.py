"""The small judges as shipped, on scenes that they were not taught."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.media import resample
from bench.metrics import FrechetStatistics, frechet_distance
from bench.mini_judges import measure, panns, passt, shipped, synchformer, vggish
from bench.mini_judges.examples import (
    FULL_SCALE,
    HELD_OUT_SPLIT,
    TRAINING_SPLIT,
    Block,
    render_block,
)
from bench.mini_judges.front_end import levels, log_mel, noise_powers, powers
from bench.mini_judges.labels import N_LABELS, label_of
from bench.mini_judges.pictures import colour_stills, grey_frames
from bench.synthetic.audio import SAMPLE_RATE_HZ, render_audio
from bench.synthetic.damage import shift_events, with_timbre_at
from bench.synthetic.world import CLASSES, make_scene
from tests.conftest import ROOT
from tests.golden.make_mini_judges import answers

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def seen() -> Block:
    """Twenty held-out scenes with pictures, every action twice."""
    return render_block(HELD_OUT_SPLIT, range(20))


@pytest.fixture(scope="module")
def heard() -> Block:
    """A held-out sound of every class."""
    return render_block(HELD_OUT_SPLIT, range(60), has_video=False)


def sounds_of(scenes) -> torch.Tensor:
    """The first 8 s of scenes at 16 kHz."""
    sounds = np.stack([render_audio(scene) for scene in scenes])
    resampled = resample(sounds, SAMPLE_RATE_HZ, RATE_HZ, method="soxr_hq")
    return torch.from_numpy(resampled[:, : 8 * RATE_HZ])


def test_the_weights_of_all_judges_are_below_ten_megabytes_in_all():
    sizes = [shipped.weights_path(name).stat().st_size for name in shipped.NAMES]
    assert sum(sizes) < 10e6


def test_the_judges_say_of_one_scene_what_they_said_when_they_were_shipped():
    with np.load(ROOT / "tests" / "golden" / "mini_judges.npz") as golden:
        found = answers()
        assert set(found) == set(golden.files)
        for name, array in found.items():
            np.testing.assert_allclose(array, golden[name], 1e-4, 1e-4, err_msg=name)


@pytest.mark.parametrize("name", ["passt", "panns"])
def test_labels_of_held_out_sounds_are_right(name, heard):
    assert measure.sound_accuracy(name, heard).both > 0.95


def test_offsets_of_held_out_scenes_are_told_within_a_third_of_a_step(seen):
    assert measure.offset_errors(seen).mean() < 0.06


@torch.inference_mode()
@pytest.mark.parametrize(("later_s", "offset_s"), [(0.0, 0.0), (0.4, -0.4), (-1.0, 1.0)])
def test_an_offset_is_positive_where_the_sound_is_ahead(seen, later_s, offset_s):
    network = shipped.load_network("synchformer")
    scenes = [shift_events(make_scene(HELD_OUT_SPLIT, index), later_s) for index in range(10)]
    video = network.see(torch.from_numpy(seen.grey[:10, :200]))
    logits = network.offsets(video, network.hear(sounds_of(scenes)))
    told_s = np.linspace(-2.0, 2.0, 21)[logits.argmax(dim=-1).numpy()]
    assert logits.shape == (10, 2, 21)
    assert np.median(told_s) == pytest.approx(offset_s)
    assert np.mean(np.abs(told_s - offset_s) < 0.01) > 0.8


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 3, 8, -13])
def test_an_offset_between_two_steps_is_told_as_one_beside_it(seen, frames):
    network, window = shipped.load_network("synchformer"), synchformer.WINDOW_FRAMES
    start = max(0, -frames)
    sounds = torch.from_numpy(seen.sounds_16k[:10, 0].astype(np.float32) / FULL_SCALE)
    video = network.see(torch.from_numpy(seen.grey[:10]))[:, start : start + window]
    audio = network.hear(sounds)[:, start + frames : start + frames + window]
    told_s = 0.2 * (network.tell(video, audio).argmax(dim=1).numpy() - 10)
    assert np.mean(np.abs(told_s - frames / 25) < 0.2) > 0.8


@pytest.mark.parametrize("seconds", [8, 2])
def test_true_pairs_of_sound_and_picture_fit_better_than_others(seen, seconds):
    fit = measure.fit(seen, seconds)
    assert fit.true > fit.others + 0.4


@torch.inference_mode()
def test_every_frechet_distance_grows_with_the_distance_of_timbres():
    scenes = [make_scene(HELD_OUT_SPLIT, index) for index in range(20)]
    timbres = [[with_timbre_at(scene, far, 0) for scene in scenes] for far in (0.3, 1.2)]
    for name in ("panns", "vggish"):
        network = shipped.load_network(name)
        true, near, far = (_statistics(name, network, each) for each in (scenes, *timbres))
        assert 0.0 < frechet_distance(true, near) < frechet_distance(true, far)


def _statistics(name, network, scenes) -> FrechetStatistics:
    answer = network(sounds_of(scenes))
    rows = answer[0] if name == "panns" else answer.flatten(0, 1)
    return FrechetStatistics.of_blocks([rows.numpy()])


def test_training_and_judged_scenes_are_of_different_splits():
    assert len({TRAINING_SPLIT, HELD_OUT_SPLIT, "mini", "mini-references"}) == 4


def test_every_class_has_a_label_of_its_own():
    assert sorted(label_of(*each) for each in CLASSES) == list(range(N_LABELS))


def test_correlation_is_the_mean_product_at_every_lag(rng):
    sides = torch.from_numpy(rng.normal(size=(2, 3, 120, 32)).astype(np.float32))
    found = synchformer.correlation(sides[0], sides[1])
    seen, heard = (side - side.mean(dim=1, keepdim=True) for side in sides)
    for lag in (-119, -50, 0, 7, 119):
        seen_part = seen[2, max(0, -lag) : 120 - max(0, lag), 4:8]
        heard_part = heard[2, max(0, lag) : 120 - max(0, -lag), 4:8]
        expected = (seen_part * heard_part).sum() / (120 - abs(lag))
        assert found[2, 1, 119 + lag] == pytest.approx(float(expected), abs=1e-5)


def test_pictures_are_the_middle_square_at_64_pixels():
    pixels = np.zeros((25, 128, 256, 3), dtype=np.uint8)
    pixels[:, :, 48:208] = (30, 60, 90)
    assert np.array_equal(grey_frames(pixels), np.full((25, 64, 64), 60))
    assert np.array_equal(colour_stills(pixels), np.full((3, 64, 64, 3), (30, 60, 90)))


def test_powers_and_levels_undo_one_another_and_noise_has_the_power_that_is_said(rng):
    for hearing in (panns.HEARING, passt.HEARING, vggish.HEARING, synchformer.HEARING):
        noise = 0.1 * torch.from_numpy(rng.normal(size=(4, 64_000)).astype(np.float32))
        frames = log_mel(noise, hearing)
        assert torch.allclose(levels(powers(frames)), frames, atol=1e-4)
        measured = powers(frames).mean(dim=(0, 2)) / 0.1**2
        assert torch.allclose(measured, noise_powers(hearing), rtol=0.15)


def test_a_window_that_is_too_short_is_refused():
    network = shipped.load_network("synchformer")
    with pytest.raises(ValueError, match=r"120 frames \(4.8 s\), these are 50"):
        network.offsets(torch.zeros(1, 50, 32), torch.zeros(1, 200, 32))


def test_an_unknown_network_and_missing_or_foreign_weights_are_refused(tmp_path, monkeypatch):
    with pytest.raises(BenchError, match="no small judge 'clap'; there are: passt, panns"):
        shipped.new_network("clap")
    foreign = shipped.weights_path("vggish")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(BenchError, match="cannot read .*passt.safetensors"):
        shipped.weights_hash.__wrapped__("passt")
    shipped.weights_path("panns").write_bytes(foreign.read_bytes())
    with pytest.raises(BenchError, match="does not fit Panns"):
        shipped.load_network("panns")


def test_weights_that_are_not_finite_are_not_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    network = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, 1e6)
    with pytest.raises(BenchError, match="weights weight of passt are not finite in 16 bit"):
        shipped.save_network(network, "passt")
    assert not list(tmp_path.iterdir())
