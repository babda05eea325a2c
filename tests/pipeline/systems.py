"""Systems for tests, asked for as ``tests.pipeline.systems:NAME``."""

from __future__ import annotations

import time

import numpy as np

from bench.errors import BenchError
from bench.system import Generate, System
from bench.types import Audio, Request

RATE_HZ = 16_000


def _tone(request: Request) -> Audio:
    """A decaying tone every half second whose pitch the seed decides."""
    rng = np.random.default_rng(request.seed)
    time_s = np.arange(round(request.seconds * RATE_HZ)) / RATE_HZ
    wave = np.exp(-6 * (time_s % 0.5)) * np.sin(2 * np.pi * rng.uniform(200, 2000) * time_s)
    return Audio((0.5 * wave)[np.newaxis].astype(np.float32), RATE_HZ)


def _slow(request: Request) -> Audio:
    time.sleep(0.5)
    return _tone(request)


def _second_fails(request: Request) -> Audio:
    if request.name.endswith("1"):
        raise BenchError("this one cannot be done")
    return _tone(request)


def _short(request: Request) -> Audio:
    return Audio(_tone(request).samples[:, : RATE_HZ // 2], RATE_HZ)


def _almost(request: Request) -> Audio:
    return Audio(_tone(request).samples[:, :-160], RATE_HZ)


def _long(request: Request) -> Audio:
    return Audio(np.tile(_tone(request).samples, (1, 2)), RATE_HZ)


def _loud(request: Request) -> Audio:
    return Audio(_tone(request).samples * 4, RATE_HZ)


def _not_a_number(request: Request) -> Audio:
    samples = _tone(request).samples.copy()
    samples[0, 100] = np.nan
    return Audio(samples, RATE_HZ)


def _open_tone(device: str) -> Generate:
    return _tone


def _open_slow(device: str) -> Generate:
    return _slow


def _open_loud(device: str) -> Generate:
    return _loud


def _open_almost(device: str) -> Generate:
    return _almost


def _open_second_fails(device: str) -> Generate:
    return _second_fails


def _open_broken(device: str) -> Generate:
    raise BenchError("the weights are missing: fetch them")


def _system(name: str, opened: object) -> System:
    return System(name, name, frozenset({"video"}), opened)  # type: ignore[arg-type]


TONE = _system("tone", _open_tone)
SLOW = _system("slow", _open_slow)
SECOND_FAILS = _system("second-fails", _open_second_fails)
LOUD = _system("loud", _open_loud)
ALMOST = _system("almost", _open_almost)
BROKEN = _system("broken", _open_broken)
NOT_A_SYSTEM = 3
