"""Single sounds cut from a recording: each begins with an attack and ends with its decay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import find_peaks

from bench.types import Audio, FloatArray, Waveform

HOP_S = 0.005
#: An attack is a rise by so much over the loudest of the time before it.
RISE_DB = 9.0
BEFORE_S = 0.03
CLOSEST_S = 0.06
#: What stays this far below the loudest is echo and handling, not a sound of its own.
QUIETEST_DB = 20.0
#: A grain ends when it has fallen by so much, and at the latest after so long.
DECAY_DB = 40.0
LONGEST_S = 1.5
LOUDEST_PIECE_S = 0.5
#: The attack itself begins where the wave first reaches this share of its height.
ATTACK_SHARE = 0.2
FADE_IN_S = 0.001
FADE_OUT_S = 0.02


def cut_grains(reference: Audio) -> list[Waveform]:
    """Return the single sounds of ``reference`` in order, each float32 ``[C, n]``; at least one.

    A grain begins 1 ms before its attack and ends where the next one begins, where it has decayed
    by 40 dB or after 1.5 s. A recording without attacks gives its loudest half second.
    """
    rate = reference.sample_rate_hz
    level_db = _level_db(reference, round(HOP_S * rate))
    starts = attacks(reference)
    if not starts.size:
        return [_faded(_loudest_piece(reference), rate)]
    ends = [*starts[1:], reference.samples.shape[1]]
    return [
        _faded(reference.samples[:, start : _decay_end(level_db, start, end, rate)], rate)
        for start, end in zip(starts, ends, strict=True)
    ]


def attacks(reference: Audio) -> npt.NDArray[np.intp]:
    """Return the samples at which the attacks of ``reference`` begin, less 1 ms, ``[N]``."""
    rate = reference.sample_rate_hz
    hop, n_before = round(HOP_S * rate), round(BEFORE_S / HOP_S)
    level_db = _level_db(reference, hop)
    padded = np.concatenate([np.full(n_before, level_db.min()), level_db])
    before = np.lib.stride_tricks.sliding_window_view(padded, n_before)[:-1].max(axis=1)
    rise = np.where(level_db > level_db.max() - QUIETEST_DB, level_db - before, 0.0)
    edged = np.concatenate([[0.0], rise, [0.0]])  # so that a rise at either end is a peak too
    peaks, _ = find_peaks(edged, height=RISE_DB, distance=round(CLOSEST_S / HOP_S))
    found = [_attack(reference, (peak - 2) * hop, (peak + 1) * hop) for peak in peaks.tolist()]
    return np.maximum(np.array(found, dtype=np.intp) - round(FADE_IN_S * rate), 0)


def _level_db(reference: Audio, hop: int) -> FloatArray:
    """Level of every hop ``[N]`` in dB, 80 dB below the loudest at least."""
    samples = reference.samples.astype(np.float64)
    padded = np.pad(samples, ((0, 0), (0, -samples.shape[1] % hop)))
    power = (padded**2).reshape(len(samples), -1, hop).mean(axis=(0, 2))
    floor = max(1e-8 * float(power.max()), np.finfo(np.float64).tiny)
    return np.asarray(10.0 * np.log10(power + floor))


def _attack(reference: Audio, start: int, end: int) -> int:
    """The first sample from ``start`` to ``end`` that stands out as the attack does."""
    first = max(start, 0)
    height = np.abs(reference.samples[:, first:end]).max(axis=0)
    return first + int(np.argmax(height >= ATTACK_SHARE * height.max()))


def _decay_end(level_db: FloatArray, start: int, end: int, rate: int) -> int:
    """Where the sound that begins at sample ``start`` is over, ``end`` at the latest."""
    hop = round(HOP_S * rate)
    levels = level_db[start // hop : -(-end // hop)]
    loudest = int(levels.argmax())
    silent = levels[loudest:] < levels[loudest] - DECAY_DB
    decayed = start + (loudest + int(silent.argmax()) + 1) * hop if silent.any() else end
    return min(end, decayed, start + round(LONGEST_S * rate))


def _loudest_piece(reference: Audio) -> Waveform:
    size = round(LOUDEST_PIECE_S * reference.sample_rate_hz)
    power = np.square(reference.samples, dtype=np.float64).sum(axis=0)
    total = np.concatenate([[0.0], np.cumsum(power)])
    start = int(np.argmax(total[size:] - total[:-size])) if total.size > size else 0
    return reference.samples[:, start : start + size]


def _faded(samples: Waveform, rate: int) -> Waveform:
    """A copy with edges that begin and end in silence."""
    faded = samples.copy()
    for fade_s, edge in ((FADE_IN_S, faded), (FADE_OUT_S, faded[:, ::-1])):
        n_fade = min(round(fade_s * rate), faded.shape[1] // 2)
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(n_fade) / max(n_fade, 1))
        edge[:, :n_fade] *= ramp.astype(np.float32)
    return faded
