"""Grains cut from a recording: each starts with an attack and ends with its decay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import find_peaks

from bench.types import Audio, FloatArray, Waveform

HOP_S = 0.005
#: An attack is a rise by 9 dB over the loudest hop of the 30 ms before it.
RISE_DB = 9.0
BEFORE_S = 0.03
CLOSEST_S = 0.06
#: Rises of audio this far below the loudest hop are echo and handling noise, not attacks.
QUIETEST_DB = 20.0
#: A grain ends when its level has fallen by 40 dB, and after 1.5 s at the latest.
DECAY_DB = 40.0
LONGEST_S = 1.5
LOUDEST_PIECE_S = 0.5
#: The attack starts at the first sample that reaches this share of the peak of its hops.
ATTACK_SHARE = 0.2
FADE_IN_S = 0.001
FADE_OUT_S = 0.02


def cut_grains(reference: Audio) -> list[Waveform]:
    """Return the grains of ``reference`` in order, each float32 ``[C, n]``; at least one.

    A grain starts 1 ms before its attack and ends where the next one starts, where it has decayed
    by 40 dB or after 1.5 s. A recording without attacks has one grain, its loudest half second.
    """
    rate = reference.sample_rate_hz
    level_db = _level_db(reference, round(HOP_S * rate))
    starts = find_attacks(reference)
    if not starts.size:
        return [_fade_ends(_loudest_piece(reference), rate)]
    ends = [*starts[1:], reference.samples.shape[1]]
    return [
        _fade_ends(reference.samples[:, start : _decay_end(level_db, start, end, rate)], rate)
        for start, end in zip(starts, ends, strict=True)
    ]


def find_attacks(reference: Audio) -> npt.NDArray[np.intp]:
    """Return the samples at which the attacks of ``reference`` start, less 1 ms, ``[N]``."""
    # Per hop of 5 ms: rise = level - max(level over the 30 ms before). A tone below 200 Hz has less
    # than a period per hop, so its level ripples; the maximum, unlike the hop before, holds over a
    # period down to 33 Hz. Attacks are peaks of the rise that are at least 60 ms apart.
    rate = reference.sample_rate_hz
    hop, n_before = round(HOP_S * rate), round(BEFORE_S / HOP_S)
    level_db = _level_db(reference, hop)
    # The minimum before the start, so that a recording which starts with its attack has a rise.
    padded = np.concatenate([np.full(n_before, level_db.min()), level_db])
    before = np.lib.stride_tricks.sliding_window_view(padded, n_before)[:-1].max(axis=1)
    rise = np.where(level_db > level_db.max() - QUIETEST_DB, level_db - before, 0.0)
    edged = np.concatenate([[0.0], rise, [0.0]])  # so that a rise at either end is a peak too
    peaks, _ = find_peaks(edged, height=RISE_DB, distance=round(CLOSEST_S / HOP_S))
    # A peak at index p of ``edged`` is hop p - 1: search that hop and its two neighbours.
    found = [_locate(reference, (peak - 2) * hop, (peak + 1) * hop) for peak in peaks.tolist()]
    return np.maximum(np.array(found, dtype=np.intp) - round(FADE_IN_S * rate), 0)


def _level_db(reference: Audio, hop: int) -> FloatArray:
    """Return the level of every hop ``[N]`` in dB, mean over channels; at most 80 dB of range."""
    samples = reference.samples.astype(np.float64)
    padded = np.pad(samples, ((0, 0), (0, -samples.shape[1] % hop)))
    power = (padded**2).reshape(len(samples), -1, hop).mean(axis=(0, 2))
    floor = max(1e-8 * float(power.max()), np.finfo(np.float64).tiny)
    return np.asarray(10.0 * np.log10(power + floor))


def _locate(reference: Audio, start: int, end: int) -> int:
    """Return the first sample from ``start`` to ``end`` that reaches a fifth of their peak."""
    first = max(start, 0)
    height = np.abs(reference.samples[:, first:end]).max(axis=0)
    return first + int(np.argmax(height >= ATTACK_SHARE * height.max()))


def _decay_end(level_db: FloatArray, start: int, end: int, rate: int) -> int:
    """Return the sample where the grain from ``start`` has decayed, ``end`` at the latest."""
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


def _fade_ends(samples: Waveform, rate: int) -> Waveform:
    """Return a copy with raised-cosine fades, so that no cut clicks: 1 ms in, 20 ms out."""
    faded = samples.copy()
    for fade_s, edge in ((FADE_IN_S, faded), (FADE_OUT_S, faded[:, ::-1])):
        n_fade = min(round(fade_s * rate), faded.shape[1] // 2)
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(n_fade) / max(n_fade, 1))
        edge[:, :n_fade] *= ramp.astype(np.float32)
    return faded
