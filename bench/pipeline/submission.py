"""A run folder of someone else, read without trusting it.

Nothing is written. Names in the files of a submission never become paths: only names of clips of
the split do, which is opened here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench import untrusted
from bench.checkpoints.registry import weights_directory
from bench.checkpoints.verify import require_weights
from bench.errors import BenchError, RunError
from bench.judges import Judge
from bench.pipeline.journal import Entry, Journal, row_kind
from bench.pipeline.plan import GROUND_TRUTH
from bench.pipeline.roles import Pair, Scoring
from bench.plugins import FOLDER, open_system, read_declarations
from bench.results import AXIS_PREFIX, Failure, Results
from bench.splits import Split, require_files
from bench.suite import Metric, select_computable
from bench.system import System
from bench.types import Clip, Excerpt

#: The columns of ``scores.parquet`` beside groups and scores.
ROW_COLUMNS = frozenset({"clip", "group", "cluster", "true_onsets", "generated_onsets"})
#: So large may failures and journal be: a clip has a few rows of up to 5 kB.
MOST_FAILURE_BYTES = 2**28
JOURNAL_BYTES, CLIP_BYTES = 2**24, 2**16

TableRow = Mapping[str, Any]


@dataclass(frozen=True)
class Submission:
    """The results in ``directory`` of the run in ``home``, with the split and judge to check them.

    ``rows`` are those of ``scores.parquet`` in its order, ``failures`` those of ``failures.jsonl``.
    """

    directory: Path
    home: Path
    results: Results
    split: Split
    judge: Judge
    metrics: tuple[Metric, ...]
    journal: Journal
    rows: tuple[TableRow, ...]
    failures: tuple[Failure, ...]

    @property
    def scoring(self) -> Scoring:
        """What was computed of the samples, and where their features are."""
        is_shared = self.results.system == GROUND_TRUTH and not (self.home / "features").exists()
        return Scoring(self.metrics, self.judge, None if is_shared else self.home)

    @cached_property
    def row_by_clip(self) -> dict[str, TableRow]:
        """The rows of ``scores.parquet`` by the name of their clip."""
        return {row["clip"]: row for row in self.rows}

    @cached_property
    def asked(self) -> tuple[Clip, ...]:
        """The clips of the split that have a row or a failure, in its order."""
        named = self.row_by_clip.keys() | {failure.clip for failure in self.failures}
        return tuple(clip for clip in self.split.clips if clip.name in named)

    @cached_property
    def configuration(self) -> Mapping[str, Any]:
        """What ``run.json`` states that was run; {} if it does not, which is a problem of it."""
        return read_configuration(self.home)

    @property
    def model(self) -> str:
        """The system as it was asked for."""
        return str(self.configuration.get("model"))

    @cached_property
    def declared(self) -> System | None:
        """The system of this name that is installed here."""
        return find_declared(self.model)

    @property
    def scored(self) -> tuple[Clip, ...]:
        """The clips of the split that have a row, in its order."""
        return tuple(clip for clip in self.asked if clip.name in self.row_by_clip)

    def pair_of(self, clip: Clip) -> Pair:
        """Return a clip with its sample."""
        return Pair(clip, Excerpt(self.sample_path(clip), 0.0, clip.seconds))

    def sample_path(self, clip: Clip) -> Path:
        """The path of the sample of a clip of the split, whether it exists or not."""
        return self.home / "samples" / f"{clip.name}.flac"

    def entry_of(self, clip: Clip) -> Entry | None:
        """Return the row of a clip in the journal; None if it is missing or malformed."""
        kind = row_kind(self.judge.name, self.judge.profile)
        entry = self.journal.latest(kind, clip.name)
        parts = ("keys", "scores", "extractors")
        is_whole = entry is not None and all(isinstance(entry.get(part), dict) for part in parts)
        return entry if is_whole else None


def read_table(path: Path, split: Split, metrics: Sequence[Metric]) -> tuple[TableRow, ...]:
    """Return the rows of ``scores.parquet``.

    Raises:
        RunError: it cannot be read, has more rows than the split has clips, or other columns.
    """
    axes = {f"{AXIS_PREFIX}{axis}" for clip in split.clips for axis in clip.groups}
    scores = {metric.name for metric in metrics if metric.score is not None}
    try:
        table = untrusted.read_table(path, 2 * len(split.clips))  # some may be there twice
        untrusted.require_columns(table.column_names, ROW_COLUMNS | axes | scores)
    except BenchError as error:
        raise RunError(f"scores.parquet cannot be read: {error}") from error
    rows = table.to_pylist()
    if not all(isinstance(row.get("clip"), str) for row in rows):
        raise RunError("scores.parquet has no column of the names of clips")
    return tuple(rows)


def read_failures(path: Path) -> tuple[Failure, ...]:
    """Return the rows of ``failures.jsonl``.

    Raises:
        RunError: it cannot be read.
    """
    try:
        lines = untrusted.read_bytes(path, MOST_FAILURE_BYTES).splitlines()
        return tuple(untrusted.build(Failure, untrusted.parse_json(line), "it") for line in lines)
    except (BenchError, ValueError, TypeError) as error:
        raise RunError(f"failures.jsonl cannot be read: {first_line(error)}") from error


def read_journal(path: Path, split: Split) -> Journal:
    """Return the entries of ``journal.jsonl``.

    Raises:
        RunError: it is missing, is too large for the clips of the split, or cannot be read.
    """
    if not path.is_file():
        raise RunError("journal.jsonl is missing, in this folder and the two above it")
    most_bytes = JOURNAL_BYTES + CLIP_BYTES * (len(split.clips) + len(split.refused))
    try:
        # Every line: a journal reads an entry when it is asked for, and not by these rules.
        for line in untrusted.read_bytes(path, most_bytes).splitlines(keepends=True):
            if line.endswith(b"\n"):
                untrusted.parse_json(line)
        return Journal(path)
    except (BenchError, ValueError) as error:
        raise RunError(f"journal.jsonl cannot be read: {first_line(error)}") from error


def find_declared(model: str) -> System | None:
    """Return the system that ``run.json`` names, if installed packages declare it.

    ``package.module:NAME`` would import what a submission names, and an argument that is a path
    would read what it names: for both None, as for a name that is not known.
    """
    name, _, argument = model.partition(":")
    row = read_declarations("system").find(name)
    if row is None or bool(argument) != bool(row.argument):
        return None
    if row.argument == FOLDER or "/" in argument:
        return None
    try:
        return open_system(model)
    except (BenchError, ValueError, ArithmeticError):  # an argument that is none
        return None


def read_configuration(home: Path) -> Mapping[str, Any]:
    """Return the configuration in ``run.json``; {} where it has none, a problem of its own."""
    try:
        found = untrusted.read_json_strictly(home / "run.json")["configuration"]
    except (BenchError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def require_inputs(submission: Submission) -> None:
    """Refuse a submission whose clips, columns or weights are not here: nothing is wrong with it.

    Raises:
        MissingError: files or weights are missing; the message has the command.
        RunError: a clip with a row cannot take part here, or a column cannot be computed.
    """
    split, judge = submission.split, submission.judge
    for refusal in split.refused:
        if refusal.clip in submission.row_by_clip:
            raise RunError(
                f"{refusal.clip} has a row, and is not checked with the copy of {split.name} that "
                f"is here: {refusal.reason}"
            )
    require_files(split, submission.scored)
    computable = select_computable(submission.metrics, judge)
    if lost := [metric.name for metric in submission.metrics if metric not in computable]:
        raise RunError(
            "; ".join((f"the judge {judge.name} cannot compute {', '.join(lost)}", *judge.missing))
        )
    if needed := submission.scoring.weights():
        require_weights(needed, judge.weights or weights_directory())


def require_current(results: Results, suite_version: int, protocol_version: int) -> None:
    """Refuse results whose numbers this version cannot compute.

    Raises:
        RunError: they are of another version of the suite or the protocol.
    """
    for what, found, here in (
        ("suite", results.suite_version, suite_version),
        ("protocol", results.protocol_version, protocol_version),
    ):
        if found != here:
            raise RunError(
                f"{results.system} was scored by {what} version {found}, this is version {here}: "
                "verify it with that version of foley-bench, or score it again"
            )


def require_extractors(submission: Submission, read: Sequence[str]) -> None:
    """Refuse results of extractors that are others here, whose features cannot be compared.

    Raises:
        RunError: an extractor has another version here.
    """
    path = submission.directory / "provenance.json"
    facts = untrusted.read_json_strictly(path)["extractors"]
    for each in submission.judge.extractors:
        if each.name in read and facts.get(each.name) != each.version:
            raise RunError(
                f"{submission.directory} was scored by the extractor {each.name} "
                f"{facts.get(each.name)}, here it is {each.version}: install the packages that "
                "its provenance.json names"
            )


def first_line(error: Exception) -> str:
    """Return the first line of an error, its type where it has no text."""
    return (str(error).splitlines() or [type(error).__name__])[0]
