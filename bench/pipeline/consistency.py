"""Whether the files of a submission agree with one another, with its split and with its journal.

Every check yields sentences that name a file and, where it is about one, a clip.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from bench.digests import file_identity
from bench.errors import BenchError, MediaError
from bench.media import require_flac
from bench.pipeline.claims import check_bounds, check_claims, check_provenance
from bench.pipeline.evaluate import Row
from bench.pipeline.journal import Entry
from bench.pipeline.plan import fingerprint_scored
from bench.pipeline.provenance import SampleOrigin
from bench.pipeline.samples import count_origins
from bench.pipeline.submission import Submission, first_line
from bench.results import Results
from bench.types import Clip
from bench.untrusted import build, read_json_strictly

#: What run.json and the results have in common.
IDENTITY = ("system", "split", "condition", "seed", "is_mini", "is_anchor")
#: What provenance.json and the results have in common.
SCORED_BY = ("judge", "profile", "suite_version", "protocol_version")
#: What values of other types than a run writes raise.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)
#: What an author declares, equal for all parts and columns of a run.
DECLARED = ("trained_on", "candidates", "non_commercial")


def check_files(submission: Submission) -> Iterator[str]:
    """Yield every contradiction between the files of a submission, its split and its journal."""
    checks = (
        ("scores.parquet", _check_clip_list),
        ("run.json", _check_run_file),
        ("provenance.json", check_provenance),
        ("provenance.json", _check_scored_by),
        ("journal.jsonl", _check_journal),
        ("scores.json", _check_origins),
        ("scores.json", check_claims),
        ("bounds.json", check_bounds),
    )
    for name, check in checks:
        try:
            yield from check(submission)
        except BenchError as error:
            yield f"{name}: {error}"
        except MALFORMED as error:
            yield f"{name} is malformed ({type(error).__name__}: {first_line(error)})"


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
    found, results = read_json_strictly(submission.home / "run.json"), submission.results
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


def _check_scored_by(submission: Submission) -> Iterator[str]:
    """What scored the run is what the results and every row of the journal name."""
    facts, results = (
        read_json_strictly(submission.directory / "provenance.json"),
        submission.results,
    )
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
    rate_hz = submission.declared.sample_rate_hz if submission.declared else None
    for clip in submission.scored:
        made, entry = submission.journal.latest("sample", clip.name), submission.entry_of(clip)
        path = submission.sample_path(clip)
        if not path.is_file():
            yield f"samples/{path.name} is missing: {clip.name} has a row and no sample"
            continue
        try:
            require_flac(path, clip.seconds, rate_hz)
        except MediaError as error:
            yield f"samples/{path.name} is no sample of this run: {error}"
            continue
        digest = file_identity(path)
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
    """What made the scored samples is what the journal has, in the types that a run writes."""
    for each in submission.results.made_by:
        build(SampleOrigin, {name: each[name] for name in each if name != "samples"}, "made_by")
    made = count_origins(submission.journal, submission.scored)
    if json.dumps(made, sort_keys=True) != json.dumps(submission.results.made_by, sort_keys=True):
        yield "scores.json: what made the samples (made_by) is not what journal.jsonl has"
