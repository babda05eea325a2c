"""From what the user typed to a plan of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from baselines import canonical_spec, open_system
from bench.cli.console import worker_count
from bench.cli.judge import Choice, choose
from bench.errors import BenchError, MissingError
from bench.io import expand_user
from bench.pipeline import RunPlan, Stale
from bench.splits import Split, open_split, require_files
from bench.splits.split import TARGET_SECONDS
from bench.system import System
from bench.terminal import print_notice
from bench.types import FULL, Clip, Condition

#: What is run where no split is named: the paper's test clips, or those that can be made anywhere.
PAPER_SPLIT, MINI_SPLIT = "vggsound-ib0.3", "mini"


@dataclass(frozen=True)
class Order:
    """What to run: a system, on a device, on the chosen clips of an opened split."""

    model: str
    split: Split
    clips: tuple[Clip, ...]
    seed: int
    workers: int | None
    runs: Path
    condition: Condition = FULL
    device: str = "cpu"
    stale: Stale = "ask"
    timeout_s: float | None = None


def choose_split(spec: str | None) -> Split:
    """Open the split that is asked for, or the default one, and name it on standard error.

    The default is the paper's test set, where it is prepared, and else the mini world's.

    Raises:
        BenchError: no such split, or its clips cannot be listed.
    """
    split, reason = (open_split(spec), "") if spec else _open_default()
    print_notice(f"split {split.name}: {len(split.clips)} clips{reason}")
    return split


def _open_default() -> tuple[Split, str]:
    """The default split, and why it is the one where it is not the paper's."""
    try:
        return open_split(PAPER_SPLIT), ""
    except MissingError as error:
        why = f", since {PAPER_SPLIT} is not prepared ({error}); --split names another"
        return open_split(MINI_SPLIT), why


def plan_run(order: Order, choice: Choice) -> RunPlan:
    """Return the plan of a run, or refuse what cannot be run.

    Raises:
        BenchError: no such system or column, files and weights that are missing, or a system that
            cannot do without what is masked.
    """
    system, split = open_system(order.model), order.split
    _check_masks(system, order.condition)
    _require_all(system, split, order.clips)
    shortest_s = min((clip.seconds for clip in order.clips), default=TARGET_SECONDS)
    judge, metrics = choose(choice, split.metrics, shortest_s, is_mini=split.is_mini)
    return RunPlan(
        system=system,
        system_name=canonical_spec(order.model),
        split=split,
        clips=order.clips,
        judge=judge,
        metrics=metrics,
        seed=order.seed,
        root=expand_user(order.runs).absolute(),
        workers=worker_count(order.workers),
        device=order.device,
        condition=order.condition,
        stale=order.stale,
        timeout_s=order.timeout_s,
    )


def default_model(split: Split) -> str:
    """The model that is meant where none is named: AC-Foley, of the size of the split's world."""
    return "acfoley-mini" if split.is_mini else "acfoley"


def _require_all(system: System, split: Split, clips: tuple[Clip, ...]) -> None:
    """Refuse clips that are not prepared, and say in the same breath what the system lacks."""
    try:
        require_files(split, clips)
    except MissingError as error:
        lack = system.lacks() if system.lacks else ""
        raise MissingError(
            f"{error}; {system.name} needs {lack}" if lack else str(error)
        ) from error


def choose_stale(keep_samples: bool, yes: bool) -> Stale:
    """What to do with samples that would be made otherwise now.

    Raises:
        BenchError: they are to be kept and made again.
    """
    if keep_samples and yes:
        raise BenchError("--keep-samples keeps samples and --yes makes them again: give one")
    return "keep" if keep_samples else "remake" if yes else "ask"


def _check_masks(system: System, condition: Condition) -> None:
    if lost := sorted(condition.masked - system.masks):
        able = ", ".join(sorted(system.masks)) or "nothing"
        raise BenchError(f"{system.name} cannot do without {lost[0]}; it can mask: {able}")
