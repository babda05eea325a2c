"""Samples in batches and on several devices, and the failure of a clip that never ends."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.engine import Failure, LocalEngine, core_count
from bench.errors import BenchError
from bench.pipeline import workers
from bench.pipeline.estimate import generate_timeout_s
from bench.pipeline.generate import call_system, generate_samples
from bench.pipeline.run import run
from bench.pipeline.workers import default_timeout_s, place_system
from bench.suite import Side
from bench.system import SecondsPerClip, System, one_by_one
from bench.types import Audio, Request
from tests.pipeline import systems
from tests.pipeline.finished import read_failures

SYSTEMS = "tests.pipeline.systems"


def quiet(stage: str, done: int, total: int) -> None:
    """A progress callback that shows nothing."""


def logged(log: Path) -> list[list[str]]:
    return [line.split() for line in log.read_text().splitlines()]


def requests(*names: str) -> list[Request]:
    return [Request(name, 1.0, number) for number, name in enumerate(names)]


def large(**changes: object) -> System:
    return replace(systems.large(""), **changes)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_samples_of_batches_equal_those_of_single_requests(make_plan, tmp_path):
    log = tmp_path / "log"
    single = make_plan(f"{SYSTEMS}:TONE", root=tmp_path / "single")
    together = replace(single, system=systems.batched(str(log)), root=tmp_path / "together")
    for plan in (single, together):
        run(plan, quiet)
    assert [line[2:] for line in logged(log)] == [
        ["clip_000000", "clip_000001"],
        ["clip_000000"],  # the batch fails for clip 1: each is tried alone
        ["clip_000001"],
        ["clip_000002"],
    ]
    failures = read_failures(together.directory)
    assert [(each.clip, each.error) for each in failures] == [
        ("clip_000001", "clip 1 cannot be done")
    ]
    for name in ("clip_000000", "clip_000002"):
        one, other = (plan.directory / "samples" / f"{name}.flac" for plan in (single, together))
        assert one.read_bytes() == other.read_bytes()


def test_clips_of_different_lengths_never_share_a_batch(make_plan, tmp_path):
    log = tmp_path / "log"
    plan = replace(make_plan(f"{SYSTEMS}:TONE"), system=systems.batched(str(log)))
    lengths = {"clip_000000": 1.0, "clip_000001": 2.0, "clip_000002": 1.0}
    clips = [replace(clip, seconds=lengths[clip.name]) for clip in plan.clips]
    clips = [replace(clip, name=clip.name.replace("1", "3")) for clip in clips]
    outcomes = list(generate_samples(plan, clips))
    assert [each.failure for each in outcomes] == [None] * 3
    assert [line[2:] for line in logged(log)] == [["clip_000000", "clip_000002"], ["clip_000003"]]


def test_an_exception_in_the_results_fails_its_request_alone():
    def pitch_or_error(request: Request) -> Audio:
        if request.name == "b":
            raise BenchError("b is refused")
        return systems._tone(request)

    found = call_system(one_by_one(pitch_or_error), requests("a", "b", "c"))
    assert found[1] == Failure("b is refused")
    assert isinstance(found[0], Audio)
    assert isinstance(found[2], Audio)


@pytest.mark.parametrize(
    ("results", "message"),
    [([], "no results for 1 requests"), (None, "a NoneType"), ([3], r"1 results \(int\)")],
)
def test_results_that_do_not_fit_the_requests_are_refused(results: object, message: str):
    (found,) = call_system(lambda batch: results, requests("a"))  # type: ignore[arg-type, return-value]
    assert isinstance(found, Failure)
    with pytest.raises(BenchError, match=message):
        raise found.as_error()


def test_a_system_of_single_requests_is_refused_with_how_to_adapt_it():
    (found,) = call_system(systems._tone, requests("a"))  # type: ignore[arg-type]
    assert isinstance(found, Failure)
    assert "'seed' of a batch of requests as if it were one request" in found.message
    assert "one_by_one" in found.message
    (found,) = call_system(lambda batch: systems._tone(batch[0]), requests("a"))  # type: ignore[arg-type, return-value]
    assert isinstance(found, Failure)
    assert "one_by_one" in found.message


@pytest.mark.usefixtures("two_gpus")
def test_a_large_model_has_one_copy_on_each_gpu(make_plan, tmp_path, monkeypatch):
    log = tmp_path / "log"
    engines: list[int] = []
    make = LocalEngine.__init__
    monkeypatch.setattr(
        LocalEngine, "__init__", lambda self, n: (engines.append(n), make(self, n))[1]
    )
    plan = make_plan(f"{SYSTEMS}:TONE", workers=16)
    clips = [replace(plan.clips[0], name=f"clip_{number}0") for number in range(12)]
    plan = replace(plan, system=systems.large(str(log)), device="cuda")
    assert all(each.failure is None for each in generate_samples(plan, clips))
    assert engines == [2]
    devices = Counter(line[0] for line in logged(log))
    assert devices.keys() == {"cuda:0", "cuda:1"}


@pytest.mark.usefixtures("two_gpus")
def test_copies_are_as_many_as_devices_and_memory_allow(monkeypatch):
    assert place_system(large(), "cuda", 16).n_workers == 2
    assert place_system(large(workers_per_device=3), "cuda", 16).n_workers == 6
    assert place_system(large(), "cuda:1", 16) == workers.Placement(1, ("cuda:1",), core_count())
    assert place_system(large(), "cuda", 1).n_workers == 1
    small = place_system(systems.TONE, "cuda", 5)
    assert (small.n_workers, small.devices, small.n_at_once) == (5, ("cuda:0", "cuda:1"), 2)
    monkeypatch.setattr(workers, "gpu_memory_gib", lambda device: 40.0)
    assert place_system(replace(systems.TONE, device_memory_gib=13.0), "cuda", 16).n_workers == 6
    assert place_system(large(device_memory_gib=80.0), "cuda", 16).n_workers == 2


def test_on_a_cpu_a_large_model_has_all_cores_and_small_ones_one_each(make_plan, tmp_path):
    n_cores = core_count()
    assert place_system(large(), "cpu", 16) == workers.Placement(1, ("cpu",), n_cores)
    assert place_system(systems.TONE, "cpu", 16) == workers.Placement(16, ("cpu",), 1)
    plan = make_plan(f"{SYSTEMS}:TONE")
    for n_workers in (0, 2):
        for make, threads in ((systems.large, n_cores), (systems.batched, 1)):
            log = tmp_path / f"{make.__name__}-{n_workers}"
            each = replace(plan, system=make(str(log)), workers=n_workers)
            assert len(list(generate_samples(each, plan.clips))) == 3
            assert {int(line[1]) for line in logged(log)} == {threads}


def test_a_declaration_below_one_is_refused():
    with pytest.raises(ValueError, match="expected at least 1"):
        large(workers_per_device=0)
    with pytest.raises(ValueError, match="batch_size {'cuda': 0}"):
        large(batch_size={"cuda": 0})
    by_kind = large(batch_size={"cuda": 8})
    assert (by_kind.batch_size_on("cpu"), by_kind.batch_size_on("cuda:3")) == (1, 8)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param(
            "NEVER_ENDS",
            "killed after 5 s without a result on this item; --timeout sets",
            marks=pytest.mark.slow,
        ),
        ("DIES", "died (exit code 7)"),
    ],
)
def test_a_clip_that_hangs_or_kills_its_worker_is_a_row_of_the_failures(make_plan, model, message):
    plan = make_plan(f"{SYSTEMS}:{model}", workers=1)
    results = run(replace(plan, metrics=(), timeout_s=5.0), quiet).results
    assert (results.expected, results.scored) == (3, 2)
    (line,) = (plan.results_directory / "failures.jsonl").read_text().splitlines()
    failure = json.loads(line)
    assert (failure["clip"], failure["stage"]) == ("clip_000001", "generate")
    assert message in failure["error"]


def never_ends(true: Side, generated: Side) -> float:
    time.sleep(600)
    return 0.0


def test_the_limit_that_was_asked_for_counts_when_clips_are_scored(make_plan):
    plan = make_plan(f"{SYSTEMS}:TONE", metrics=("env_corr",))
    run(plan, quiet)  # so that the features are there, whose extraction may take seconds
    (metric,) = plan.metrics
    hangs = replace(metric, name="hangs", score=never_ends)
    part = replace(plan, clips=plan.clips[:1], metrics=(hangs,), workers=1, timeout_s=5.0)
    (failure,) = run(part, quiet).failures
    assert failure.stage == "score"
    assert "killed after 5 s without a result" in failure.error


def test_the_default_limit_is_twenty_times_what_is_expected_and_two_minutes_at_least(make_plan):
    assert default_timeout_s(0.3, 8.0) == 120.0
    assert default_timeout_s(60.0, 8.0) == 1200.0
    assert default_timeout_s(60.0, 16.0) == 2400.0
    plan = make_plan(f"{SYSTEMS}:TONE")
    slow = replace(plan, system=large(seconds_per_clip=SecondsPerClip(60.0, 1.0)))
    assert generate_timeout_s(plan) == 120.0
    assert generate_timeout_s(slow) == pytest.approx(1200.0 * plan.clips[0].seconds / 8.0)
    assert generate_timeout_s(replace(slow, timeout_s=7.0)) == 7.0
