"""The mini judges of the package, on held-out scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.media import resample
from bench.metrics import FrechetStatistics, frechet_distance
from bench.mini_judges import evaluate, synchformer, weights
from bench.mini_judges.dataset import (
    FULL_SCALE,
    HELD_OUT_SPLIT,
    RATES_HZ,
    TRAINING_SPLIT,
    Block,
    make_example,
    render_block,
    to_int16,
)
from bench.mini_judges.front_end import (
    ACTION_NAMES,
    ACTION_OF,
    MATERIAL_NAMES,
    MATERIAL_OF,
    SIDE,
    colour_stills,
    grey_frames,
    log_mel,
    noise_powers,
    normalise_powers,
    restore_powers,
)
from bench.mini_judges.networks import Panns, Passt, Vggish
from bench.synthetic.audio import SAMPLE_RATE_HZ, render_audio
from bench.synthetic.corruptions import change_timbre, shift_events
from bench.synthetic.scene import CLASSES, make_scene
from tests.conftest import ROOT
from tests.golden.make_mini_judges import compute_outputs

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def video_block() -> Block:
    """Twenty held-out scenes with video, every action twice."""
    return render_block(HELD_OUT_SPLIT, range(20))


@pytest.fixture(scope="module")
def audio_block() -> Block:
    """Held-out audio of every class, 8 s, without video and tracks of another material."""
    no_video = np.zeros((0, SIDE, SIDE, 3), dtype=np.uint8)
    examples = []
    for index in range(60):
        scene = make_scene(HELD_OUT_SPLIT, index, seconds=8.0)
        audio = render_audio(scene)[None]
        rates = [to_int16(resample(audio, SAMPLE_RATE_HZ, r, method="soxr_hq")) for r in RATES_HZ]
        examples.append(make_example([scene], rates, no_video))
    return Block(*(np.stack(arrays) for arrays in zip(*examples, strict=True)))


def render_waveforms(scenes) -> torch.Tensor:
    """At most the first 8 s of scenes at 16 kHz."""
    audio = np.stack([render_audio(scene) for scene in scenes])
    resampled = resample(audio, SAMPLE_RATE_HZ, RATE_HZ, method="soxr_hq")
    return torch.from_numpy(resampled[:, : 8 * RATE_HZ])


def test_the_weights_of_all_judges_total_less_than_ten_megabytes():
    sizes = [weights.weights_path(name).stat().st_size for name in weights.NAMES]
    assert sum(sizes) < 10e6


def test_outputs_for_one_scene_are_those_of_the_golden_arrays():
    with np.load(ROOT / "tests" / "golden" / "mini_judges.npz") as golden:
        found = compute_outputs()
        assert set(found) == set(golden.files)
        for name, array in found.items():
            np.testing.assert_allclose(array, golden[name], 1e-4, 1e-4, err_msg=name)


@pytest.mark.parametrize("name", ["passt", "panns"])
def test_labels_of_held_out_audio_are_right(name, audio_block):
    assert evaluate.measure_accuracy(name, audio_block).both > 0.95


def test_offsets_of_held_out_scenes_are_right_within_a_third_of_a_step(video_block):
    assert evaluate.measure_offset_errors(video_block).mean() < 0.06


@torch.inference_mode()
@pytest.mark.parametrize(("later_s", "offset_s"), [(0.0, 0.0), (0.4, -0.4), (-1.0, 1.0)])
def test_an_offset_is_positive_where_the_audio_is_ahead(video_block, later_s, offset_s):
    network = weights.load_network("synchformer")
    if later_s:
        scenes = [shift_events(make_scene(HELD_OUT_SPLIT, index), later_s) for index in range(10)]
        waveforms = render_waveforms(scenes)
    else:
        waveforms = torch.from_numpy(video_block.audio_16k[:10, 0, : 8 * RATE_HZ] / FULL_SCALE)
    video = network.encode_video(torch.from_numpy(video_block.grey[:10, :200]))
    logits = network.offset_logits(video, network.encode_audio(waveforms.float()))
    predicted_s = np.linspace(-2.0, 2.0, 21)[logits.argmax(dim=-1).numpy()]
    assert logits.shape == (10, 2, 21)
    assert np.median(predicted_s) == pytest.approx(offset_s)
    assert np.mean(np.abs(predicted_s - offset_s) < 0.01) > 0.8


@torch.inference_mode()
@pytest.mark.parametrize("frames", [1, 3, 8, -13])
def test_an_offset_between_two_steps_is_predicted_as_a_neighbouring_step(video_block, frames):
    network, window = weights.load_network("synchformer"), synchformer.WINDOW_FRAMES
    start = max(0, -frames)
    waveforms = torch.from_numpy(video_block.audio_16k[:10, 0].astype(np.float32) / FULL_SCALE)
    video = network.encode_video(torch.from_numpy(video_block.grey[:10]))[:, start : start + window]
    audio = network.encode_audio(waveforms)[:, start + frames : start + frames + window]
    steps = network.calibrated_logits(video, audio).argmax(dim=1).numpy() - 10
    assert np.mean(np.abs(0.2 * steps - frames / 25) < 0.2) > 0.8


@pytest.mark.parametrize("seconds", [8, 2])
def test_true_pairs_of_audio_and_video_have_larger_cosines_than_others(video_block, seconds):
    found = evaluate.measure_retrieval(video_block, seconds)
    assert found.true_cosine > found.other_cosine + 0.4


@pytest.mark.slow
@torch.inference_mode()
def test_every_frechet_distance_grows_with_the_distance_of_timbres():
    scenes = [make_scene(HELD_OUT_SPLIT, index, seconds=4.0) for index in range(20)]
    timbres = [[change_timbre(scene, far, 0) for scene in scenes] for far in (0.3, 1.2)]
    for name in ("panns", "vggish"):
        network = weights.load_network(name)
        true, near, far = (_statistics(name, network, each) for each in (scenes, *timbres))
        assert 0.0 < frechet_distance(true, near) < frechet_distance(true, far)


def _statistics(name, network, scenes) -> FrechetStatistics:
    output = network(render_waveforms(scenes))
    rows = output[0] if name == "panns" else output.flatten(0, 1)
    return FrechetStatistics.of_blocks([rows.numpy()])


def test_training_and_evaluated_scenes_are_of_different_splits():
    assert len({TRAINING_SPLIT, HELD_OUT_SPLIT, "mini", "mini-references"}) == 4


def test_every_class_has_its_own_label():
    actions = [ACTION_NAMES[number] for number in ACTION_OF]
    materials = [MATERIAL_NAMES[number] for number in MATERIAL_OF]
    assert sorted(zip(actions, materials, strict=True)) == sorted(CLASSES)


def test_correlation_is_the_mean_product_at_every_lag(rng):
    sides = torch.from_numpy(rng.normal(size=(2, 3, 120, 32)).astype(np.float32))
    found = synchformer.cross_correlate(sides[0], sides[1])
    video, audio = (side - side.mean(dim=1, keepdim=True) for side in sides)
    for lag in (-119, -50, 0, 7, 119):
        video_part = video[2, max(0, -lag) : 120 - max(0, lag), 4:8]
        audio_part = audio[2, max(0, lag) : 120 - max(0, -lag), 4:8]
        expected = (video_part * audio_part).sum() / (120 - abs(lag))
        assert found[2, 1, 119 + lag] == pytest.approx(float(expected), abs=1e-5)


def test_frames_are_the_centre_square_at_64_pixels():
    pixels = np.zeros((25, 128, 256, 3), dtype=np.uint8)
    pixels[:, :, 48:208] = (30, 60, 90)
    assert np.array_equal(grey_frames(pixels), np.full((25, 64, 64), 60))
    assert np.array_equal(colour_stills(pixels), np.full((3, 64, 64, 3), (30, 60, 90)))


def test_powers_are_restored_exactly_and_noise_has_the_expected_power(rng):
    for module in (Panns, Passt, Vggish, synchformer):
        front_end = module.FRONT_END
        noise = 0.1 * torch.from_numpy(rng.normal(size=(4, 64_000)).astype(np.float32))
        frames = log_mel(noise, front_end)
        assert torch.allclose(normalise_powers(restore_powers(frames)), frames, atol=1e-4)
        measured = restore_powers(frames).mean(dim=(0, 2)) / 0.1**2
        assert torch.allclose(measured, noise_powers(front_end), rtol=0.15)


def test_a_window_that_is_too_short_is_refused():
    network = weights.load_network("synchformer")
    with pytest.raises(ValueError, match=r"120 frames \(4.8 s\), these are 50"):
        network.offset_logits(torch.zeros(1, 50, 32), torch.zeros(1, 200, 32))


def test_an_unknown_network_and_missing_or_foreign_weights_are_refused(tmp_path, monkeypatch):
    with pytest.raises(BenchError, match="no mini judge 'clap', expected one of: passt, panns"):
        weights.build_network("clap")
    foreign = weights.weights_path("vggish")
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    with pytest.raises(BenchError, match="cannot read .*passt.safetensors"):
        weights.weights_hash.__wrapped__("passt")
    weights.weights_path("panns").write_bytes(foreign.read_bytes())
    with pytest.raises(BenchError, match="does not fit Panns"):
        weights.load_network("panns")


def test_weights_that_are_not_finite_are_not_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    network = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(network.weight, 1e6)
    with pytest.raises(BenchError, match="weights weight of passt are not finite in 16 bit"):
        weights.save_network(network, "passt")
    assert not list(tmp_path.iterdir())
