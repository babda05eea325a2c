"""A run from end to end: generate, extract, score, write. A rerun does only what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bench.engine import open_engine
from bench.errors import RunError
from bench.files import read_json, write_json
from bench.results import Failure, Results, write_failures, write_results, write_rows
from bench.runs.evaluate import Ledger, Progress, Row, evaluate, summarise
from bench.runs.generate import generate_samples
from bench.runs.journal import Journal, file_identity, row_kind
from bench.runs.plan import Estimate, RunPlan, estimate, scoring_fingerprint
from bench.runs.provenance import provenance
from bench.runs.remarks import sample_notes
from bench.runs.score import Pair
from bench.types import Clip, Excerpt


@dataclass(frozen=True)
class RunResult:
    """What a run found, the clips that have no score, and where everything lies."""

    results: Results
    failures: tuple[Failure, ...]
    directory: Path
    provenance: Mapping[str, Any]


def look_ahead(plan: RunPlan, *, fresh: bool = False) -> Estimate:
    """What ``run`` would do now, and what it would cost; nothing is changed."""
    if fresh or not _journal_path(plan).exists():
        return estimate(plan, to_generate=len(plan.clips), to_score=len(plan.clips))
    _check_configuration(plan)
    with _opened_journal(plan) as journal:
        to_generate = _without_sample(plan, journal)
        to_score = {clip.name for clip in (*to_generate, *_without_row(plan, journal))}
    return estimate(plan, to_generate=len(to_generate), to_score=len(to_score))


def run(plan: RunPlan, progress: Progress, *, fresh: bool = False) -> RunResult:
    """Carry out a plan and write its results below ``plan.directory``.

    Raises:
        RunError: another process works on this run, or the directory holds a different one.
        BenchError: the system cannot be opened.
    """
    with _locked(plan.directory):
        if fresh:
            _empty(plan.directory)
        _check_configuration(plan)
        facts = provenance(plan.judge, plan.device)
        _write_run(plan, facts, {})
        ledger = Ledger(progress, _refusals(plan))
        with _opened_journal(plan) as journal:
            _generate(plan, journal, ledger)
            _score(plan, journal, ledger)
            results = _write_results(plan, journal, ledger)
        _write_run(plan, facts, ledger.seconds_per_clip())
        return RunResult(results, _sorted(ledger.failures), plan.directory, facts)


def _refusals(plan: RunPlan) -> list[Failure]:
    """Clips that the split could not use; a run of its first clips says nothing of them."""
    refused = () if plan.is_partial else plan.split.refused
    return [Failure(each.clip, "split", each.reason) for each in refused]


def _sorted(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """By clip, whichever worker was done first."""
    return tuple(sorted(failures, key=lambda failure: (failure.clip, failure.stage)))


def _generate(plan: RunPlan, journal: Journal, ledger: Ledger) -> None:
    clips = _without_sample(plan, journal)
    outcomes = generate_samples(plan, clips, open_engine(plan.workers))
    made = ledger.successes("generate", outcomes, len(clips), lambda job: job.clip.name)
    for job, notes in made:
        journal.add(
            "sample",
            job.clip.name,
            plan.sample_fingerprint(job.clip),
            file=file_identity(job.destination),
            **notes,
        )


def _score(plan: RunPlan, journal: Journal, ledger: Ledger) -> None:
    failed = ledger.failed_clips()
    pairs = [_pair(plan, c) for c in _without_row(plan, journal) if c.name not in failed]
    for row in evaluate(pairs, plan.scoring, plan.workers, ledger):
        made_from = scoring_fingerprint(plan, row.pair.clip)
        kind = _row_kind(plan)
        journal.add(kind, row.pair.clip.name, made_from, keys=row.keys, scores=row.scores)


def _write_results(plan: RunPlan, journal: Journal, ledger: Ledger) -> Results:
    failed = ledger.failed_clips()
    rows = []
    for clip in plan.clips:
        entry = journal.find(_row_kind(plan), clip.name, scoring_fingerprint(plan, clip))
        if entry is not None and clip.name not in failed:
            rows.append(Row(_pair(plan, clip), entry["keys"], entry["scores"]))
    results = summarise(
        plan.identity,
        rows,
        plan.scoring,
        expected=len(plan.clips) + len(_refusals(plan)),
        notes=(*_partial_note(plan), *_sample_notes(rows, journal)),
    )
    directory = plan.results_directory
    write_rows(directory / "scores.parquet", [row.flat() for row in rows], plan.metrics)
    write_failures(directory, _sorted(ledger.failures))
    facts = provenance(plan.judge, plan.device)
    write_json(directory / "provenance.json", facts)
    write_results(directory, results)
    return results


def _partial_note(plan: RunPlan) -> tuple[str, ...]:
    whole = len(plan.split.clips) + len(plan.split.refused)
    return (f"only the first {len(plan.clips)} of {whole} clips",) if plan.is_partial else ()


def _sample_notes(rows: Iterable[Row], journal: Journal) -> tuple[str, ...]:
    names = [row.pair.clip.name for row in rows]
    return sample_notes({name: journal.latest("sample", name) or {} for name in names})


def _row_kind(plan: RunPlan) -> str:
    return row_kind(plan.judge.name, plan.judge.profile)


def _pair(plan: RunPlan, clip: Clip) -> Pair:
    return Pair(clip, Excerpt(plan.sample_path(clip), 0.0, clip.seconds))


def _without_sample(plan: RunPlan, journal: Journal) -> list[Clip]:
    def has_sample(clip: Clip) -> bool:
        entry = journal.find("sample", clip.name, plan.sample_fingerprint(clip))
        return entry is not None and entry["file"] == file_identity(plan.sample_path(clip))

    return [clip for clip in plan.clips if not has_sample(clip)]


def _without_row(plan: RunPlan, journal: Journal) -> list[Clip]:
    def has_row(clip: Clip) -> bool:
        entry = journal.find(_row_kind(plan), clip.name, scoring_fingerprint(plan, clip))
        return entry is not None and plan.scoring.holds(clip, entry["keys"])

    return [clip for clip in plan.clips if not has_row(clip)]


def _journal_path(plan: RunPlan) -> Path:
    return plan.directory / "journal.jsonl"


@contextmanager
def _opened_journal(plan: RunPlan) -> Iterator[Journal]:
    journal = Journal(_journal_path(plan))
    try:
        yield journal
    finally:
        journal.close()


def _check_configuration(plan: RunPlan) -> None:
    """Refuse a directory that holds another run under the same name."""
    path = plan.directory / "run.json"
    if not path.exists():
        return
    found = read_json(path).get("configuration")
    if found != plan.configuration():
        raise RunError(f"{plan.directory} holds another run ({found}); move it away or use --fresh")


def _write_run(
    plan: RunPlan, facts: Mapping[str, Any], seconds_per_clip: Mapping[str, float]
) -> None:
    """Write ``run.json``, keeping the timings of earlier sittings where this one has none."""
    path = plan.directory / "run.json"
    earlier = read_json(path).get("seconds_per_clip", {}) if path.exists() else {}
    write_json(
        path,
        {
            "configuration": plan.configuration(),
            "metrics": [metric.name for metric in plan.metrics],
            "clips": len(plan.clips),
            "provenance": facts,
            "seconds_per_clip": {**earlier, **seconds_per_clip},
        },
    )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(directory / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise RunError(f"another process works on {directory}; wait for it, or stop it") from error


def _empty(directory: Path) -> None:
    """Remove what a run wrote, and nothing else."""
    results = [path.parent for path in directory.glob("*/scores.json")]
    for folder in (directory / "samples", directory / "features", *results):
        shutil.rmtree(folder, ignore_errors=True)
    for name in (
        "run.json",
        "provenance.json",
        "journal.jsonl",
        "scores.json",
        "scores.parquet",
        "failures.jsonl",
    ):
        (directory / name).unlink(missing_ok=True)
