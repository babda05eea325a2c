"""Impacts are found where something hits, and grains of the reference are placed there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import find_peaks

from baselines.grains import cut_grains, find_attacks
from baselines.impacts import find_impacts, impact_envelope
from baselines.motion_grains import MOTION_GRAINS
from bench.errors import BenchError
from bench.media import read_audio, read_frames, write_video
from bench.synthetic.scene import make_scene
from bench.synthetic.video import render_frames
from bench.types import Audio, Excerpt, FloatArray, Pixels, Request
from tests.baselines.calls import generate_one

RATE_HZ = 44_100
HITS_S = (0.5, 1.1, 1.9)
TIMES_S = np.arange(65) / 25

Ask = Callable[..., Request]
Disc = Callable[[FloatArray, Sequence[float]], Iterator[Pixels]]


@pytest.fixture(scope="module")
def frames(disc: Disc) -> Pixels:
    return np.stack(list(disc(TIMES_S, HITS_S)))


def ping(seconds: float = 0.3, pitch_hz: float = 700.0) -> FloatArray:
    """A tone that starts at once and decays by 60 dB in the given time."""
    times_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.5 * np.exp(-6.9 * times_s / seconds) * np.cos(2 * np.pi * pitch_hz * times_s)


def recording(attacks_s: Sequence[float], seconds: float = 1.0) -> Audio:
    samples = np.zeros(round(seconds * RATE_HZ))
    for start in np.round(np.array(attacks_s) * RATE_HZ).astype(int):
        room = samples[start : start + ping().size]
        room += ping()[: room.size]
    return Audio(samples[None].astype(np.float32), RATE_HZ)


def onsets_s(audio: Audio) -> FloatArray:
    """Times at which the envelope rises most, found without the code under test."""
    envelope = np.convolve(np.abs(audio.mono()), np.ones(441) / 441)[: audio.samples.shape[1]]
    rise = np.maximum(envelope[441:] - envelope[:-441], 0.0)
    peaks, _ = find_peaks(np.append(0.0, rise), height=0.2 * rise.max(), distance=4410)
    return np.asarray(peaks / RATE_HZ)


def share_found(expected_s: FloatArray, found_s: FloatArray, window_s: float = 0.1) -> float:
    """F measure of one-to-one matches within a window, taken in order."""
    left = list(found_s)
    hits = 0
    for time_s in expected_s:
        near = [each for each in left if abs(each - time_s) <= window_s]
        if near:
            left.remove(near[0])
            hits += 1
    return 2 * hits / (len(expected_s) + len(found_s))


def test_a_disc_hits_where_it_touches_the_ground(frames: Pixels) -> None:
    impacts = find_impacts(frames, TIMES_S)
    assert impacts.times_s == pytest.approx(HITS_S, abs=0.04)
    assert impacts.strengths.max() == 1.0
    assert impacts.strengths.min() > 0.0


def test_a_harder_impact_is_stronger(disc: Disc) -> None:
    slow_then_fast = np.stack(list(disc(TIMES_S, (0.8, 1.6, 1.9, 2.2))))
    impacts = find_impacts(slow_then_fast, TIMES_S)
    at = dict(zip(impacts.times_s.round(1).tolist(), impacts.strengths.tolist(), strict=True))
    assert at[1.9] == 1.0
    assert at[0.8] < 0.9


def test_camera_noise_and_flicker_of_the_light_are_no_motion(
    frames: Pixels, rng: np.random.Generator
) -> None:
    flicker = 12 * np.sin(2 * np.pi * 7.3 * TIMES_S)[:, None, None, None]
    noisy = frames + flicker + rng.normal(scale=2.0, size=(*frames.shape[:3], 1))
    impacts = find_impacts(noisy.clip(0, 255).astype(np.uint8), TIMES_S)
    assert impacts.times_s == pytest.approx(HITS_S, abs=0.04)


def test_a_video_of_camera_noise_has_one_impact(rng: np.random.Generator) -> None:
    still = (128 + rng.normal(scale=2.0, size=(50, 96, 96, 1))).repeat(3, axis=3)
    impacts = find_impacts(still.astype(np.uint8), TIMES_S[:50])
    assert impacts.times_s.shape == (1,)
    assert impacts.strengths == pytest.approx([1.0])


@pytest.mark.parametrize("n_frames", [1, 2, 3, 50])
def test_a_still_video_has_one_impact_at_its_start(frames: Pixels, n_frames: int) -> None:
    still = frames[:1].repeat(n_frames, axis=0)
    assert find_impacts(still, TIMES_S[:n_frames]).times_s.tolist() == [0.0]
    assert not impact_envelope(still).any()


def test_most_impacts_of_mini_clips_are_found() -> None:
    for index in range(7):  # actions with impacts; strokes last and have none
        scene = make_scene("impacts", index, seconds=6.0)
        times_s = np.arange(150) / 25
        impacts = find_impacts(np.stack(list(render_frames(scene)))[:, ::2, ::2], times_s)
        events_s = np.array([event.time_s for event in scene.events])
        assert share_found(events_s, impacts.times_s) > 0.75, scene.action


def test_real_hits_are_found_far_better_than_by_chance(shared: Path) -> None:
    folder = shared / "media" / "greatesthits"
    known = json.loads((folder / "gh_clip_hits.json").read_text(encoding="utf-8"))
    scores, chances = [], []
    for name, clip in known.items():
        path = folder / "condition" / Path(name).name
        if clip["role"] != "cond" or not path.exists():
            continue
        frames = read_frames(Excerpt(path), 15.0, short_side=96)
        impacts = find_impacts(frames.pixels[:-1], frames.times_s[:-1])
        hits_s = np.array([time_s for time_s, _ in clip["hits"] if time_s < frames.times_s[-1]])
        scores.append(share_found(hits_s, impacts.times_s))
        for shift_s in np.linspace(0.25, 1.5, 11):
            moved_s = (impacts.times_s + shift_s) % frames.times_s[-1]
            chances.append(share_found(hits_s, moved_s))
    assert len(scores) >= 4
    assert np.mean(scores) > 1.5 * np.mean(chances)


def test_grains_start_at_the_attacks_of_the_recording() -> None:
    found = find_attacks(recording([0.1, 0.35, 0.7]))
    assert found / RATE_HZ == pytest.approx([0.1, 0.35, 0.7], abs=0.002)


def test_a_grain_lasts_until_the_next_or_until_it_has_decayed() -> None:
    first, second = cut_grains(recording([0.1, 0.2], seconds=3.0))
    assert first.shape == (1, pytest.approx(4410, abs=10))
    assert second.shape[1] / RATE_HZ == pytest.approx(0.2, abs=0.03)  # 40 of the 60 dB in 0.3 s


def test_grains_start_and_end_in_silence() -> None:
    for grain in cut_grains(recording([0.0, 0.15, 0.9])):
        assert np.abs(grain[:, [0, -1]]).max() < 1e-4
        assert np.abs(grain).max() > 0.3


def test_a_recording_without_attacks_has_one_grain_of_half_a_second() -> None:
    times_s = np.arange(2 * RATE_HZ) / RATE_HZ
    swell = np.sin(2 * np.pi * 300 * times_s) * (0.2 + 0.2 * np.sin(np.pi * times_s / 2) ** 2)
    (grain,) = cut_grains(Audio(np.stack([swell, swell]).astype(np.float32), RATE_HZ))
    middle = swell[round(0.75 * RATE_HZ) : round(1.25 * RATE_HZ)]
    assert grain.shape == (2, middle.size)
    assert np.sqrt(np.mean(grain**2)) == pytest.approx(np.sqrt(np.mean(middle**2)), rel=0.05)


@pytest.mark.parametrize("n_samples", [1, 10, 220, 5000])
def test_a_recording_of_any_length_or_of_silence_has_a_grain(n_samples: int) -> None:
    for level in (0.0, 0.5):
        grains = cut_grains(Audio(np.full((1, n_samples), level, np.float32), RATE_HZ))
        assert len(grains) == 1
        assert np.isfinite(grains[0]).all()


def test_grains_are_at_the_impacts_of_the_disc(ask: Ask) -> None:
    request = ask(MOTION_GRAINS, reference=recording([0.4]))
    audio = generate_one(MOTION_GRAINS.open("cpu"), request)
    assert audio.seconds == 2.5
    assert onsets_s(audio) == pytest.approx(HITS_S, abs=0.06)
    assert not audio.samples[:, : round(0.4 * RATE_HZ)].any()


def test_times_count_from_the_start_of_the_excerpt(ask: Ask) -> None:
    video = ask(MOTION_GRAINS).video
    assert video is not None
    later = Excerpt(video.path, 0.8, 1.6)
    request = ask(MOTION_GRAINS, reference=recording([0.4]), video=later, seconds=1.6)
    audio = generate_one(MOTION_GRAINS.open("cpu"), request)
    assert onsets_s(audio) == pytest.approx([0.3, 1.1], abs=0.06)


def test_frames_repeated_by_a_converter_are_no_impacts(
    ask: Ask, frames: Pixels, tmp_path: Path
) -> None:
    converted = frames[np.arange(78) * 25 // 30]  # every fifth frame occurs twice
    write_video(tmp_path / "converted.mp4", converted, 30)
    video = Excerpt(tmp_path / "converted.mp4", 0.0, 2.5)
    request = ask(MOTION_GRAINS, reference=recording([0.4]), video=video)
    audio = generate_one(MOTION_GRAINS.open("cpu"), request)
    assert onsets_s(audio) == pytest.approx(HITS_S, abs=0.06)


def test_half_the_frames_of_a_fast_video_are_enough(ask: Ask, disc: Disc, tmp_path: Path) -> None:
    write_video(tmp_path / "fast.mp4", disc(np.arange(156) / 60, HITS_S), 60)
    video = Excerpt(tmp_path / "fast.mp4", 0.0, 2.5)
    request = ask(MOTION_GRAINS, reference=recording([0.4]), video=video)
    audio = generate_one(MOTION_GRAINS.open("cpu"), request)
    assert onsets_s(audio) == pytest.approx(HITS_S, abs=0.06)


def test_a_reference_without_samples_is_refused(ask: Ask) -> None:
    empty = Audio(np.zeros((1, 0), np.float32), RATE_HZ)
    with pytest.raises(BenchError, match="'test_000000' has no reference audio, which this"):
        generate_one(MOTION_GRAINS.open("cpu"), ask(MOTION_GRAINS, reference=empty))


def test_a_real_clip_has_audio_of_full_length(shared: Path, ask: Ask) -> None:
    path = shared / "media" / "vggsound" / "0DCit2EBtjs_000030.mp4"
    request = ask(
        MOTION_GRAINS,
        video=Excerpt(path, 0.0, 8.0),
        reference=read_audio(Excerpt(path, 8.0, 1.5)),
        seconds=8.0,
    )
    audio = generate_one(MOTION_GRAINS.open("cpu"), request)
    assert audio.seconds == 8.0
    assert 0.001 < np.abs(audio.samples).max() <= 1.0
