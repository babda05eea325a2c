"""What ``bench reproduce`` would do: its runs, what is missing with the commands, and the cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from bench.cli.reproduce import Job, NeededRun
    from bench.pipeline.readiness import MissingPiece

#: Sentences are no wider than this, however wide the terminal is.
TEXT_WIDTH = 100
GIBIBYTE = 2**30
#: The licence of this package.
OURS = "Apache-2.0"
#: The order in which pieces are fixed.
KINDS = ("clips", "needs", "system", "samples", "refused", "columns")


def print_plan(job: Job, needed: Sequence[NeededRun], *, is_dry: bool) -> None:
    """Print the plan: on standard output if it is all there is, else on standard error."""
    from bench.cli.console import console, notices

    out = console() if is_dry else notices()
    pieces = _collect_pieces(needed)
    for line in _describe_job(job, needed):
        _print_text(out, line)
    if needed:
        _print_runs(out, needed, pieces)
    for number, (piece, runs) in enumerate(pieces, 1):
        left_out = "without this, columns are left out of" if piece.kind == "columns" else "for"
        many = f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
        _print_text(out, f"{_name_piece(piece, runs)} ({left_out} {many})", f"{number:>2}  ")
    for line in _describe_cost(job, needed):
        _print_text(out, line)


def _print_text(out: Console, text: str, before: str = "") -> None:
    """Print a sentence, its further lines below what follows ``before``."""
    from rich.table import Table
    from rich.text import Text

    line = Table.grid(padding=0)
    line.add_row(*([before] if before else []), Text(text, overflow="fold"))
    out.print(line, width=min(out.width, TEXT_WIDTH))


def _describe_job(job: Job, needed: Sequence[NeededRun]) -> Iterable[str]:
    from bench.cli.table3 import describe_plan

    rows = [row for table in job.tables for row in table.rows]
    n_finished = sum(each.state.finished is not None for each in needed)
    n_ready = sum(each.state.can_run for each in needed)
    n_blocked = len(needed) - n_finished - n_ready
    yield (
        f"{job.command}: rows {len(rows)}, runs {len(needed)}: {n_finished} finished, {n_ready} "
        f"can run here, {n_blocked} cannot"
    )
    reasons: dict[str, int] = {}
    has_study = job.world == "mini" or job.study is not None
    for table in job.tables:
        for row in table.rows if not (table.is_study and has_study) else ():
            if reason := row.runs[job.world].missing:
                reasons[reason] = reasons.get(reason, 0) + 1
    if reasons:
        listed = ", ".join(f"{count} ({reason})" for reason, count in reasons.items())
        yield f"rows without a run: {listed}"
    yield from (describe_plan(table, job) for table in job.tables if table.is_study)
    if n_clips := max((each.n_to_render for each in needed), default=0):
        yield f"mini clips to render first: {n_clips}"


def _collect_pieces(needed: Sequence[NeededRun]) -> list[tuple[MissingPiece, list[NeededRun]]]:
    """Each missing piece once, with the runs that need it, in the order of ``KINDS``."""
    found: dict[tuple[str, str], tuple[MissingPiece, list[NeededRun]]] = {}
    of_clips = [p for run in needed for p in run.state.missing if p.kind == "clips"]
    for run in needed:
        for piece in run.state.missing:
            if piece.kind == "clips":  # one split may need another first, whose text then begins
                same = (each for each in of_clips if each.text.startswith(piece.text))
                piece = max(same, key=lambda each: len(each.text))
            found.setdefault((piece.kind, piece.text), (piece, []))[1].append(run)
    return sorted(found.values(), key=lambda found: KINDS.index(found[0].kind))


def _name_piece(piece: MissingPiece, runs: Sequence[NeededRun]) -> str:
    if piece.kind in ("clips", "columns"):
        return piece.text
    systems = ", ".join(dict.fromkeys(run.declared.system for run in runs))
    if piece.kind == "needs":
        return f"{systems}: needs {piece.text}"
    return f"{systems}: {piece.text}"


def _print_runs(
    out: Console,
    needed: Sequence[NeededRun],
    pieces: Sequence[tuple[MissingPiece, Sequence[NeededRun]]],
) -> None:
    """Print a line per run below its split."""
    from rich.text import Text

    from bench.cli.console import new_table

    drawn = new_table()
    drawn.add_column("run", overflow="fold")
    drawn.add_column("tables")
    for heading in ("clips left", "one GPU", "here"):
        drawn.add_column(heading, justify="right")
    drawn.add_column("state")
    splits = dict.fromkeys(run.declared.split for run in needed)
    for split in splits:
        drawn.add_row(Text(split, style="italic"))
        for run in (each for each in needed if each.declared.split == split):
            drawn.add_row(f"  {run.name}", *_describe_run(run, pieces))
    out.print(drawn)


def _describe_run(
    run: NeededRun, pieces: Sequence[tuple[MissingPiece, Sequence[NeededRun]]]
) -> tuple[str, ...]:
    state, tables = run.state, ", ".join(map(str, run.tables))
    if state.finished is not None:
        return tables, "0", "", "", "finished"
    numbers: dict[bool, list[str]] = {True: [], False: []}
    for number, (piece, runs) in enumerate(pieces, 1):
        if run in runs:
            numbers[piece.kind == "columns"].append(str(number))
    text = f"needs {', '.join(numbers[False])}" if numbers[False] else "can run"
    if numbers[True]:
        text += f", columns need {', '.join(numbers[True])}"
    if state.ahead is None or state.gpu_seconds is None:
        return tables, f"{run.clips.n_clips:,}", "?", "?", text
    left = run.clips.n_clips if not run.clips.are_here else state.ahead.to_score
    here = _write_duration(state.ahead.seconds)
    return tables, f"{left:,}", _write_duration(state.gpu_seconds), here, text


def _describe_cost(job: Job, needed: Sequence[NeededRun]) -> Iterable[str]:
    """What is left in time and disk, of all runs and of those that can run here."""
    from bench.pipeline.run import format_duration

    left = [each for each in needed if each.state.finished is None]
    known = [(run, run.state.ahead) for run in left if run.state.ahead is not None]
    if not known:
        return
    gpu_s = sum(run.state.gpu_seconds or 0 for run, _ in known)
    need = sum(ahead.bytes_needed for _, ahead in known) / GIBIBYTE
    free = known[0][1].bytes_free / GIBIBYTE
    unknown = len(left) - len(known)
    lost = f"; not counted are runs of systems that are not here: {unknown}" if unknown else ""
    yield (
        f"left: {gpu_s / 3_600:,.2f} GPU hours, {need:,.2f} GiB of disk ({free:.0f} GiB free){lost}"
    )
    here_s = sum(ahead.seconds for run, ahead in known if run.state.can_run)
    if here_s:
        yield f"what can run here on {job.options.device} takes about {format_duration(here_s)}"
    yield from _describe_licences([run for run, _ in known])
    measured = [stage for _, ahead in known for stage in ahead.times.values()]
    n_measured = sum(each.is_measured for each in measured)
    yield f"rates measured in earlier runs: {n_measured} of {len(measured)}, any other is guessed"


def _describe_licences(runs: Sequence[NeededRun]) -> Iterable[str]:
    """The licences of systems that are not this package's own, a line each."""
    named: dict[str, dict[str, None]] = {}
    for run in runs:
        if run.state.plan and (licence := run.state.plan.system.licence) != OURS:
            named.setdefault(licence, {})[run.declared.system] = None
    for licence, systems in named.items():
        yield f"licence {licence}: {', '.join(systems)}"


def _write_duration(seconds: float) -> str:
    """Return a length of time in its largest unit: ``3.5 h``, ``12 days``."""
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return (
                f"{seconds / size:,.0f} {unit}"
                if seconds >= 10 * size
                else f"{seconds / size:.1f} {unit}"
            )
    return f"{seconds:.0f} s"
