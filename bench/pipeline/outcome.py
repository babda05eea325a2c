"""What a run writes beside its samples: scores, rows, failures, and what all of it was made by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bench.io import read_json, write_json
from bench.pipeline.evaluate import Row, RunLog, summarise
from bench.pipeline.journal import Journal
from bench.pipeline.notes import sample_notes
from bench.pipeline.plan import RunPlan
from bench.pipeline.rows import pair_of, row_entry
from bench.pipeline.samples import Samples, count_origins
from bench.results import Failure, Results, write_failures, write_results, write_rows


def write_outcome(
    plan: RunPlan,
    journal: Journal,
    samples: Samples,
    run_log: RunLog,
    facts: Mapping[str, Any],
) -> Results:
    """Write scores, rows, failures and provenance of a plan whose clips are done; return results.

    ``facts`` say what scored them (``bench.pipeline.provenance``).
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
    """Clips that the split could not use; a run of a part of the clips says nothing of them."""
    refused = () if plan.subset else plan.split.refused
    return [Failure(each.clip, "split", each.reason) for each in refused]


def by_clip(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Return failures in the order of their clips, whichever worker was done first."""
    return tuple(sorted(failures, key=lambda failure: (failure.clip, failure.stage)))


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


def write_run(
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
