"""An oracle renders the true scene except for the one property that it corrupts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from baselines.oracle import _change_class
from bench.errors import BenchError
from bench.media import read_audio
from bench.plugins import open_system
from bench.synthetic.scene import make_scene
from bench.types import Clip, FloatArray, Request
from tests.baselines.calls import generate_one

Ask = Callable[..., Request]


def render(spec: str, ask: Ask, **changes: object) -> FloatArray:
    system = open_system(spec)
    return generate_one(system.open("cpu"), ask(system, **changes)).mono().astype(np.float64)


def delay_s(earlier: FloatArray, later: FloatArray, rate_hz: int = 44_100) -> float:
    """The lag in seconds at which the cross-correlation of two waveforms peaks."""
    size = 2 * earlier.size
    product = np.fft.rfft(later, size) * np.conj(np.fft.rfft(earlier, size))
    lag = int(np.argmax(np.fft.irfft(product, size)))
    return (lag if lag < size // 2 else lag - size) / rate_hz


def test_the_oracle_renders_the_audio_of_the_window(ask: Ask, clip: Clip) -> None:
    truth = read_audio(clip.audio).mono()
    assert np.abs(render("oracle", ask) - truth).max() < 1e-5  # the file has 24 bit


@pytest.mark.parametrize("offset_s", [0.2, -0.3])
def test_the_shifted_oracle_is_late_by_the_shift(ask: Ask, offset_s: float) -> None:
    found_s = delay_s(render("oracle", ask), render(f"oracle-shift:{offset_s}", ask))
    assert found_s == pytest.approx(offset_s, abs=0.001)


def test_a_shift_or_distance_of_zero_changes_nothing(ask: Ask) -> None:
    truth = render("oracle", ask)
    assert np.array_equal(render("oracle-shift:0", ask), truth)
    assert np.array_equal(render("oracle-timbre:0", ask), truth)


@pytest.mark.parametrize("spec", ["oracle-timbre:0.5", "oracle-class:1"])
def test_another_timbre_keeps_the_times(ask: Ask, spec: str) -> None:
    truth, corrupted = render("oracle", ask), render(spec, ask)
    assert np.abs(corrupted - truth).max() > 0.05
    levels = [
        np.sqrt(np.mean(np.square(audio[:110_000].reshape(-1, 1000)), axis=1))
        for audio in (truth, corrupted)
    ]
    rises = [np.maximum(np.diff(level), 0.0) for level in levels]
    assert np.corrcoef(*rises)[0, 1] > 0.5


@pytest.mark.parametrize("truth", [{}, {"hits": [[0.5, "metal hit"]]}])
def test_a_clip_that_was_not_rendered_is_refused(
    ask: Ask, clip: Clip, truth: dict[str, object]
) -> None:
    with pytest.raises(BenchError, match="'test_000000' has no known scene.*mini world"):
        render("oracle", ask, clip=replace(clip, truth=truth))


def test_a_timbre_distance_out_of_range_is_refused(ask: Ask) -> None:
    with pytest.raises(BenchError, match="the timbre distance is 9, expected 0 to"):
        render("oracle-timbre:9", ask)


def test_a_share_of_the_clips_changes_class_and_the_same_ones_at_larger_shares() -> None:
    scenes = [make_scene("mini", index) for index in range(60)]
    changed = [
        {scene.name for scene in scenes if _change_class(share, scene, 0) != scene}
        for share in (0.0, 0.3, 0.7, 1.0)
    ]
    assert [len(names) for names in changed[::3]] == [0, 60]
    assert 0 < len(changed[1]) < len(changed[2]) < 60
    assert changed[1] < changed[2]


def test_an_amount_of_zero_does_not_change_the_audio(ask: Ask) -> None:
    truth = render("oracle", ask)
    for spec in ("oracle-gain:0", "oracle-cut:0", "oracle-class:0", "oracle-speed:0"):
        assert np.array_equal(render(spec, ask), truth), spec


def test_the_audio_is_corrupted_by_the_amount(ask: Ask) -> None:
    truth = render("oracle", ask)
    np.testing.assert_allclose(render("oracle-gain:-6", ask), truth * 10 ** (-6 / 20), atol=1e-6)
    cut = render("oracle-cut:1", ask)
    assert not cut[-44_100:].any()
    assert np.array_equal(cut[:-44_100], truth[:-44_100])
    noise = render("oracle-noise:-20", ask) - truth
    assert 20 * np.log10(noise.std() / truth.std()) == pytest.approx(-20, abs=2.0)
