"""A run folder of someone else, read without trusting it.

Nothing is written. Names in the files of a submission never become paths: only names of clips of
the split do, which is opened here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.checkpoints.registry import weights_directory
from bench.checkpoints.verify import require_weights
from bench.errors import RunError
from bench.io import read_json
from bench.judges import Judge
from bench.pipeline.journal import Entry, Journal, row_kind
from bench.pipeline.plan import GROUND_TRUTH
from bench.pipeline.roles import Pair, Scoring
from bench.results import Failure, Results, load_rows
from bench.splits import Split, require_files
from bench.suite import Metric, select_computable
from bench.types import Clip, Excerpt

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


def find_links(home: Path) -> Iterator[str]:
    """Yield a sentence for each link that leaves the folder, and for what is no file or folder."""
    root = home.resolve()
    for folder, folders, files in os.walk(root):
        for name in sorted((*folders, *files)):
            path = Path(folder) / name
            inside = path.relative_to(root)
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                yield f"{inside} is a link to a place outside the run folder; put the file there"
            elif not path.is_file() and not path.is_dir():
                yield f"{inside} is neither a file nor a folder"


def read_table(directory: Path) -> tuple[tuple[TableRow, ...], str]:
    """Return the rows of ``scores.parquet``, and a sentence if it cannot be read, else ""."""
    try:
        frame = load_rows(directory)
    except Exception as error:  # what damaged bytes raise depends on where they are
        return (), f"scores.parquet cannot be read: {first_line(error)}"
    if "clip" not in frame or not all(isinstance(name, str) for name in frame["clip"]):
        return (), "scores.parquet has no column of the names of clips"
    names = [str(name) for name in frame.columns]
    return tuple(dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False)), ""


def read_failures(directory: Path) -> tuple[tuple[Failure, ...], str]:
    """Return the rows of ``failures.jsonl``, and a sentence if it cannot be read, else ""."""
    try:
        lines = (directory / "failures.jsonl").read_text(encoding="utf-8").splitlines()
        found = tuple(Failure(**json.loads(line)) for line in lines)
    except (OSError, ValueError, TypeError) as error:
        return (), f"failures.jsonl cannot be read: {first_line(error)}"
    if not all(isinstance(failure.clip, str) for failure in found):
        return (), "failures.jsonl names a clip by something that is no text"
    return found, ""


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
    facts = read_json(submission.directory / "provenance.json")["extractors"]
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
