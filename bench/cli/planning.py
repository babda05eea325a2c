"""From what the user typed to a plan of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from baselines import canonical_spec, open_system
from bench.cli.console import worker_count
from bench.cli.judging import Choice, choose
from bench.runs import RunPlan
from bench.splits import open_split, require_files
from bench.splits.split import TARGET_SECONDS


@dataclass(frozen=True)
class Order:
    """What to run: a system on (the head of) a split."""

    model: str
    split: str
    limit: int | None
    seed: int
    workers: int | None
    runs: Path


def plan_run(order: Order, choice: Choice) -> RunPlan:
    """Return the plan of a run, or refuse what cannot be run.

    Raises:
        BenchError: no such system, split or column, or files and weights that are missing.
    """
    system, split = open_system(order.model), open_split(order.split)
    clips = split.clips[: order.limit]
    require_files(split, clips)
    shortest_s = min((clip.seconds for clip in clips), default=TARGET_SECONDS)
    judge, metrics = choose(choice, split.metrics, shortest_s, is_mini=split.is_mini)
    return RunPlan(
        system=system,
        system_name=canonical_spec(order.model),
        split=split,
        clips=clips,
        judge=judge,
        metrics=metrics,
        seed=order.seed,
        root=order.runs.expanduser().absolute(),
        workers=worker_count(order.workers),
        device=choice.device,
    )
