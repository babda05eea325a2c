"""The time a dry run prints per stage: measured if a similar run has finished, else expected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.io import write_json
from bench.judges import open_judge
from bench.pipeline.estimate import (
    BOOKS_SECONDS,
    START_SECONDS,
    estimate,
    estimate_gpu_seconds,
    predict_on_gpus,
)
from bench.pipeline.plan import RunPlan
from bench.plugins import list_systems, open_system


@pytest.fixture
def plan(make_plan):
    """Three clips on two workers, by default without networks."""

    def make(model: str = "silence", metric: str = "mcd", **changes: object) -> RunPlan:
        return replace(make_plan(model, metrics=(metric,), workers=2), **changes)

    return make


def times(plan: RunPlan) -> dict[str, float]:
    ahead = estimate(plan, to_generate=3, to_score=3)
    assert ahead.seconds == pytest.approx(sum(each.seconds for each in ahead.times.values()))
    return {stage: each.seconds for stage, each in ahead.times.items()}


def measured(plan: RunPlan) -> set[str]:
    ahead = estimate(plan, to_generate=3, to_score=3)
    return {stage for stage, each in ahead.times.items() if each.is_measured}


def test_workers_share_what_needs_no_network(plan):
    assert times(plan()) == pytest.approx({"generate": 0.45, "extract": 1.8, "score": 0.075})
    assert measured(plan()) == set()


def test_the_published_network_is_minutes_per_clip_on_a_cpu(plan):
    assert times(plan("acfoley"))["generate"] == pytest.approx(3 * 12 * 60)


def test_workers_do_not_share_a_gpu(plan):
    assert times(plan("acfoley", device="cuda:1"))["generate"] == pytest.approx(3 * 5)


@pytest.mark.parametrize(("device", "seconds"), [("cpu", 300.0), ("cuda", 2.0)])
def test_the_networks_of_the_judge_are_one_pass_whatever_the_workers(plan, device, seconds):
    judge = open_judge("paper", "av-benchmark", device=device)
    found = times(plan(metric="fd_vgg", judge=judge))
    assert found["extract"] == pytest.approx(3 * (seconds + 1.2 / 2))


@pytest.fixture
def finished(plan):
    """Write the timings of a run of these columns, and its device."""
    about = {
        "metrics": ["fd_vgg"],
        "provenance": {"device": "cpu", "judge": "paper", "judge_device": "cpu"},
        "seconds_per_clip": {"generate": 10.0, "extract": 4.0, "score": 1.0},
    }
    write_json(plan().directory / "run.json", about)


@pytest.mark.usefixtures("finished")
def test_the_times_of_a_similar_run_are_used_and_its_single_pass_is_not_divided(plan):
    alike = plan(metric="fd_vgg")
    assert times(alike) == pytest.approx({"generate": 15.0, "extract": 12.0, "score": 1.5})
    assert measured(alike) == {"generate", "extract", "score"}


@pytest.mark.usefixtures("finished")
def test_a_run_on_another_device_or_of_other_columns_is_not_used_for_the_estimate(plan):
    assert measured(plan(metric="fd_vgg", device="cuda")) == {"extract", "score"}
    assert measured(plan()) == {"generate"}
    elsewhere = open_judge("paper", "av-benchmark", device="cuda")
    assert measured(plan(metric="fd_vgg", judge=elsewhere)) == {"generate"}


def test_workers_share_columns_without_networks_on_a_machine_with_a_gpu_too(plan):
    about = {
        "metrics": ["mcd"],
        "provenance": {"device": "cpu", "judge": "paper", "judge_device": "cuda"},
        "seconds_per_clip": {"extract": 4.0},
    }
    write_json(plan().directory / "run.json", about)
    judge = open_judge("paper", "av-benchmark", device="cuda")
    assert times(plan(judge=judge))["extract"] == pytest.approx(3 * 4.0 / 2)


def test_every_built_in_network_has_its_own_expected_time():
    usages = [each.usage for each in list_systems() if each.usage.startswith("acfoley")]
    names = [each.replace("PRECISION", "float32") for each in usages]
    guesses = {name: open_system(name).expected_seconds() for name in names}
    assert all(each.cpu >= 1 for each in guesses.values())
    assert all(each.cpu > each.gpu for each in guesses.values())


def test_gpu_time_is_known_without_a_gpu_and_measured_where_one_has_run_it(plan):
    def cost(plan: RunPlan) -> float:
        return estimate_gpu_seconds(plan, to_generate=3, to_score=2)

    alone = replace(plan("acfoley").split, metrics=("mcd",))
    judged = replace(alone, metrics=("fd_vgg",))
    assert cost(plan("acfoley", split=alone)) == pytest.approx(3 * 5.0)
    assert cost(plan("acfoley", split=judged)) == pytest.approx(3 * 5.0 + 2 * 2.0)
    # A system without a network has nothing to do on a GPU.
    assert cost(plan("ground-truth", split=judged)) == pytest.approx(2 * 2.0)
    about = {"provenance": {"device": "cuda"}, "seconds_per_clip": {"generate": 1.5}}
    write_json(plan("acfoley").directory / "run.json", about)
    assert cost(plan("acfoley", split=alone)) == pytest.approx(3 * 1.5)


def test_gpus_share_the_work_until_the_books_take_longer(plan):
    run = plan("acfoley", split=replace(plan("acfoley").split, metrics=("mcd",)))

    def predict(n_gpus: int, n_clips: int = 3):
        ahead = replace(estimate(run, to_generate=n_clips, to_score=n_clips), bytes_needed=7)
        return predict_on_gpus(run, ahead, n_gpus)

    assert predict(1).wall_seconds - START_SECONDS == pytest.approx(15.0)
    assert predict(3).wall_seconds - START_SECONDS == pytest.approx(5.0)
    assert predict(3).gpu_seconds == predict(1).gpu_seconds == pytest.approx(15.0)
    # Beyond 2,500 GPUs the process that gives out the clips is what takes longest.
    assert predict(100_000).wall_seconds - START_SECONDS == pytest.approx(3 * BOOKS_SECONDS)
    assert predict(2, 0).wall_seconds == 0
    assert (predict(2).bytes_written, predict(2).is_measured) == (7, False)


def test_the_media_of_a_run_are_read_to_hash_to_generate_and_to_score(plan):
    def read(run: RunPlan) -> int | None:
        return predict_on_gpus(run, estimate(run, to_generate=3, to_score=3), 2).bytes_read

    with_media, without = plan("acfoley"), plan("silence")
    media = sum(
        path.stat().st_size
        for clip in with_media.clips
        for path in {each.path for each in (clip.video, clip.audio, clip.reference) if each}
    )
    assert media
    assert read(with_media) - read(without) == pytest.approx(media, abs=1)
    gone = tuple(
        replace(clip, audio=replace(clip.audio, path=clip.audio.path / "gone"))
        for clip in without.clips
    )
    assert read(replace(without, clips=gone)) is None
