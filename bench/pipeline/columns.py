"""Which columns a command computes, by which judge, and which it leaves out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.checkpoints.registry import weights_directory
from bench.checkpoints.verify import describe_missing, missing_weights, require_weights
from bench.engine.choice import LOCAL, EngineChoice
from bench.errors import BenchError
from bench.judges import Judge, open_judge
from bench.pipeline.roles import Scoring
from bench.suite import DEFAULT_PROFILE, Metric, select, select_computable

#: Called with one sentence that the user should read.
Notify = Callable[[str], None]

#: Names, or names between commas; None where the user gave none.
Names = str | Iterable[str] | None

#: The column that ``--clap`` adds.
CLAP = "clap"


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """What the user asked of the judge; None leaves it to the split and to what is installed.

    ``device`` is where the judge's networks run.
    """

    metrics: Names = None
    clap: bool = False
    profile: str = DEFAULT_PROFILE
    judge: str | None = None
    weights: Path | None = None
    device: str = "cpu"
    batch_size: int | None = None


def split_names(names: Names) -> list[str] | None:
    """Return names as a list; None stays None.

    >>> split_names("mcd, ib,")
    ['mcd', 'ib']
    """
    if names is None:
        return None
    parts = names.split(",") if isinstance(names, str) else names
    return [name.strip() for name in parts if name.strip()]


def choose_columns(
    options: JudgeOptions,
    default_metrics: Sequence[str],
    seconds: float,
    notify: Notify,
    *,
    is_mini: bool,
) -> tuple[Judge, tuple[Metric, ...]]:
    """Return the judge and the columns to compute over clips of ``seconds``.

    A column that was asked for by name and cannot be computed is refused. One that comes by default
    is left out, and ``notify`` is given the reason and the command that fixes it.

    Raises:
        BenchError: no such column, profile or judge, or one that was asked for cannot be computed.
    """
    names = split_names(options.metrics)
    if names == []:
        raise BenchError("--metrics names no column; leave it out for all of them")
    asked = [*(names or default_metrics), *([CLAP] if options.clap else [])]
    wanted = select(options.profile, asked)
    judge = open_judge(
        options.judge or ("mini" if is_mini else "paper"),
        options.profile,
        options.weights,
        options.device,
        options.batch_size,
    )
    kept, problems = _keep_computable(wanted, judge, seconds)
    kept_names = [metric.name for metric in kept]
    is_clap_lost = options.clap and CLAP not in kept_names
    if problems and (names or not kept or is_clap_lost):
        raise BenchError("; ".join(problems))
    for problem in problems:
        notify(problem)
    _require_installed(kept, judge)
    return judge, kept


def require_devices(*names: str, engine: EngineChoice = LOCAL) -> None:
    """Refuse devices that do not exist where the workers are, on which every clip would fail.

    Raises:
        BenchError: there is no such device, or no such cluster.
    """
    if engine.is_remote:
        engine.require_ready(*names)
        return
    for name in {*names} - {"cpu"}:  # importing torch is slow, and a CPU needs no check
        from bench.backbones.requirements import usable_device

        usable_device(name)


def _keep_computable(
    wanted: Sequence[Metric], judge: Judge, seconds: float
) -> tuple[tuple[Metric, ...], list[str]]:
    """The columns that can be computed, and a sentence for each reason that others cannot."""
    problems = []
    kept = select_computable(wanted, judge)
    if lost := [metric.name for metric in wanted if metric not in kept]:
        hint = ": only --judge paper has CLAP" if CLAP in lost else ""
        hint += "".join(f"; {sentence}" for sentence in judge.missing)
        problems.append(f"the judge {judge.name} cannot compute {', '.join(lost)}{hint}")
    problems += [
        f"{metric.name} takes {metric.accepted_lengths}, these have {seconds:g} s"
        for metric in kept
        if not metric.accepts_length(seconds)
    ]
    kept = tuple(metric for metric in kept if metric.accepts_length(seconds))
    directory = judge.weights or weights_directory()
    missing = {row.name for row in missing_weights(None, directory)}
    if lost_files := missing.intersection(_needed_weights(kept, judge)):
        without = [m for m in kept if not missing.isdisjoint(_needed_weights([m], judge))]
        kept = tuple(metric for metric in kept if metric not in without)
        rows = missing_weights(sorted(lost_files), directory)
        problems.append(describe_missing(rows, directory, [metric.name for metric in without]))
    return kept, problems


def _require_installed(metrics: Sequence[Metric], judge: Judge) -> None:
    """Refuse what would fail for every clip: a missing package, a file with a wrong checksum."""
    if CLAP in [metric.name for metric in metrics]:
        from bench.backbones.clap import require_transformers  # slow, and for this column only

        require_transformers()
    if needed := _needed_weights(metrics, judge):
        require_weights(needed, judge.weights or weights_directory())


def _needed_weights(metrics: Sequence[Metric], judge: Judge) -> tuple[str, ...]:
    return Scoring(tuple(metrics), judge, None).weights()
