"""Two finished runs on four clips of the mini world, and a study of them."""

from __future__ import annotations

import pytest

import bench
from bench.study.create import StudyOptions, create_study


def ignore(stage: str, done: int, total: int) -> None:
    """A progress that is not shown."""


@pytest.fixture(scope="session")
def run_folders(mini_home, tmp_path_factory):
    """The directories of the runs; three systems."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_HOME", str(mini_home))
        return [
            bench.run(
                model, split="mini", limit=4, metrics="lsd,onset_acc", workers=0, runs=folder
            ).directory
            for model in ("ground-truth", "reference-loop", "silence")
        ]


@pytest.fixture(scope="session")
def finished_study(run_folders, mini_home, tmp_path_factory):
    """A study of the first two, on two clips; tests do not change it."""
    out = tmp_path_factory.mktemp("studies") / "study"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_HOME", str(mini_home))
        create_study(StudyOptions(tuple(run_folders[:2]), out, videos=2), ignore)
    return out
