"""From what the user typed to a plan of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from baselines import canonical_spec, open_system
from bench.cli.console import split_names, worker_count
from bench.cli.judging import Choice, choose
from bench.errors import BenchError
from bench.files import expand_user
from bench.runs import RunPlan
from bench.splits import open_split, require_files
from bench.splits.split import TARGET_SECONDS
from bench.system import System
from bench.types import COMPONENTS, FULL, SCOPES, Condition


@dataclass(frozen=True)
class Order:
    """What to run: a system on (the head of) a split."""

    model: str
    split: str
    limit: int | None
    seed: int
    workers: int | None
    runs: Path
    condition: Condition = FULL


def plan_run(order: Order, choice: Choice) -> RunPlan:
    """Return the plan of a run, or refuse what cannot be run.

    Raises:
        BenchError: no such system, split or column, files and weights that are missing, or a system
            that cannot do without what is masked.
    """
    system, split = open_system(order.model), open_split(order.split)
    _check_masks(system, order.condition)
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
        root=expand_user(order.runs).absolute(),
        workers=worker_count(order.workers),
        device=choice.device,
        condition=order.condition,
    )


def default_model(split: str) -> str:
    """The model that is meant where none is named: AC-Foley, of the size of the split's world."""
    return "acfoley-mini" if open_split(split).is_mini else "acfoley"


def parse_condition(mask: str | None, scope: str) -> Condition:
    """Return the condition that ``--mask`` and ``--mask-scope`` ask for.

    Raises:
        BenchError: there is no such component or scope.
    """
    names = frozenset(split_names(mask) or ())
    if unknown := sorted(names - set(COMPONENTS)):
        raise BenchError(f"cannot mask {unknown[0]!r}; there are: {', '.join(COMPONENTS)}")
    if scope not in SCOPES:
        raise BenchError(f"no mask scope {scope!r}; there are: {', '.join(SCOPES)}")
    return Condition(names, scope if names else "whole")


def _check_masks(system: System, condition: Condition) -> None:
    if lost := sorted(condition.masked - system.masks):
        able = ", ".join(sorted(system.masks)) or "nothing"
        raise BenchError(f"{system.name} cannot do without {lost[0]}; it can mask: {able}")
