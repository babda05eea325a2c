"""A finished run as a submission, tampered with and verified, for the tests of ``bench verify``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from bench.pipeline.columns import JudgeOptions
from bench.pipeline.prepare import RunOptions, plan_run
from bench.pipeline.run import run
from bench.pipeline.verify import VerifyOptions, verify_run
from bench.verification import Verification

COLUMNS = "fd_vgg,kl_panns,onset_acc,env_corr"


def ignore(*_: object) -> None:
    """A callback that prints nothing."""


def make_run(model: str, root: Path, split: str = "mini") -> Path:
    """Run a system on up to four clips; returns the folder of its scores."""
    metrics = COLUMNS if split == "mini" else "onset_acc,env_corr"
    options = RunOptions(model=model, split=split, limit=4, workers=0, runs=root)
    plan = plan_run(options, JudgeOptions(metrics=metrics), ignore)
    return run(plan, ignore).directory


def check(scores: Path, **options: object) -> Verification:
    """Verify with all clips sampled."""
    return verify_run(VerifyOptions(run=scores, **{"sample": 4, **options}), ignore)


def found(scores: Path, *words: str) -> None:
    """One of the problems has all of these words."""
    problems = check(scores).problems
    assert any(all(word in problem for word in words) for problem in problems), problems


def edit_rows(scores: Path, edit: Callable[[pd.DataFrame], pd.DataFrame | None]) -> None:
    """Change the rows of ``scores.parquet``."""
    frame = pd.read_parquet(scores / "scores.parquet")
    changed = edit(frame)
    (frame if changed is None else changed).to_parquet(scores / "scores.parquet", index=False)


def edit_lines(path: Path, edit: Callable[[dict], object]) -> None:
    """Change every row of a file of lines."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        edit(line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def edit_json(path: Path, edit: Callable[[dict], object]) -> None:
    """Change a file of JSON."""
    value = json.loads(path.read_text())
    edit(value)
    path.write_text(json.dumps(value))
