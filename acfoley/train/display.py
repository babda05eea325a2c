"""Progress of encoding and of training on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from acfoley.train.precompute import OnClip
from acfoley.train.settings import OnStep, StepReport
from bench.terminal import make_plain_console


def format_duration(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds.

    >>> format_duration(3_725)
    '1:02:05'
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def format_report(report: StepReport) -> str:
    """Return one line about a step."""
    return (
        f"step {report.step:,} of {report.n_steps:,}  {report.stage}  loss {report.loss:.4f}  "
        f"rate {report.learning_rate:.2e}  {report.clips_per_second:.1f} clips/s  "
        f"{format_duration(report.seconds_left)} left"
    )


@contextmanager
def training_progress(every: int) -> Iterator[OnStep]:
    """Yield a callback for each step: a bar on a terminal, else a line after ``every`` steps."""
    console = make_plain_console(stderr=True)
    # A bar redraws its line, which the log file of a cluster cannot show: it gets lines.
    if not console.is_terminal:

        def print_report(report: StepReport) -> None:
            if report.step % every == 0 or report.step == report.n_steps:
                console.print(format_report(report))

        yield print_report
        return
    columns = (
        TextColumn("{task.description:<11}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}", markup=False),
    )
    with Progress(*columns, console=console) as bars:
        task = bars.add_task("starting", total=None, numbers="")

        def update(report: StepReport) -> None:
            numbers = (
                f"loss {report.loss:.4f}  {report.clips_per_second:.1f} clips/s  "
                f"{format_duration(report.seconds_left)} left"
            )
            bars.update(
                task,
                description=report.stage,
                completed=report.step,
                total=report.n_steps,
                numbers=numbers,
            )

        yield update


@contextmanager
def clip_progress() -> Iterator[OnClip]:
    """Yield a callback that shows how many clips are finished."""
    columns = (
        TextColumn("clips", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=make_plain_console(stderr=True)) as bars:
        task = bars.add_task("clips", total=None)

        def update(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield update
