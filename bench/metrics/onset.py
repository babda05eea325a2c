"""Onsets: the times at which sound events start in a waveform, and their strength.

Conventions: a waveform is ``[T]`` at 22,050 Hz; positions are samples. Detected ones are multiples
of the hop, 512 samples (23.2 ms), never before sample 1,536; annotated ones are fractional. The
expensive part, ``onset_features``, gives named arrays that can be stored on disk; scores are
computed from them alone (``bench.metrics.onset_scoring``).

Detection is librosa's spectral flux (the rise of the log-mel spectrum from frame to frame) with its
default settings and ``delta`` 0.3, as the evaluators of CondFoleyGen and MMAudio use it. Strength
is normalised by the clip's own maximum, so level does not matter, and one huge onset (a signal
after digital silence) can hide all others.

Both evaluators describe an onset by the normalised waveform around it, in different ways:

    ``rectified``   CondFoleyGen: absolute value, (x - min) / (max - min)
    ``signed``      MMAudio: as it is, (x - min) / (max - min + 1e-6)

A constant waveform has no spread to normalise by; CondFoleyGen divides by zero there, here the
description is 0. Both raise an error for an onset before sample 1,102, where their slice turns
negative; the detector never reports one, and here the slice starts at 0.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench._numba import load_librosa
from bench.metrics.arrays import Array, FloatArray, IntArray, check_waveform

ONSET_RATE_HZ = 22_050
HOP_SAMPLES = 512
FFT_SAMPLES = 2_048
DETECTION_DELTA = 0.3
#: An onset's confidence is the largest value within this many samples: 0.05 s, truncated.
CONFIDENCE_HALF_SAMPLES = 1_102
SUPPRESSION_SAMPLES = 0.05 * ONSET_RATE_HZ
SIGNED_SPREAD_FLOOR = 1e-6

OnsetFeatures = Mapping[str, Array]


class Onsets(NamedTuple):
    """Onsets in time order: positions in samples, confidence and height in [0, 1], ``[n]`` each.

    Confidence is the largest normalised value within 0.05 s, height the one at the very sample.
    """

    positions: IntArray
    confidence: FloatArray
    height: FloatArray


def detect_onsets(waveform: npt.ArrayLike, delta: float = DETECTION_DELTA) -> IntArray:
    """Return the positions ``[n]`` of the onsets of a waveform at 22,050 Hz; silence has none.

    ``delta`` is the height above the local mean, of a strength that spans [0, 1] per clip.
    ValueError if the waveform is shorter than one analysis frame (2,048 samples) or not finite.
    """
    samples = check_waveform(waveform, FFT_SAMPLES)
    # In the dtype of the samples: the flux of float32 differs from that of float64 in its last
    # digits, which may decide whether a peak exceeds ``delta``.
    onset = load_librosa().onset
    strength = onset.onset_strength(
        y=samples, sr=ONSET_RATE_HZ, hop_length=HOP_SAMPLES, feature=_mel_spectrogram
    )
    found = onset.onset_detect(
        onset_envelope=strength,
        sr=ONSET_RATE_HZ,
        hop_length=HOP_SAMPLES,
        units="samples",
        delta=delta,
    )
    return np.asarray(found, dtype=np.int64)


def _mel_spectrogram(y: Array, sr: int, n_fft: int, hop_length: int) -> Array:
    """Return librosa's mel spectrogram, bit for bit, under its names of arguments.

    librosa computes the filters anew in every call, an eighth of the time of detection.
    """
    spectrum = load_librosa().stft(y, n_fft=n_fft, hop_length=hop_length)
    power = np.abs(spectrum) ** 2.0
    # The product that librosa takes: another one may sum in another order.
    mel: Array = np.einsum("...ft,mf->...mt", power, _mel_filters(sr, n_fft), optimize=True)
    return mel


@functools.cache
def _mel_filters(sample_rate_hz: int, n_fft: int) -> Array:
    filters: Array = load_librosa().filters.mel(sr=sample_rate_hz, n_fft=n_fft)
    return filters


def describe_onsets(waveform: npt.ArrayLike, positions: npt.ArrayLike, *, rectify: bool) -> Onsets:
    """Return the onsets at ``positions [n]`` with the waveform's confidence and height there.

    ``rectify`` chooses CondFoleyGen's form (absolute value) over MMAudio's (signed). ValueError if
    a position is not a whole number inside the waveform.
    """
    samples = check_waveform(waveform)
    checked = _check_positions(positions, len(samples))
    level = np.abs(samples) if rectify else samples
    lowest, highest = np.float64(level.min()), np.float64(level.max())
    # MMAudio divides by a spread that is never 0; CondFoleyGen does not, and fails on silence.
    spread = highest - lowest + (0.0 if rectify else SIGNED_SPREAD_FLOOR)
    peaks = [
        level[max(each - CONFIDENCE_HALF_SAMPLES, 0) : each + CONFIDENCE_HALF_SAMPLES].max()
        for each in checked
    ]
    # Rounding keeps order, so the largest normalised sample is the largest sample, normalised:
    # only those samples need float64, not the full waveform.
    confidence, height = (
        (np.asarray(each, dtype=np.float64) - lowest) / spread
        if spread > 0
        else np.zeros(len(checked))
        for each in (peaks, level[checked])
    )
    return Onsets(checked, confidence, height)


def onset_features(
    waveform: npt.ArrayLike, delta: float = DETECTION_DELTA
) -> dict[str, npt.NDArray[np.int64] | npt.NDArray[np.float64]]:
    """Return all arrays that scoring reads of one waveform: five, ``[n]`` each, by name.

    ``positions`` (int64) and, float64 in [0, 1], ``rectified_confidence``, ``rectified_height``,
    ``signed_confidence``, ``signed_height``. ValueError as in ``detect_onsets``.
    """
    positions = detect_onsets(waveform, delta)
    rectified = describe_onsets(waveform, positions, rectify=True)
    signed = describe_onsets(waveform, positions, rectify=False)
    return {
        "positions": positions,
        "rectified_confidence": rectified.confidence,
        "rectified_height": rectified.height,
        "signed_confidence": signed.confidence,
        "signed_height": signed.height,
    }


def annotated_onsets(times_s: npt.ArrayLike, seconds: float) -> dict[str, FloatArray]:
    """Return annotated times ``[n]`` as the true side of ``onset_scores``: ``positions``, float64.

    Times from ``seconds`` on are outside the clip and are left out, as MMAudio's evaluator does.
    ValueError if the times are not finite, negative, or not in order.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or not np.isfinite(times).all():
        raise ValueError(f"times must be finite seconds [n], got {times.tolist()}")
    if (times < 0).any() or (np.diff(times) < 0).any():
        raise ValueError(f"times must be in order and not negative, got {times.tolist()}")
    return {"positions": times[times < seconds] * ONSET_RATE_HZ}


def suppress_close_onsets(
    positions: npt.ArrayLike, confidence: npt.ArrayLike, *, skips_after_removal: bool
) -> IntArray:
    """Return the indices, in time order, of the onsets that no stronger neighbour suppresses.

    Strongest first (of equals the later), every onset removes those closer than 0.05 s.
    ``skips_after_removal`` repeats a mistake of the reference: it deletes from the list that it
    iterates over, so that the onset after a deleted one is skipped and may remain.
    """
    times = np.asarray(positions, dtype=np.float64)
    remaining = list(range(len(times)))
    kept: list[int] = []
    # A stable ascending sort, read backwards, puts the later of equals first.
    for strongest in np.argsort(confidence, kind="stable")[::-1].tolist():
        if strongest not in remaining:
            continue
        kept.append(strongest)
        remaining.remove(strongest)
        is_close = np.abs(times - times[strongest]) < SUPPRESSION_SAMPLES
        remaining = _remove_close(remaining, is_close, skips_after_removal)
    return np.array(sorted(kept), dtype=np.int64)


def _remove_close(
    remaining: list[int], is_close: npt.NDArray[np.bool_], skips_after_removal: bool
) -> list[int]:
    # ``for x in values: values.remove(x)`` moves the rest one index down while the iterator moves
    # one up, so it never visits the element after a removed one. The flag does the same.
    survivors: list[int] = []
    is_skipped = False
    for onset in remaining:
        is_removed = bool(is_close[onset]) and not is_skipped
        if not is_removed:
            survivors.append(onset)
        is_skipped = is_removed and skips_after_removal
    return survivors


def _check_positions(positions: npt.ArrayLike, n_samples: int) -> IntArray:
    found = np.asarray(positions)
    if found.size == 0:  # np.asarray([]) is float64, which the next check would refuse
        return np.zeros(0, dtype=np.int64)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"positions must be whole samples [n], got {found.dtype} {found.shape}")
    if found.min() < 0 or found.max() >= n_samples:
        raise ValueError(
            f"positions must be in [0, {n_samples}), got {found.min()} to {found.max()}"
        )
    return found.astype(np.int64)
