"""The losses of a run by step: a CSV file that a resumed run continues."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.errors import RunError
from bench.io import atomic_path

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
