"""The end of a run: rows of scores in the journal, and the files with the results.

Scores of a clip are kept in the journal with the fingerprint of all that they were computed from;
columns of earlier calls stay valid while their extractors keep their versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bench.checkpoints.registry import weights_directory
from bench.checkpoints.verify import describe_missing, missing_weights
from bench.errors import MissingError
from bench.io import read_json, write_json
from bench.pipeline.evaluate import Row, RunLog, evaluate, summarise
from bench.pipeline.journal import Entry, Journal, row_kind
from bench.pipeline.notes import sample_notes
from bench.pipeline.plan import RunPlan, scoring_fingerprint
from bench.pipeline.roles import Pair, Scoring
from bench.pipeline.samples import Samples, count_origins
from bench.results import Failure, Results, write_failures, write_results, write_rows
from bench.suite import select, select_computable
from bench.types import Clip, Excerpt


def score_clips(plan: RunPlan, journal: Journal, run_log: RunLog) -> None:
    """Score the clips that have no complete row, and add their rows to the journal.

    Raises:
        MissingError: they need columns whose weights are not here.
    """
    failed = run_log.failed_clips()
    clips = [clip for clip in without_row(plan, journal) if clip.name not in failed]
    if clips:
        _require_weights(plan, len(clips))
    kind, reads, versions = _row_kind(plan), _reads_by_column(plan), _versions(plan)
    for row in evaluate([pair_of(plan, c) for c in clips], plan.scoring, plan.workers, run_log):
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
    """Refuse clips without columns of an earlier call whose weights are no longer here."""
    directory, needed = plan.judge.weights or weights_directory(), plan.scoring.weights()
    if needed and (missing := missing_weights(needed, directory)):
        raise MissingError(
            f"{n_clips} clips of {plan.results_directory} have no score in columns that the "
            f"others have: {describe_missing(missing, directory)}, or use --runs elsewhere"
        )


def _versions(plan: RunPlan) -> dict[str, str]:
    return {extractor.name: extractor.version for extractor in plan.judge.extractors}


def _reads_by_column(plan: RunPlan) -> dict[str, set[str]]:
    """The extractors behind every column that the judge can compute."""
    return {
        metric.name: Scoring((metric,), plan.judge, None).extractor_names()
        for metric in select_computable(select(plan.judge.profile), plan.judge)
    }


def row_entry(plan: RunPlan, journal: Journal, clip: Clip) -> Entry | None:
    """Return the row of a clip, if it was scored from exactly what is here now."""
    return journal.find(_row_kind(plan), clip.name, scoring_fingerprint(plan, clip))


def _row_kind(plan: RunPlan) -> str:
    return row_kind(plan.judge.name, plan.judge.profile)


def pair_of(plan: RunPlan, clip: Clip) -> Pair:
    """Return a clip with its sample, as they are scored."""
    return Pair(clip, Excerpt(plan.sample_path(clip), 0.0, clip.seconds))


def without_row(plan: RunPlan, journal: Journal) -> list[Clip]:
    """Return clips without a column, or without a feature that is read after all are scored."""
    versions = _versions(plan)
    names = [metric.name for metric in plan.metrics if metric.score is not None]

    def has_row(clip: Clip) -> bool:
        entry = row_entry(plan, journal, clip)
        return (
            entry is not None
            and all(name in entry["scores"] for name in names)
            and all(entry["extractors"].get(each) == versions[each] for each in reads)
            and plan.scoring.holds(clip, entry["keys"])
        )

    reads = plan.scoring.extractor_names()
    return [clip for clip in plan.clips if not has_row(clip)]


def write_outcome(
    plan: RunPlan,
    journal: Journal,
    samples: Samples,
    run_log: RunLog,
    facts: Mapping[str, Any],
) -> Results:
    """Write scores, rows, failures and provenance of a plan whose clips are done; return results.

    ``facts`` are what scored them (``bench.pipeline.provenance``).
    """
    failed = run_log.failed_clips()
    rows = []
    for clip in plan.clips:
        entry = row_entry(plan, journal, clip)
        if entry is not None and clip.name not in failed:
            rows.append(Row(pair_of(plan, clip), entry["keys"], entry["scores"]))
    kept = {clip.name for clip in samples.stale} if plan.stale == "keep" else set()
    n_kept = sum(row.pair.clip.name in kept for row in rows)
    results = summarise(
        plan.identity,
        rows,
        plan.scoring,
        expected=len(plan.clips) + len(refusals(plan)),
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
    write_failures(directory, by_clip(run_log.failures))
    write_json(directory / "provenance.json", facts)
    write_results(directory, results)
    return results


def refusals(plan: RunPlan) -> list[Failure]:
    """Return failures for clips that the split could not use; none for a part of the clips."""
    refused = () if plan.subset else plan.split.refused
    return [Failure(each.clip, "split", each.reason) for each in refused]


def by_clip(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Return failures in the order of their clips, whichever worker was done first."""
    return tuple(sorted(failures, key=lambda failure: (failure.clip, failure.stage)))


def _partial_note(plan: RunPlan) -> tuple[str, ...]:
    n_all = len(plan.split.clips) + len(plan.split.refused)
    which = "the first " if plan.subset.startswith("first") else ""
    return (f"only {which}{len(plan.clips)} of {n_all} clips",) if plan.subset else ()


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
    n_prompts = sum(bool(clip.prompt) for clip in plan.clips)
    return (f"{n_prompts} of {len(plan.clips)} clips have a prompt" + (source and f" ({source})"),)


def _system_notes(plan: RunPlan) -> tuple[str, ...]:
    notes = plan.informed_system.notes
    return notes() if notes else ()


def _sample_notes(rows: Iterable[Row], journal: Journal) -> tuple[str, ...]:
    names = [row.pair.clip.name for row in rows]
    return sample_notes({name: journal.latest("sample", name) or {} for name in names})


def write_run(
    plan: RunPlan, journal: Journal, facts: Mapping[str, Any], seconds_per_clip: Mapping[str, float]
) -> None:
    """Write ``run.json``, keeping the timings of earlier calls where this one has none.

    ``samples`` is what made all samples in the folder, whatever is installed now;
    ``provenance`` is what scored them last.
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
