"""Which columns a command computes, by which judge, and what it says of those it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.checkpoints.registry import weights_directory
from bench.checkpoints.verify import describe_missing, missing_weights, require_weights
from bench.cli.console import notices, split_names
from bench.errors import BenchError
from bench.judges import Judge, open_judge
from bench.pipeline.score import Scoring
from bench.suite import Metric, select, select_computable

#: The column that ``--clap`` adds.
CLAP = "clap"


@dataclass(frozen=True)
class Choice:
    """What the user asked of the judge; ``None`` leaves it to the split and to what is there.

    ``device`` is where the judge's networks run; the system's is in the ``Order``.
    """

    metrics: str | None
    profile: str
    judge: str | None
    weights: Path | None
    device: str
    batch_size: int | None = None
    clap: bool = False


def choose(
    choice: Choice, default_metrics: Sequence[str], seconds: float, *, is_mini: bool
) -> tuple[Judge, tuple[Metric, ...]]:
    """Return the judge and the columns to compute over clips of this length.

    A column that was asked for by name and cannot be computed is refused; one that comes by default
    is left out with a word: which, why, and the command that fixes it.

    Raises:
        BenchError: no such column, profile or judge, or one that was asked for cannot be computed.
    """
    names = split_names(choice.metrics)
    if names == []:
        raise BenchError("--metrics names no column; leave it out for all of them")
    wanted = select(choice.profile, [*(names or default_metrics), *([CLAP] if choice.clap else [])])
    judge_name = choice.judge or ("mini" if is_mini else "paper")
    judge = open_judge(judge_name, choice.profile, choice.weights, choice.device, choice.batch_size)
    kept = select_computable(wanted, judge)
    problems = _not_by(judge, wanted, kept)
    kept, too_short = _of_length(kept, seconds)
    kept, without_weights = _with_weights(kept, judge)
    problems += too_short + without_weights
    is_clap_lost = choice.clap and CLAP not in [metric.name for metric in kept]
    if problems and (names or not kept or is_clap_lost):
        raise BenchError("; ".join(problems))
    for problem in problems:
        notices().print(problem)
    if CLAP in [metric.name for metric in kept]:
        _require_clap()
    if needed := _needed(kept, judge):
        require_weights(needed, judge.weights or weights_directory())
    return judge, kept


def require_devices(*names: str) -> None:
    """Refuse now what would fail for every clip; only a GPU is worth importing torch for.

    Raises:
        BenchError: there is no such device here.
    """
    for name in {*names} - {"cpu"}:
        from bench.backbones.device import usable_device

        usable_device(name)


def _require_clap() -> None:
    """Refuse now what would fail for every clip; the import is slow and for this column only."""
    from bench.backbones.clap import require_transformers

    require_transformers()


def _not_by(judge: Judge, wanted: Iterable[Metric], kept: Sequence[Metric]) -> list[str]:
    lost = [metric.name for metric in wanted if metric not in kept]
    hint = ": only --judge paper has CLAP" if CLAP in lost else ""
    hint += "".join(f"; {sentence}" for sentence in judge.missing)
    return [f"the judge {judge.name} cannot compute {', '.join(lost)}{hint}"] if lost else []


def _of_length(metrics: Sequence[Metric], seconds: float) -> tuple[tuple[Metric, ...], list[str]]:
    kept = tuple(metric for metric in metrics if metric.accepts_length(seconds))
    lost = [metric for metric in metrics if metric not in kept]
    return kept, [
        f"{metric.name} takes {metric.accepted_lengths}, these have {seconds:g} s"
        for metric in lost
    ]


def _with_weights(metrics: Sequence[Metric], judge: Judge) -> tuple[tuple[Metric, ...], list[str]]:
    """Columns whose checkpoints are there; of the others one sentence with the command."""
    directory = judge.weights or weights_directory()
    missing = {row.name for row in missing_weights(None, directory)}
    kept = tuple(m for m in metrics if missing.isdisjoint(_needed([m], judge)))
    lost = missing.intersection(_needed(metrics, judge))
    if not lost:
        return kept, []
    columns = [metric.name for metric in metrics if metric not in kept]
    rows = missing_weights(sorted(lost), directory)
    return kept, [describe_missing(rows, directory, columns)]


def _needed(metrics: Sequence[Metric], judge: Judge) -> tuple[str, ...]:
    return Scoring(tuple(metrics), judge, None).weights()
