"""Plans for tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.judges import open_judge
from bench.pipeline.plan import RunPlan
from bench.plugins import open_system
from bench.splits import open_split
from bench.suite import select
from tests.pipeline.submissions import make_run

MakePlan = Callable[..., RunPlan]


@pytest.fixture
def make_plan(home: Path, tmp_path: Path, clicks_folder: Path) -> MakePlan:
    """A plan for any system on the three click clips."""

    def make(
        model: str,
        *,
        metrics: tuple[str, ...] | None = None,
        limit: int | None = None,
        workers: int = 0,
        split: str = f"folder:{clicks_folder}",
        root: Path = tmp_path / "runs",
        profile: str = "av-benchmark",
    ) -> RunPlan:
        opened = open_split(split)
        return RunPlan(
            system=open_system(model),
            system_name=model,
            split=opened,
            clips=opened.clips[:limit],
            judge=open_judge("paper", profile),
            metrics=select(profile, metrics or ("onset_acc", "onset_ap", "mcd")),
            seed=42,
            root=root,
            workers=workers,
        )

    return make


@pytest.fixture(scope="session")
def finished_scores(tmp_path_factory, mini_home) -> Path:
    """A run of four mini clips with networks, one of which failed; its folder of scores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_HOME", str(mini_home))
        return make_run("tests.pipeline.systems:SECOND_FAILS", tmp_path_factory.mktemp("runs"))


@pytest.fixture
def scores(finished_scores, tmp_path, mini_home, monkeypatch) -> Path:
    """A copy of its scores, to be tampered with; samples and journal are in the folder above."""
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    home = shutil.copytree(finished_scores.parent, tmp_path / "moved")
    return Path(home) / finished_scores.name
