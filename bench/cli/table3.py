"""Table 3 of the paper: filled from a study, which the mini world rehearses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.cli.reproduce import Job, NeededRun
    from bench.results import Results
    from reports.published import DeclaredRun, PublishedTable, World
    from reports.reproductions import FoundRun, Reproduction

#: Where a study is looked for unless folders are named: as ``bench study design`` names it.
STUDY = Path("study")
#: The study of simulated raters, in the folder of the runs.
REHEARSAL = "simulated-study"
#: As many raters as the paper's bars have.
N_RATERS = 31
NEEDS_STUDY = "needs a study"


def is_study(folder: Path) -> bool:
    """Whether this folder holds a study."""
    from bench.study.design import FILE

    return (folder / FILE).is_file()


def fill_table3(table: PublishedTable, world: World, study: Path) -> Reproduction:
    """Return Table 3 of a study.

    Raises:
        BenchError: no study, no votes that count, clips of the other world, or other systems.
    """
    from bench.errors import BenchError
    from bench.study.analyse import analyse_study
    from bench.study.table3 import as_results
    from reports.reproductions import FoundRun, Reproduction

    analysis = analyse_study(study)
    if analysis.design.is_mini != (world == "mini"):
        kind, other = ("mini", "mini") if analysis.design.is_mini else ("real", "paper")
        raise BenchError(f"{study} is a study of {kind} clips: name its world by --world {other}")
    runs: dict[str, FoundRun] = {}
    for row in table.rows:
        declared = row.runs[world]
        try:
            results, plain = as_results(analysis, declared.system, declared.against)
        except BenchError as error:
            raise BenchError(f"{study}: {error}") from error
        runs[row.label] = FoundRun(results, as_published=plain)
    return Reproduction(table, world, runs, {})


def find_table3(
    table: PublishedTable, world: World, named: Sequence[Path], folders: Sequence[Path]
) -> Reproduction:
    """Return Table 3 of the studies that are named, or of one that is found.

    One is looked for in ``./study`` and ``runs``, or in the folders that are named; that of raters
    comes before one of simulated raters. How one is made is printed where there is none.

    Raises:
        BenchError: a study that is named has no Table 3 of this world.
    """
    from bench.cli.console import notify
    from bench.cli.paper_tables import RUNS
    from bench.errors import BenchError

    found = [fill_table3(table, world, path) for path in named]
    usual = [folder / REHEARSAL for folder in folders] or [STUDY, RUNS / REHEARSAL]
    for path in () if named else usual:
        try:
            found += [fill_table3(table, world, path)] if is_study(path) else []
        except BenchError as error:
            notify(f"Table 3 is not of this study: {error}")
    if found:
        return min(found, key=lambda each: each.is_simulated)
    notify(describe_study(table, world))
    return leave_open(table, world, NEEDS_STUDY)


def leave_open(table: PublishedTable, world: World, reason: str) -> Reproduction:
    """Return Table 3 without a study, and why."""
    from reports.reproductions import Reproduction

    return Reproduction(table, world, {}, {row.label: reason for row in table.rows})


def describe_study(table: PublishedTable, world: World) -> str:
    """Return the commands that make and serve the study of a world."""
    from reports.published import runs_of_study
    from reports.reproductions import USUAL_SEED

    if world == "mini":
        return "Table 3 needs a study: `bench reproduce 3 --world mini` rehearses one"
    runs = runs_of_study(table.rows[0], world)
    folders = " ".join(
        f"runs/{each.system}/{each.split}/{each.condition}-{USUAL_SEED}" for each in runs
    )
    commands = [each.command for each in runs]
    commands += [f"bench study design {folders} --out study", "bench study serve study"]
    listed = ", ".join(f"`{command}`" for command in commands)
    return f"Table 3 needs a study with raters: {listed}; then `bench table 3 study --with-paper`"


def describe_plan(table: PublishedTable, job: Job) -> str:
    """Return what ``bench reproduce`` takes Table 3 from, or how a study is made."""
    if job.study is not None:
        return f"Table 3 is of the study {job.study}"
    if job.world == "mini":
        return "Table 3 is of simulated raters, who answer a study of these runs"
    return describe_study(table, job.world)


def open_study(job: Job) -> Reproduction | None:
    """Return Table 3 of the study that was given, None where there was none.

    Raises:
        BenchError: it has no Table 3 of this world, or the table was not asked for.
    """
    from bench.errors import BenchError

    if job.study is None:
        return None
    tables = [table for table in job.tables if table.is_study]
    if not tables:
        raise BenchError("--study fills Table 3, which was not asked for: name 3 or all")
    return fill_table3(tables[0], job.world, job.study)


def rehearse(
    job: Job,
    needed: Sequence[NeededRun],
    results: Mapping[DeclaredRun, Results],
    failures: dict[DeclaredRun, str],
) -> Reproduction | None:
    """Return Table 3 of simulated raters, None where it was not asked for or is of real clips.

    A study that fails is recorded among the failures, under what its row declares.
    """
    from bench.cli.console import notify
    from bench.cli.reproduce import FAILED, describe_error
    from reports.published import runs_of_table

    tables = [table for table in job.tables if table.is_study]
    if not tables or job.world != "mini":
        return None
    table, runs = tables[0], runs_of_table(tables[0], job.world)
    if lost := [each.system for each in runs if each not in results]:
        return leave_open(table, job.world, f"no run of {' and '.join(lost)}")
    folders = {run.declared: run.find_directory(job.options) for run in needed}
    n_clips = min(results[each].scored for each in runs)
    try:
        return _rehearse_table(table, [folders[run] for run in runs], job.options.runs, n_clips)
    except Exception as error:  # the end of this table alone
        text = describe_error(error)
        notify(f"failed: {text}")
        failures[table.rows[0].runs[job.world]] = text.partition("\n")[0]
        return leave_open(table, job.world, FAILED)


def _rehearse_table(
    table: PublishedTable, runs: Sequence[Path], folder: Path, n_clips: int
) -> Reproduction:
    """Let simulated raters compare two mini runs, unless they did, and return Table 3.

    Raises:
        BenchError: as of ``rehearse_study``.
        OSError: as of a full disk.
    """
    from bench.cli.console import notices, notify, progress_bars
    from bench.study.create import StudyOptions
    from bench.study.rehearse import is_rehearsed, rehearse_study
    from bench.study.simulate import Raters

    n_videos = min(table.rows[0].runs["mini"].n_clips, n_clips)
    options = StudyOptions(tuple(runs), folder / REHEARSAL, n_videos)
    if not is_rehearsed(options, N_RATERS):
        notices().print("Table 3: a study with simulated raters", style="bold")
        with progress_bars() as progress:
            notes = rehearse_study(options, Raters(N_RATERS), progress)
        for note in notes:
            notify(f"note: {note}")
    return fill_table3(table, "mini", options.out)
