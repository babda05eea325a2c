"""A run folder of someone else, read without trusting it: whether its files agree.

Nothing is extracted or scored here (``bench.pipeline.verify``), and nothing is written. Every check
yields sentences that name a file and, where it is about one, a clip. Names in the files of a
submission never become paths: only clips of the split do, which is opened here.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.digests import file_identity
from bench.errors import BenchError, RunError
from bench.io import read_json
from bench.judges import Judge
from bench.pipeline.evaluate import Row
from bench.pipeline.journal import Entry, Journal, row_kind
from bench.pipeline.plan import GROUND_TRUTH, fingerprint_scored
from bench.pipeline.roles import Pair, Scoring
from bench.pipeline.samples import count_origins
from bench.results import Failure, Results, load_rows
from bench.splits import Split
from bench.suite import Metric
from bench.types import Clip, Excerpt

#: What run.json and the results have in common.
IDENTITY = ("system", "split", "condition", "seed", "is_mini", "is_anchor")
#: What provenance.json and the results have in common.
SCORED_BY = ("judge", "profile", "suite_version", "protocol_version")
#: What an author declares, equal for all parts and columns of a run.
DECLARED = ("trained_on", "candidates", "non_commercial")

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
        return (), f"scores.parquet cannot be read: {_first_line(error)}"
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
        return (), f"failures.jsonl cannot be read: {_first_line(error)}"
    if not all(isinstance(failure.clip, str) for failure in found):
        return (), "failures.jsonl names a clip by something that is no text"
    return found, ""


def check_files(submission: Submission) -> Iterator[str]:
    """Yield every contradiction between the files of a submission, its split and its journal."""
    checks = {
        "scores.parquet": _check_clip_list,
        "run.json": _check_run_file,
        "provenance.json": _check_provenance,
        "journal.jsonl": _check_journal,
        "scores.json": _check_origins,
    }
    for name, check in checks.items():
        try:
            yield from check(submission)
        except BenchError as error:
            yield f"{name}: {error}"
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield f"{name} is malformed ({type(error).__name__}: {_first_line(error)})"


def _check_clip_list(submission: Submission) -> Iterator[str]:
    """Every clip of the split has one row or a failure, and no other has any."""
    split = submission.split
    refused = {refusal.clip for refusal in split.refused}
    known = {clip.name for clip in split.clips}
    for name, count in Counter(row["clip"] for row in submission.rows).items():
        if name not in known:
            yield f"scores.parquet: {name!r} is no clip of {split.name}"
        if count > 1:
            yield f"scores.parquet: the clip {name!r} has {count} rows"
    failed = {failure.clip for failure in submission.failures}
    for name in sorted(failed):
        if name not in known | refused:
            yield f"failures.jsonl: {name!r} is no clip of {split.name}"
        if name in submission.row_by_clip:
            yield f"failures.jsonl: the clip {name!r} has a row in scores.parquet too"
    yield from _check_counts(submission, failed)
    yield from _find_missing(submission, failed)


def _check_counts(submission: Submission, failed: set[str]) -> Iterator[str]:
    """The numbers of clips are those of the rows."""
    counts = {"scored": len(submission.rows), "failed": len(failed)}
    counts["expected"] = sum(counts.values())
    for what, count in counts.items():
        stated = getattr(submission.results, what)
        if stated != count:
            yield (
                f"scores.json states {what} = {stated}, scores.parquet and failures.jsonl have "
                f"{count}"
            )


def describe_part(submission: Submission) -> str:
    """Return the note of results of a part of a split, for the clips that are named; "" for all."""
    asked, clips = submission.asked, submission.split.clips
    if asked == clips:
        return ""
    which = "the first " if asked == clips[: len(asked)] else ""
    return f"only {which}{len(asked)} of {len(clips) + len(submission.split.refused)} clips"


def _find_missing(submission: Submission, failed: set[str]) -> Iterator[str]:
    """Clips that were left out, unless the results state that they are a part of the split."""
    notes, split = submission.results.notes, submission.split
    stated = [note for note in notes if note.startswith("only ") and note.endswith(" clips")]
    part = describe_part(submission)
    if part in stated:
        return
    asked = {clip.name for clip in submission.asked} | failed
    wanted = [clip.name for clip in split.clips]
    if not stated:
        wanted += [refusal.clip for refusal in split.refused]
    else:  # of the first n, those; of others it is not known which they were
        words = stated[0].split()
        n = int(words[3]) if words[1:3] == ["the", "first"] and words[3].isdecimal() else 0
        wanted = wanted[:n]
        yield f"scores.json states {stated[0]!r}, the rows and failures are of {part or 'all'!r}"
    for name in wanted:
        if name not in asked:
            yield (
                f"{name} is a clip of {split.name} and has neither a row in scores.parquet nor one "
                "in failures.jsonl"
            )


def _check_run_file(submission: Submission) -> Iterator[str]:
    """The run is the one that its configuration names."""
    found, results = read_json(submission.home / "run.json"), submission.results
    for name in IDENTITY:
        stated = found["configuration"][name]
        if stated != getattr(results, name):
            yield f"run.json states {name} {stated!r}, scores.json {getattr(results, name)!r}"
    if results.is_mini != submission.split.is_mini:
        yield f"scores.json states is_mini {results.is_mini}, which {results.split} is not"
    yield from _check_fairness(found.get("fairness"), results)
    made = json.loads(json.dumps(count_origins(submission.journal, submission.split.clips)))
    if found["samples"] != made:
        yield "run.json: what made the samples is not what journal.jsonl has"


def _check_fairness(declared: Mapping[str, Any] | None, results: Results) -> Iterator[str]:
    """The results declare what the run does."""
    if declared and not results.fairness:
        yield "scores.json has no fairness, which run.json declares"
    if declared and results.fairness:
        for name in DECLARED:
            ours = json.loads(json.dumps(asdict(results.fairness)[name]))
            if declared[name] != ours:
                yield f"run.json declares {name} {declared[name]!r}, scores.json {ours!r}"


def _check_provenance(submission: Submission) -> Iterator[str]:
    """What scored the run is what the results and every row of the journal name."""
    facts, results = read_json(submission.directory / "provenance.json"), submission.results
    for name in SCORED_BY:
        if facts[name] != getattr(results, name):
            yield (
                f"provenance.json states {name} {facts[name]!r}, scores.json "
                f"{getattr(results, name)!r}"
            )
    reads = submission.scoring.extractor_names()
    for clip in submission.scored:
        entry = submission.entry_of(clip)
        if entry is None:
            continue
        for name in sorted(reads):
            used, stated = entry["extractors"].get(name), facts["extractors"].get(name)
            if used != stated:
                yield (
                    f"provenance.json states the extractor {name} {stated!r}, journal.jsonl "
                    f"{used!r} for {clip.name}"
                )
                break


def _check_journal(submission: Submission) -> Iterator[str]:
    """Rows were scored from these very files, and are those of the table."""
    for clip in submission.scored:
        made, entry = submission.journal.latest("sample", clip.name), submission.entry_of(clip)
        path = submission.sample_path(clip)
        digest = file_identity(path)
        if digest is None:
            yield f"samples/{path.name} is missing: {clip.name} has a row and no sample"
            continue
        if made is None or made.get("file") != digest:
            yield f"samples/{path.name} is not the sample that journal.jsonl names for {clip.name}"
        if entry is None:
            yield f"journal.jsonl has no row of {clip.name}, which scores.parquet has"
            continue
        expected = fingerprint_scored(submission.judge.profile, clip, path)
        if entry.get("fingerprint") != expected:
            yield (
                f"journal.jsonl: the row of {clip.name} was not scored from this sample, or from "
                "another true clip, window or prompt than those of the split here"
            )
        yield from _compare_row(submission, clip, entry)


def _compare_row(submission: Submission, clip: Clip, entry: Entry) -> Iterator[str]:
    row = submission.row_by_clip[clip.name]
    expected = Row(submission.pair_of(clip), entry["keys"], entry["scores"]).flat()
    columns = [metric.name for metric in submission.metrics if metric.score is not None]
    for name in columns:
        if name not in entry["scores"]:
            yield f"journal.jsonl: the row of {clip.name} has no {name}"
    about = [name for name in expected if name not in entry["scores"]]
    for name in (*about, *columns, "true_onsets", "generated_onsets"):
        if not _is_same(row.get(name), expected.get(name)):
            yield (
                f"scores.parquet: {name} of {clip.name} is {row.get(name)!r}, expected "
                f"{expected.get(name)!r} by journal.jsonl and the split"
            )


def _is_same(found: object, expected: object) -> bool:
    """Whether a cell of the table is a value of the journal, where None means "not scored"."""
    # pandas has its own missing value, which is equal to nothing and no number.
    is_missing = found is None or type(found).__name__ == "NAType"
    if is_missing or (isinstance(found, float) and math.isnan(found)):
        return expected is None
    # A list would compare element by element.
    return isinstance(expected, str | int | float) and bool(found == expected)


def _check_origins(submission: Submission) -> Iterator[str]:
    """What made the scored samples is what the journal has."""
    made = count_origins(submission.journal, submission.scored)
    if json.dumps(made, sort_keys=True) != json.dumps(submission.results.made_by, sort_keys=True):
        yield "scores.json: what made the samples (made_by) is not what journal.jsonl has"


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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
