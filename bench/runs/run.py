"""A run from end to end: generate, extract, score, write. A rerun does only what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from bench.backbones.verify import describe_missing, missing_weights
from bench.backbones.weights import weights_directory
from bench.digests import hash_files
from bench.engine import open_engine
from bench.errors import MissingError, RunError
from bench.files import read_json, write_json
from bench.results import (
    Failure,
    Results,
    load_results,
    write_failures,
    write_results,
    write_rows,
)
from bench.runs.estimate import Estimate, estimate
from bench.runs.evaluate import Ledger, Progress, Row, evaluate, summarise
from bench.runs.generate import generate_samples
from bench.runs.journal import Entry, Journal, row_kind
from bench.runs.plan import RunPlan, scoring_fingerprint
from bench.runs.provenance import provenance
from bench.runs.remarks import sample_notes
from bench.runs.samples import (
    Samples,
    choose_clips,
    count_origins,
    describe_stale,
    examine_samples,
    remember_sample,
)
from bench.runs.score import Pair, Scoring
from bench.suite import SUITE_VERSION, computable, select
from bench.types import Clip, Excerpt


@dataclass(frozen=True)
class RunResult:
    """What a run found, the clips that have no score, and where everything is."""

    results: Results
    failures: tuple[Failure, ...]
    directory: Path
    provenance: Mapping[str, Any]


def no_progress(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def look_ahead(plan: RunPlan, progress: Progress = no_progress, *, fresh: bool = False) -> Estimate:
    """What ``run`` would do now, and what it would cost; nothing is changed.

    Raises:
        RunError: the directory holds another run, or samples of other code, weights or devices
            that the plan does not say what to do with.
    """
    if fresh or not _journal_path(plan).exists():
        return estimate(plan, to_generate=len(plan.clips), to_score=len(plan.clips))
    _check_configuration(plan)
    plan = with_finished_columns(plan)
    hash_files(plan.files(), partial(progress, "hash"))
    with _opened_journal(plan) as journal:
        samples = examine_samples(plan, journal)
        to_generate = choose_clips(plan, samples)
        to_score = {clip.name for clip in (*to_generate, *_without_row(plan, journal))}
    stale = "" if plan.stale == "keep" else describe_stale(plan, samples)
    found = estimate(plan, to_generate=len(to_generate), to_score=len(to_score))
    return replace(found, stale=stale)


def run(
    plan: RunPlan,
    progress: Progress,
    *,
    fresh: bool = False,
    verify_bytes: bool = False,
) -> RunResult:
    """Carry out a plan and write its results below ``plan.directory``.

    ``fresh`` forgets what was made of these clips before. ``verify_bytes`` reads all media and
    samples again instead of trusting the digests that are remembered.

    Raises:
        RunError: another process works on this run, or the directory holds a different one, or
            samples of other code, weights or devices that the plan does not say what to do with.
        BenchError: the system cannot be opened.
    """
    with _locked(plan.directory):
        if fresh:
            _discard(plan)
        _check_configuration(plan)
        plan = with_finished_columns(plan)
        if verify_bytes:
            hash_files(plan.files(), partial(progress, "hash"), is_fresh=True)
        facts = provenance(plan.judge, plan.device)
        ledger = Ledger(progress, _refusals(plan))
        with _opened_journal(plan) as journal:
            samples = examine_samples(plan, journal)
            _write_run(plan, journal, facts, {})
            _generate(plan, journal, choose_clips(plan, samples), ledger)
            _score(plan, journal, ledger)
            results = _write_results(plan, journal, samples, ledger)
            _write_run(plan, journal, facts, ledger.seconds_per_clip())
        return RunResult(results, _sorted(ledger.failures), plan.results_directory, facts)


def with_finished_columns(plan: RunPlan) -> RunPlan:
    """Add the columns that earlier calls have finished, so that a question adds to the answer."""
    if not (plan.results_directory / "scores.json").is_file():
        return plan
    try:
        before = load_results(plan.results_directory)
    except RunError:  # of another version, whose numbers do not mix with these
        return plan
    if before.suite_version != SUITE_VERSION:
        return plan
    names = {metric.name for metric in plan.metrics} | {column.name for column in before.columns}
    known = computable(select(plan.judge.profile), plan.judge)
    return replace(plan, metrics=tuple(metric for metric in known if metric.name in names))


def _refusals(plan: RunPlan) -> list[Failure]:
    """Clips that the split could not use; a run of a part of the clips says nothing of them."""
    refused = () if plan.subset else plan.split.refused
    return [Failure(each.clip, "split", each.reason) for each in refused]


def _sorted(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """By clip, whichever worker was done first."""
    return tuple(sorted(failures, key=lambda failure: (failure.clip, failure.stage)))


def _generate(plan: RunPlan, journal: Journal, clips: list[Clip], ledger: Ledger) -> None:
    outcomes = generate_samples(plan, clips, open_engine(plan.workers))
    made = ledger.successes("generate", outcomes, len(clips), lambda job: job.clip.name)
    for job, notes in made:
        remember_sample(plan, journal, job.clip, notes)


def _score(plan: RunPlan, journal: Journal, ledger: Ledger) -> None:
    failed = ledger.failed_clips()
    clips = [clip for clip in _without_row(plan, journal) if clip.name not in failed]
    if clips:
        _require_weights(plan, len(clips))
    kind, reads, versions = _row_kind(plan), _reads_by_column(plan), _versions(plan)
    for row in evaluate([_pair(plan, c) for c in clips], plan.scoring, plan.workers, ledger):
        name, made_from = row.pair.clip.name, scoring_fingerprint(plan, row.pair.clip)
        scores, keys = dict(row.scores), dict(row.keys)
        if before := journal.find(kind, name, made_from):  # columns of earlier calls still hold
            keys = before["keys"] | keys
            kept = {
                column: before["scores"][column]
                for column in reads.keys() & before["scores"].keys()
                if all(before["extractors"].get(e) == versions[e] for e in reads[column])
            }
            scores = kept | scores
        journal.add(kind, name, made_from, keys=keys, scores=scores, extractors=versions)


def _require_weights(plan: RunPlan, n_clips: int) -> None:
    """Refuse clips that lack columns of an earlier call whose weights are no longer here."""
    directory, needed = plan.judge.weights or weights_directory(), plan.scoring.weights()
    if needed and (missing := missing_weights(needed, directory)):
        raise MissingError(
            f"{n_clips} clips of {plan.results_directory} lack columns that the run has of the "
            f"others: {describe_missing(missing, directory)}, or use --runs elsewhere"
        )


def _versions(plan: RunPlan) -> dict[str, str]:
    return {extractor.name: extractor.version for extractor in plan.judge.extractors}


def _reads_by_column(plan: RunPlan) -> dict[str, set[str]]:
    """The extractors behind every column that the judge can compute."""
    return {
        metric.name: Scoring((metric,), plan.judge, None).extractor_names()
        for metric in computable(select(plan.judge.profile), plan.judge)
    }


def _write_results(plan: RunPlan, journal: Journal, samples: Samples, ledger: Ledger) -> Results:
    failed = ledger.failed_clips()
    rows = []
    for clip in plan.clips:
        entry = _row_entry(plan, journal, clip)
        if entry is not None and clip.name not in failed:
            rows.append(Row(_pair(plan, clip), entry["keys"], entry["scores"]))
    kept = {clip.name for clip in samples.stale} if plan.stale == "keep" else set()
    n_kept = sum(row.pair.clip.name in kept for row in rows)
    results = summarise(
        plan.identity,
        rows,
        plan.scoring,
        expected=len(plan.clips) + len(_refusals(plan)),
        notes=(
            *_partial_note(plan),
            *_kept_note(n_kept, len(rows), samples),
            *_caveat(plan),
            *_prompt_note(plan),
            *plan.split.notes,
            *_system_notes(plan),
            *_sample_notes(rows, journal),
        ),
    )
    made_by = count_origins(journal, [row.pair.clip for row in rows])
    results = replace(results, made_by=made_by, kept=n_kept)
    directory = plan.results_directory
    write_rows(directory / "scores.parquet", [row.flat() for row in rows], plan.metrics)
    write_failures(directory, _sorted(ledger.failures))
    write_json(directory / "provenance.json", provenance(plan.judge, plan.device))
    write_results(directory, results)
    return results


def _row_entry(plan: RunPlan, journal: Journal, clip: Clip) -> Entry | None:
    return journal.find(_row_kind(plan), clip.name, scoring_fingerprint(plan, clip))


def _partial_note(plan: RunPlan) -> tuple[str, ...]:
    whole = len(plan.split.clips) + len(plan.split.refused)
    which = "the first " if plan.subset.startswith("first") else ""
    return (f"only {which}{len(plan.clips)} of {whole} clips",) if plan.subset else ()


def _kept_note(n_kept: int, n_rows: int, samples: Samples) -> tuple[str, ...]:
    reasons = "; ".join(samples.reasons)
    note = f"{n_kept} of {n_rows} samples are kept that would be made otherwise now ({reasons})"
    return (note,) if n_kept else ()


def _caveat(plan: RunPlan) -> tuple[str, ...]:
    return (f"{plan.system.name} is {plan.system.caveat}",) if plan.system.caveat else ()


def _prompt_note(plan: RunPlan) -> tuple[str, ...]:
    """How many clips have a prompt, where the system reads them or the user gave labels."""
    source = plan.split.label_file
    if "prompt" not in plan.system.uses and not source:
        return ()
    n_told = sum(bool(clip.prompt) for clip in plan.clips)
    return (f"{n_told} of {len(plan.clips)} clips have a prompt" + (source and f" ({source})"),)


def _system_notes(plan: RunPlan) -> tuple[str, ...]:
    notes = plan.informed_system.notes
    return notes() if notes else ()


def _sample_notes(rows: Iterable[Row], journal: Journal) -> tuple[str, ...]:
    names = [row.pair.clip.name for row in rows]
    return sample_notes({name: journal.latest("sample", name) or {} for name in names})


def _row_kind(plan: RunPlan) -> str:
    return row_kind(plan.judge.name, plan.judge.profile)


def _pair(plan: RunPlan, clip: Clip) -> Pair:
    return Pair(clip, Excerpt(plan.sample_path(clip), 0.0, clip.seconds))


def _without_row(plan: RunPlan, journal: Journal) -> list[Clip]:
    """Clips that lack a column, or a feature that is read once all clips are scored."""
    versions = _versions(plan)
    names = [metric.name for metric in plan.metrics if metric.score is not None]

    def has_row(clip: Clip) -> bool:
        entry = _row_entry(plan, journal, clip)
        return (
            entry is not None
            and all(name in entry["scores"] for name in names)
            and all(entry["extractors"].get(each) == versions[each] for each in reads)
            and plan.scoring.holds(clip, entry["keys"])
        )

    reads = plan.scoring.extractor_names()
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
    plan: RunPlan, journal: Journal, facts: Mapping[str, Any], seconds_per_clip: Mapping[str, float]
) -> None:
    """Write ``run.json``, keeping the timings of earlier sittings where this one has none.

    ``samples`` says what all samples in the folder were made by, whatever is installed now;
    ``provenance`` what scored them last.
    """
    path = plan.directory / "run.json"
    earlier = read_json(path).get("seconds_per_clip", {}) if path.exists() else {}
    write_json(
        path,
        {
            "configuration": plan.configuration(),
            "metrics": [metric.name for metric in plan.metrics],
            "clips": len(plan.clips),
            "samples": count_origins(journal, plan.split.clips),
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


def _discard(plan: RunPlan) -> None:
    """Forget what was made of the clips of a plan; all that a run wrote, where they are all."""
    if plan.subset:
        with _opened_journal(plan) as journal:
            journal.discard(clip.name for clip in plan.clips)
        return
    directory = plan.directory
    results = [path.parent for path in directory.rglob("scores.json") if path.parent != directory]
    for folder in (directory / "samples", directory / "features", *results):
        shutil.rmtree(folder, ignore_errors=True)
    for name in (
        "run.json",
        "provenance.json",
        "journal.jsonl",
        "scores.json",
        "scores.parquet",
        "failures.jsonl",
        "bounds.json",
    ):
        (directory / name).unlink(missing_ok=True)
