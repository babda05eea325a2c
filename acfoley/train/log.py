"""What encoding and training report: losses in CSV files, and progress on standard error."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from bench.errors import RunError
from bench.io import atomic_path
from bench.terminal import make_plain_console

if TYPE_CHECKING:
    from acfoley.train.precompute import OnClip

TRAINING_COLUMNS = ("step", "stage", "loss", "learning_rate", "gradient_norm", "clips_per_second")
VALIDATION_COLUMNS = ("step", "stage", "loss", "n_clips")


class CsvLog:
    """A CSV file of one row per step, each on disk when it is added.

    Rows of steps after ``step`` are removed first: a resumed run computes these steps again.
    """

    def __init__(self, path: Path, columns: tuple[str, ...], step: int) -> None:
        self._path, self._columns = path, columns
        kept = [row for row in read_log(path) if int(row["step"]) <= step]
        with atomic_path(path) as temporary:
            temporary.write_text(_format_rows(columns, kept, header=True), encoding="utf-8")

    def add(self, **values: object) -> None:
        """Append a row; ValueError unless it has a value for every column."""
        if set(values) != set(self._columns):
            raise ValueError(f"a row has {sorted(values)}, expected {sorted(self._columns)}")
        # Opened for each row: a run that is killed loses at most the row that it is writing.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_format_rows(self._columns, [values], header=False))


def read_log(path: Path) -> list[dict[str, str]]:
    """Return the rows of a log, [] where it does not exist.

    Raises:
        RunError: the file is no log of a run.
    """
    if not path.exists():
        return []
    # A last line without its line break was cut off by a killed process.
    content = path.read_text("utf-8")
    rows = list(csv.DictReader(content[: content.rfind("\n") + 1].splitlines()))
    if any(not (row.get("step") or "").isdigit() for row in rows):
        raise RunError(f"{path} is no log of a training run: move it away")
    return rows


def _format_rows(
    columns: tuple[str, ...], rows: Sequence[Mapping[str, object]], *, header: bool
) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


@dataclass(frozen=True)
class StepReport:
    """The progress of training after a step."""

    step: int
    n_steps: int
    stage: str
    loss: float
    learning_rate: float
    clips_per_second: float
    seconds_left: float


OnStep = Callable[[StepReport], None]


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
