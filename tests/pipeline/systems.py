"""Systems for tests, asked for as ``tests.pipeline.systems:NAME``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from bench.errors import BenchError
from bench.system import Generate, System, one_by_one
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


def _never_ends(request: Request) -> Audio:
    if request.name.endswith("1"):
        time.sleep(600)
    return _tone(request)


def _dies(request: Request) -> Audio:
    if request.name.endswith("1"):
        os._exit(7)
    return _tone(request)


def _open(function: Callable[[Request], Audio], device: str) -> Generate:
    return one_by_one(function)


def _open_broken(device: str) -> Generate:
    raise BenchError("the weights are missing: fetch them")


def _open_batched(log: str, device: str) -> Generate:
    """Logs the clips of each batch; a batch with a clip "…1" is refused as a whole."""

    def generate(requests: Sequence[Request]) -> list[Audio]:
        names = [request.name for request in requests]
        if log:
            with Path(log).open("a") as file:
                file.write(f"{device} {torch.get_num_threads()} {' '.join(names)}\n")
        if len({request.seconds for request in requests}) > 1:
            raise AssertionError("clips of several lengths in one batch")
        if any(name.endswith("1") for name in names):
            raise BenchError("clip 1 cannot be done")
        return [_tone(request) for request in requests]

    return generate


def batched(log: str) -> System:
    """A system of batches of two that logs what it is given."""
    return System(
        "batched", "batched", frozenset({"video"}), partial(_open_batched, log), batch_size=2
    )


class _Prepared:
    """Answers what it was given in advance."""

    def __init__(self, device: str) -> None:
        self.names: set[str] = set()

    def prepare(self, requests: Sequence[Request]) -> None:
        self.names |= {each.name for each in requests}

    def __call__(self, requests: Sequence[Request]) -> list[Audio]:
        if missing := {each.name for each in requests} - self.names:
            raise BenchError(f"{sorted(missing)} were not prepared")
        return [_tone(each) for each in requests]


LOOKS_AHEAD = System(
    "looks-ahead", "looks ahead", frozenset(), _Prepared, batch_size=2, looks_ahead=True
)


def large(log: str) -> System:
    """The same as a model of which each device has one copy."""
    return replace(batched(log), workers_per_device=1)


def _system(name: str, opened: Callable[[str], Generate]) -> System:
    # This file alone, since other checkouts on the path may have a folder "tests" too.
    code = ("tests.pipeline.systems",)
    return System(name, name, frozenset({"video"}), opened, code=code)


TONE = _system("tone", partial(_open, _tone))
SLOW = _system("slow", partial(_open, _slow))
SECOND_FAILS = _system("second-fails", partial(_open, _second_fails))
LOUD = _system("loud", partial(_open, _loud))
ALMOST = _system("almost", partial(_open, _almost))
NEVER_ENDS = _system("never-ends", partial(_open, _never_ends))
DIES = _system("dies", partial(_open, _dies))
BROKEN = _system("broken", _open_broken)
NOT_A_SYSTEM = 3
