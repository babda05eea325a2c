from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.metrics.onset import (
    _mel_spectrogram,
    annotated_onsets,
    describe_onsets,
    detect_onsets,
    onset_features,
    suppress_close_onsets,
)

SYNTHETIC = ["c_dense", "c_few", "c_gt", "c_pred", "c_silence", "c_start"]
REAL = ["v1_gt", "v1_predA", "v2_gt", "v2_predA"]


def clicks(*times_s: float, seconds: float = 4.0) -> np.ndarray:
    """Decaying bursts of noise at the times given, over a faint hiss."""
    noise = np.random.default_rng(1).normal(size=int(seconds * 22_050))
    level = np.full(len(noise), 1e-4)
    for time_s in times_s:
        start = round(time_s * 22_050)
        level[start:] += 0.3 * np.exp(-np.arange(len(noise) - start) / 1_000)
    return noise * level


def test_detected_positions_are_exactly_the_golden_ones(waveforms, onset_golden):
    for name in SYNTHETIC:
        assert np.array_equal(detect_onsets(waveforms[name]), onset_golden[f"{name}.onsets_raw"])


def test_detected_positions_of_real_audio_are_exactly_the_golden_ones(real_waveforms, onset_golden):
    for name in REAL:
        assert np.array_equal(
            detect_onsets(real_waveforms[name]), onset_golden[f"{name}.onsets_raw"]
        )


def test_bursts_are_found_within_two_hops():
    times_s = [0.5, 1.2, 2.0, 3.1]
    found = detect_onsets(clicks(*times_s))
    assert found / 22_050 == pytest.approx(times_s, abs=2 * 512 / 22_050)
    assert found.dtype == np.int64
    assert not np.any(found % 512)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_spectrogram_with_stored_filters_is_bit_for_bit_that_of_librosa(dtype, waveforms):
    import librosa

    for audio in (waveforms["c_gt"].astype(dtype), clicks(0.5, 2.0).astype(dtype)):
        expected = librosa.feature.melspectrogram(y=audio, sr=22_050, n_fft=2_048, hop_length=512)
        found = _mel_spectrogram(audio, 22_050, 2_048, 512)
        assert (found.dtype, found.tobytes()) == (expected.dtype, expected.tobytes())


@pytest.mark.parametrize("delta", [0.07, 0.3])
def test_positions_are_those_that_librosa_detects_by_itself(delta, waveforms):
    import librosa

    for audio in waveforms.values():
        expected = librosa.onset.onset_detect(y=audio, sr=22_050, units="samples", delta=delta)
        assert np.array_equal(detect_onsets(audio, delta), expected)


def test_silence_has_no_onset():
    assert detect_onsets(np.zeros(8 * 22_050)).shape == (0,)


def test_level_does_not_move_onsets():
    audio = clicks(0.5, 1.2, 2.0)
    assert np.array_equal(detect_onsets(audio), detect_onsets(0.25 * audio))


def test_features_hold_both_descriptions_in_full_precision():
    audio = clicks(0.5, 2.0)
    features = onset_features(audio)
    assert sorted(features) == [
        "positions", "rectified_confidence", "rectified_height", "signed_confidence",
        "signed_height",
    ]  # fmt: skip
    rectified = describe_onsets(audio, features["positions"], rectify=True)
    assert np.array_equal(features["rectified_confidence"], rectified.confidence)
    assert np.array_equal(features["rectified_height"], rectified.height)
    assert {array.dtype for array in features.values()} == {np.dtype("i8"), np.dtype("f8")}


def test_rectified_confidence_is_the_loudest_sample_within_fifty_milliseconds():
    audio = np.zeros(10_000)
    audio[[4_000, 5_101, 5_102]] = 0.5, -0.8, 1.0
    onsets = describe_onsets(audio, [4_000], rectify=True)
    assert onsets.confidence.tolist() == [0.8]
    assert onsets.height.tolist() == [0.5]
    assert describe_onsets(audio, [4_001], rectify=True).confidence.tolist() == [1.0]


def test_signed_description_measures_from_the_lowest_sample():
    audio = np.zeros(10_000)
    audio[[5_000, 9_000]] = 1.0, -1.0
    onsets = describe_onsets(audio, [5_000, 9_000], rectify=False)
    assert onsets.height == pytest.approx([2 / (2 + 1e-6), 0.0], rel=1e-12)
    assert onsets.confidence == pytest.approx([2 / (2 + 1e-6), 1 / (2 + 1e-6)], rel=1e-12)


@pytest.mark.parametrize("rectify", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_descriptions_are_read_from_the_waveform_normalised_as_a_whole(dtype, rectify, waveforms):
    audio = waveforms["c_pred"].astype(dtype)
    positions = detect_onsets(audio)
    level = np.abs(audio.astype(np.float64)) if rectify else audio.astype(np.float64)
    normalised = (level - level.min()) / (np.ptp(level) + (0.0 if rectify else 1e-6))
    onsets = describe_onsets(audio, positions, rectify=rectify)
    peaks = [normalised[at - 1_102 : at + 1_102].max() for at in positions]
    assert onsets.confidence.tolist() == peaks
    assert onsets.height.tolist() == normalised[positions].tolist()


def test_the_confidences_are_the_golden_ones(waveforms, onset_golden):
    # Without any match, the scores that enter average precision are all confidences in order.
    described = describe_onsets(
        waveforms["c_pred"], onset_golden["c_pred.onsets_nms"], rectify=False
    ).confidence
    expected = onset_golden["c_pred|c_silence.y_pred"]
    assert described == pytest.approx(expected, abs=1e-4)


def test_an_onset_near_the_start_uses_the_samples_available():
    # The reference's slice turns negative there and it raises; its detector never gets there.
    audio = np.zeros(10_000)
    audio[10] = 1.0
    assert describe_onsets(audio, [0, 512], rectify=True).confidence.tolist() == [1.0, 1.0]


def test_a_constant_waveform_has_no_confidence():
    for rectify in (True, False):
        onsets = describe_onsets(np.full(5_000, 0.3), [2_000], rectify=rectify)
        assert onsets.confidence.tolist() == [0.0]


def golden_envelope() -> np.ndarray:
    """The envelope that the suppression goldens were made on, drawn by name (golden/METRICS.md)."""
    stream = np.random.RandomState(zlib.crc32(b"golden.shared.nms.envelope"))  # noqa: NPY002 frozen stream
    level = np.abs(stream.standard_normal(176_400).astype(np.float32))
    return (level - level.min()) / (level.max() - level.min() + 1e-6)


@pytest.mark.parametrize("case", ["nms0", "nms1", "nms5"])
def test_suppression_repeats_the_slips_of_the_reference(case, onset_golden):
    positions, envelope = onset_golden[f"{case}.in"], golden_envelope()
    confidence = np.array([envelope[at - 1_102 : at + 1_102].max() for at in positions])
    kept = suppress_close_onsets(positions, confidence, skips_after_removal=True)
    assert np.array_equal(positions[kept], onset_golden[f"{case}.out"])


def test_the_onset_after_a_removed_one_survives_in_the_reference_only():
    positions, confidence = [5_120, 6_144, 7_168], [0.5, 0.9, 0.6]
    slipped = suppress_close_onsets(positions, confidence, skips_after_removal=True)
    assert slipped.tolist() == [1, 2]
    repaired = suppress_close_onsets(positions, confidence, skips_after_removal=False)
    assert repaired.tolist() == [1]


def test_onsets_exactly_out_of_reach_stay():
    for gap, n_kept in ((1_102, 1), (1_103, 2)):
        kept = suppress_close_onsets([0, gap], [0.5, 0.6], skips_after_removal=False)
        assert len(kept) == n_kept


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9_000), st.floats(0, 1)), max_size=25))
def test_repaired_suppression_leaves_no_close_pair_and_no_unexplained_gap(onsets):
    positions = np.array(sorted(place for place, _ in onsets), dtype=np.int64)
    confidence = np.array([trust for _, trust in onsets])
    kept = suppress_close_onsets(positions, confidence, skips_after_removal=False)
    assert np.all(np.diff(positions[kept]) >= 1_102.5)
    for lost in set(range(len(positions))) - set(kept.tolist()):
        is_near = np.abs(positions[kept] - positions[lost]) < 1_102.5
        assert confidence[kept][is_near].max() >= confidence[lost]


def test_annotated_times_become_positions_inside_the_clip():
    assert annotated_onsets([0.5, 1.0, 2.0], seconds=2.0)["positions"].tolist() == [11_025, 22_050]
    assert annotated_onsets([], seconds=2.0)["positions"].shape == (0,)


def test_annotated_times_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"in order and not negative, got \[1.0, 0.5\]"):
        annotated_onsets([1.0, 0.5], seconds=2.0)


def test_annotated_times_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="finite seconds"):
        annotated_onsets([float("nan")], seconds=2.0)


def test_a_waveform_shorter_than_a_frame_is_refused():
    with pytest.raises(ValueError, match="has 2047 values, at least 2048 are needed"):
        detect_onsets(np.zeros(2_047))


def test_integer_samples_are_refused():
    with pytest.raises(ValueError, match=r"must be floating point \[T\], got int16 \[4096\]"):
        detect_onsets(np.zeros(4_096, dtype=np.int16))


def test_two_channels_are_refused():
    with pytest.raises(ValueError, match=r"got float64 \[2, 4096\]"):
        detect_onsets(np.zeros((2, 4_096)))


def test_samples_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="the waveform has 4096 values that are NaN"):
        detect_onsets(np.full(4_096, np.nan))


def test_positions_outside_the_waveform_are_refused():
    with pytest.raises(ValueError, match=r"must be in \[0, 4096\), got 1 to 4096"):
        describe_onsets(np.zeros(4_096), [1, 4_096], rectify=True)


def test_fractional_positions_are_refused():
    with pytest.raises(ValueError, match="must be whole samples"):
        describe_onsets(np.zeros(4_096), [1.5], rectify=True)
