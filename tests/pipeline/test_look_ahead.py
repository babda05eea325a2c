"""On a GPU the inputs of the next batch are read and prepared while one is generated."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from bench.engine import Failure, InlineEngine, LocalEngine, WorkerSettings
from bench.errors import BenchError
from bench.pipeline.generate import GenerateJob, _open_generator
from bench.system import System
from bench.types import Audio, Clip, Request
from tests.pipeline.systems import LOOKS_AHEAD

RATE_HZ = 8_000


class Recording:
    """A system's function that logs what it is asked, and may wait for the thread that prepares."""

    def __init__(self, *, waits: bool = False, refuses: str = "") -> None:
        self.events: list[tuple[str, tuple[str, ...]]] = []
        self.prepared: set[tuple[str, ...]] = set()
        self.waits, self.refuses = waits, refuses
        self.changed = threading.Condition()
        self.threads: set[int] = set()

    def __call__(self, requests: Sequence[Request]) -> list[Audio]:
        names = tuple(each.name for each in requests)
        assert names in self.prepared or len(names) == 1
        if self.waits and names == ("0", "1"):
            with self.changed:  # the next batch is prepared before this one is done
                assert self.changed.wait_for(lambda: ("2", "3") in self.prepared, 10)
        self.events.append(("generate", names))
        if self.refuses in names:
            raise BenchError(f"{self.refuses} cannot be done")
        return [Audio(np.full((1, RATE_HZ), 0.1, np.float32), RATE_HZ) for _ in names]

    def prepare(self, requests: Sequence[Request]) -> None:
        names = tuple(each.name for each in requests)
        self.threads.add(threading.get_ident())
        with self.changed:
            self.prepared.add(names)
            self.changed.notify_all()
        if self.refuses in names:
            raise BenchError("not used: generating raises it")


def job(folder: Path, name: str, seconds: float = 1.0) -> GenerateJob:
    return GenerateJob(Clip(name, audio=None, seconds=seconds), None, 1, folder / f"{name}.flac")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., dict[str, Failure | None]]:
    def generate(function: object, device: str, *, looks: bool = True) -> dict[str, Failure | None]:
        system = System(
            "s", "s", frozenset(), lambda device: function, batch_size=2, looks_ahead=looks
        )
        jobs = [job(tmp_path, str(number)) for number in range(5)]
        settings = WorkerSettings(batch_size=2, ahead=4, devices=(device,))
        outcomes = InlineEngine().stream(partial(_open_generator, system, 2), jobs, settings)
        return {each.item.clip.name: each.failure for each in outcomes}

    return generate


def test_the_next_batch_is_prepared_while_one_is_generated(run):
    function = Recording(waits=True)
    assert run(function, "cuda") == dict.fromkeys("01234")
    assert [names for _, names in function.events] == [("0", "1"), ("2", "3"), ("4",)]
    assert function.prepared == {("0", "1"), ("2", "3"), ("4",)}
    assert threading.get_ident() not in function.threads


def test_what_preparing_raises_is_the_failure_of_the_guilty_clip_alone(run):
    function = Recording(refuses="2")
    failures = run(function, "cuda")
    assert [name for name, failure in failures.items() if failure] == ["2"]
    assert failures["2"].message == "2 cannot be done"


def test_on_a_cpu_and_where_a_system_declares_none_nothing_is_prepared(run):
    function = Recording()
    function.prepared = {("0", "1"), ("2", "3")}
    assert run(function, "cpu") == dict.fromkeys("01234")
    assert not function.threads
    plain = Recording()
    plain.prepared = {("0", "1"), ("2", "3")}
    assert run(plain, "cuda", looks=False) == dict.fromkeys("01234")
    assert not plain.threads


def test_workers_look_ahead_over_clips_of_several_lengths(tmp_path):
    lengths = [1.0] * 5 + [1.5] * 1 + [2.0] * 4
    jobs = [job(tmp_path, str(number), seconds) for number, seconds in enumerate(lengths)]
    settings = WorkerSettings(batch_size=2, ahead=4, devices=("cuda",), timeout_s=120)
    with LocalEngine(2) as engine:
        outcomes = list(engine.stream(partial(_open_generator, LOOKS_AHEAD, 2), jobs, settings))
    assert sorted(each.item.clip.name for each in outcomes) == [str(n) for n in range(10)]
    assert all(each.failure is None for each in outcomes)
    assert all((tmp_path / f"{number}.flac").exists() for number in range(10))
