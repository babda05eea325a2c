"""``bench reproduce``: the runs that tables of the paper need, planned, carried out, compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.completion import complete_number, complete_world
from bench.cli.engine_options import with_engine
from bench.cli.options import Device, Limit, Runs, Workers, Yes

if TYPE_CHECKING:
    from bench.engine.choice import EngineChoice
    from bench.pipeline.prepare import RunOptions
    from bench.pipeline.readiness import FoundClips, Readiness
    from bench.results import Results
    from reports.published import DeclaredRun, PublishedTable, World
    from reports.reproductions import Reproduction

ALL = "all"
PAGE = "reproduction.md"

#: What a row of a table says where its run cannot start, by the kind of what is missing.
SHORT_REASONS = {
    "system": "no such system",
    "clips": "no clips",
    "needs": "not set up",
    "samples": "old samples",
    "refused": "cannot run",
}
FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """What the user asked for: tables, the world that their runs are from, and how to run them.

    ``study`` fills Table 3.
    """

    tables: tuple[PublishedTable, ...]
    world: World
    options: RunOptions
    study: Path | None = None

    @property
    def command(self) -> str:
        """The command of this job, without what changes no number."""
        from reports.published import NUMBERS

        limit = f" --limit {self.options.limit}" if self.options.limit else ""
        study = f" --study {self.study}" if self.study else ""
        given = [str(table.number) for table in self.tables]
        numbers = ALL if given == [*NUMBERS] else " ".join(given)
        return f"bench reproduce {numbers} --world {self.world}{limit}{study}"


@dataclass(frozen=True)
class NeededRun:
    """A run that tables need, these by number, and how far it is on this machine."""

    declared: DeclaredRun
    tables: tuple[int, ...]
    clips: FoundClips
    state: Readiness

    @property
    def name(self) -> str:
        """The system and what is masked, as tables of runs name them."""
        masked = f" ({self.declared.condition})" if self.declared.mask else ""
        return f"{self.declared.system}{masked}"

    def find_directory(self, options: RunOptions) -> Path:
        """Return where its results are, by the names of its folders."""
        from bench.pipeline.plan import slug

        run = f"{self.declared.condition}-{options.seed}"
        directory = options.runs / slug(self.declared.system) / self.declared.split / run
        return directory / f"first-{self.clips.n_clips}" if self.clips.are_part else directory

    @property
    def n_to_render(self) -> int:
        """How many mini clips have to be rendered before the run can start."""
        return self.clips.n_to_render if self.state.can_run else 0


@with_engine
def reproduce(
    tables: Annotated[
        list[str] | None,
        typer.Argument(
            help="Tables of the paper, 1 to 7, or all.",
            show_default=ALL,
            autocompletion=complete_number,
        ),
    ] = None,
    world: Annotated[
        str,
        typer.Option(
            help="The paper's own clips, or rendered ones (mini).", autocompletion=complete_world
        ),
    ] = "paper",
    dry_run: Annotated[
        bool, typer.Option(help="Print what is finished, can run or is missing, and do nothing.")
    ] = False,
    limit: Limit = None,
    runs: Runs = Path("runs"),
    device: Device = "cpu",
    workers: Workers = None,
    yes: Yes = False,
    study: Annotated[Path | None, typer.Option(help="The folder of a study, for Table 3.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the page to this file.", show_default=f"{PAGE} in --runs"),
    ] = None,
    *,
    engine: EngineChoice,
) -> None:
    """Run what tables of the paper need and can run here, and print them beside its values.

    The same command goes on where it was stopped. It exits with 1 if a run failed.
    """
    from bench.cli.console import stop_cleanly
    from bench.cli.reproduction_plan import print_plan
    from bench.cli.table3 import open_study, rehearse
    from bench.io import require_target
    from bench.pipeline.columns import require_devices
    from bench.pipeline.prepare import RunOptions

    page = out or runs / PAGE
    options = RunOptions(
        limit=limit, device=device, workers=workers, runs=runs, yes=yes, engine=engine
    )
    job = Job(_choose_tables(tables or [ALL]), _check_world(world), options, study)
    if not engine.is_remote:
        require_devices(device)
    filled = open_study(job)
    needed = examine_runs(job)
    print_plan(job, needed, is_dry=dry_run)
    if dry_run:
        return
    if filled is None:
        _require_work(needed)
    require_target(page)
    if any(each.state.can_run for each in needed):
        require_devices(device, engine=engine)
    with stop_cleanly():
        if n_clips := max((each.n_to_render for each in needed), default=0):
            _render(n_clips, workers)
            needed = examine_runs(job)  # clips that are here may show that a run cannot start
        results, failures = _carry_out_all(needed)
        filled = filled or rehearse(job, needed, results, failures)
    _report(job, needed, results, failures, filled, page)
    raise typer.Exit(1 if failures or any(each.failed for each in results.values()) else 0)


def _choose_tables(names: Sequence[str]) -> tuple[PublishedTable, ...]:
    """Return the tables of these numbers in their order, each once.

    Raises:
        BenchError: the paper has no such table.
    """
    from bench.errors import BenchError
    from reports.published import NUMBERS, load_tables

    if unknown := [name for name in names if name not in (*NUMBERS, ALL)]:
        raise BenchError(f"no Table {unknown[0]!r} in the paper; there are 1 to 7, or {ALL}")
    return tuple(t for t in load_tables() if ALL in names or str(t.number) in names)


def _check_world(world: str) -> World:
    from bench.errors import BenchError
    from reports.published import WORLDS

    if world not in WORLDS:
        raise BenchError(f"no world {world!r}; there are: {', '.join(WORLDS)}")
    return world


def examine_runs(job: Job) -> list[NeededRun]:
    """Return each run that the tables need, once, with what is finished, left or missing."""
    from bench.pipeline.columns import JudgeOptions
    from bench.pipeline.readiness import examine_run, find_clips
    from reports.published import runs_of_table

    columns: dict[str, dict[str, None]] = {}  # of each split
    numbers: dict[DeclaredRun, dict[int, None]] = {}
    for table in job.tables:
        # Raters of a study that is given need no run.
        runs = [] if table.is_study and job.study else runs_of_table(table, job.world)
        for declared in runs:
            names = dict.fromkeys(c.metric for c in table.columns if not c.is_study)
            columns.setdefault(declared.split, {}).update(names)
            numbers.setdefault(declared, {})[table.number] = None
    targets = {each.split: each for each in numbers}
    clips = {
        name: find_clips(
            name,
            [*columns[name]],
            each.n_clips,
            limit=job.options.limit,
            targets=each.targets,
        )
        for name, each in targets.items()
    }
    found = []
    for declared, of_tables in numbers.items():
        options = replace(job.options, model=declared.system, mask=declared.mask or None)
        judging = JudgeOptions(judge=declared.judge, device=options.device)
        state = examine_run(options, judging, clips[declared.split])
        found.append(NeededRun(declared, tuple(of_tables), clips[declared.split], state))
    return found


def _require_work(needed: Sequence[NeededRun]) -> None:
    """Refuse where there is nothing to print but reasons.

    Raises:
        BenchError: no run is finished, and none can start.
    """
    from bench.errors import BenchError

    if needed and not any(each.state.finished or each.state.can_run for each in needed):
        raise BenchError(
            "none of these runs is finished or can start here; what is missing is listed above"
        )


def _carry_out_all(
    needed: Sequence[NeededRun],
) -> tuple[dict[DeclaredRun, Results], dict[DeclaredRun, str]]:
    """Do what can be done; return the results of runs, and why others failed."""
    from bench.cli.console import notices, print_failed

    results = {each.declared: each.state.finished for each in needed if each.state.finished}
    failures: dict[DeclaredRun, str] = {}
    to_do = [each for each in needed if each.state.can_run]
    for number, run in enumerate(to_do, 1):
        heading = f"[{number}/{len(to_do)}] {run.name} on {run.declared.split}"
        notices().print(heading, style="bold")
        try:
            results[run.declared] = _carry_out(run)
        # Any error, of a system of another package too, is the end of this run alone.
        except Exception as error:
            failures[run.declared] = print_failed(error)
    return results, failures


def _render(n_clips: int, workers: int | None) -> None:
    from bench.cli.data import prepare

    prepare("mini", clips=n_clips, workers=workers)


def _carry_out(run: NeededRun) -> Results:
    from bench.cli.console import notify, print_failures, progress_bars
    from bench.pipeline.run import require_ready
    from bench.pipeline.run import run as run_plan

    plan, ahead = run.state.plan, run.state.ahead
    if plan is None or ahead is None:
        raise ValueError("a run that can start has a plan")
    require_ready(plan, ahead, notify)
    with progress_bars() as progress:
        made = run_plan(plan, progress)
    print_failures(made.failures, str(made.directory / "failures.jsonl"))
    return made.results


def _report(
    job: Job,
    needed: Sequence[NeededRun],
    results: Mapping[DeclaredRun, Results],
    failures: Mapping[DeclaredRun, str],
    filled: Reproduction | None,
    page: Path,
) -> None:
    """Print the tables beside the paper's values, and write the page."""
    from bench import __version__
    from bench.cli.console import notices, print_table
    from bench.io import atomic_path
    from reports.paper_tables import build_paper_table
    from reports.reproduction_page import PageFacts, write_page

    made = [
        filled
        if filled and table.number == filled.table.number
        else _fill(table, job.world, needed, results, failures)
        for table in job.tables
    ]
    for each in made:
        print_table(build_paper_table(each, with_paper=True))
    reasons = {run.declared: "; ".join(o.text for o in run.state.obstacles) for run in needed}
    in_full = {
        (each.table.number, row.label): text
        for each in made
        for row in each.table.rows
        if (text := {**reasons, **failures}.get(each.declared(row)))
    }
    facts = PageFacts(job.command, __version__, in_full)
    with atomic_path(page) as temporary:
        temporary.write_text(write_page(made, facts), encoding="utf-8")
    notices().print(f"Every number, run and deviation: {page}")


def _fill(
    table: PublishedTable,
    world: World,
    needed: Sequence[NeededRun],
    results: Mapping[DeclaredRun, Results],
    failures: Mapping[DeclaredRun, str],
) -> Reproduction:
    """Return a table with these runs alone, and short reasons where there is none."""
    from reports.reproductions import FoundRun, choose_runs

    made = choose_runs(table, world, [FoundRun(each) for each in results.values()])
    first = {run.declared: run.state.obstacles[0] for run in needed if run.state.obstacles}
    short = {
        # As ``bench table`` names it.
        declared: "no checkpoint"
        if piece.kind == "needs" and "weights" in piece.text
        else SHORT_REASONS[piece.kind]
        for declared, piece in first.items()
    } | dict.fromkeys(failures, FAILED)
    reasons = {
        row.label: short.get(made.declared(row), made.reasons[row.label])
        for row in table.rows
        if row.label in made.reasons
    }
    return replace(made, reasons=reasons)
