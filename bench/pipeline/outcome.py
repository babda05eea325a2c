"""The end of a run: rows of scores in the journal, and the files with the results.

Scores of a clip are kept in the journal with the fingerprint of all that they were computed from;
columns of earlier calls stay valid while their extractors keep their versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from sys import intern
from typing import Any, overload

from bench.checkpoints.registry import weights_directory
from bench.checkpoints.verify import describe_missing, missing_weights
from bench.errors import MissingError
from bench.io import read_json, write_json
from bench.judges import Judge
from bench.pipeline.evaluate import Row, RunLog, evaluate, summarise
from bench.pipeline.journal import Entry, Journal, row_kind
from bench.pipeline.notes import sample_notes
from bench.pipeline.plan import RunPlan, scoring_fingerprint
from bench.pipeline.roles import Pair, Scoring
from bench.pipeline.samples import Samples, count_origins
from bench.pipeline.stored_features import StoredFeatures
from bench.results import (
    Failure,
    Fairness,
    Results,
    SeenJudge,
    write_digests,
    write_failures,
    write_results,
    write_rows,
)
from bench.suite import Metric, select, select_computable
from bench.system import System
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
    kind, versions = _row_kind(plan), _versions(plan)
    reads = {  # the extractors behind every column that the judge can compute
        metric.name: Scoring((metric,), plan.judge, None).extractor_names()
        for metric in select_computable(select(plan.judge.profile), plan.judge)
    }
    pairs = _Pairs(plan, clips)
    engine = plan.open_engine(plan.workers if clips else 0)
    for row in evaluate(pairs, plan.scoring, engine, run_log, plan.timeout_s):
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


@dataclass(frozen=True)
class _Pairs(Sequence[Pair]):
    """Clips with their samples; each pair is made when it is asked for, since it takes 1 KB."""

    plan: RunPlan
    clips: Sequence[Clip]

    def __len__(self) -> int:
        return len(self.clips)

    @overload
    def __getitem__(self, position: int) -> Pair: ...
    @overload
    def __getitem__(self, position: slice) -> Sequence[Pair]: ...
    def __getitem__(self, position: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(position, slice):
            return _Pairs(self.plan, self.clips[position])
        return pair_of(self.plan, self.clips[position])


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
    stored = StoredFeatures(plan.scoring, len(plan.clips))

    def has_row(clip: Clip) -> bool:
        entry = row_entry(plan, journal, clip)
        return (
            entry is not None
            and all(name in entry["scores"] for name in names)
            and all(entry["extractors"].get(each) == versions[each] for each in reads)
            and stored.hold(clip, entry["keys"])
        )

    reads = plan.scoring.extractor_names()
    return [clip for clip in plan.recalled(plan.clips) if not has_row(clip)]


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
    for clip in plan.recalled(plan.clips):
        entry = row_entry(plan, journal, clip)
        # A clip that failed now may have a row of an earlier call, with other columns.
        if entry is not None and clip.name not in failed:
            # Every line of the journal has names of its own, which would be half of the memory.
            scores = {intern(name): value for name, value in entry["scores"].items()}
            rows.append(Row(pair_of(plan, clip), entry["keys"], scores))
    kept = {clip.name for clip in samples.stale} if plan.stale == "keep" else set()
    n_kept = sum(row.pair.clip.name in kept for row in rows)
    results = summarise(
        plan.identity,
        rows,
        plan.scoring,
        expected=len(plan.clips) + len(refusals(plan)),
        notes=tuple(_notes(plan, journal, rows, samples.reasons, n_kept)),
    )
    made_by = count_origins(journal, [row.pair.clip for row in rows])
    results = replace(results, made_by=made_by, kept=n_kept, fairness=describe_fairness(plan))
    directory = plan.results_directory
    write_rows(directory / "scores.parquet", [row.flat() for row in rows], plan.metrics)
    write_failures(directory, by_clip(run_log.failures))
    write_json(directory / "provenance.json", facts)
    write_results(directory, results)
    write_digests(directory)
    return results


def refusals(plan: RunPlan) -> list[Failure]:
    """Return failures for clips that the split could not use: for a part, those asked for."""
    refused = plan.refused if plan.subset else plan.split.refused
    return [Failure(each.clip, "split", each.reason) for each in refused]


def by_clip(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Return failures in the order of their clips, whichever worker was done first."""
    return tuple(sorted(failures, key=lambda failure: (failure.clip, failure.stage)))


def _notes(
    plan: RunPlan, journal: Journal, rows: Sequence[Row], reasons: Iterable[str], n_kept: int
) -> Iterator[str]:
    """Yield the notes on clips, system and samples that a reader of the scores has to know."""
    system, split = plan.informed_system, plan.split
    if plan.subset:
        which = "the first " if plan.subset.startswith("first") else ""
        n_all = len(split.clips) + len(split.refused)
        yield f"only {which}{len(plan.clips)} of {n_all} clips"
    if n_kept:
        kept = f"{n_kept} of {len(rows)} samples are kept that would be made otherwise now"
        yield f"{kept} ({'; '.join(reasons)})"
    if plan.system.caveat:
        yield f"{plan.system.name} is {plan.system.caveat}"
    if "prompt" in plan.system.uses or split.label_file:
        n_prompts = sum(bool(clip.prompt) for clip in plan.clips)
        source = f" ({split.label_file})" if split.label_file else ""
        yield f"{n_prompts} of {len(plan.clips)} clips have a prompt{source}"
    yield from split.notes
    if system.notes:
        yield from system.notes()
    names = (row.pair.clip.name for row in rows)
    yield from sample_notes((name, journal.latest("sample", name) or {}) for name in names)


def describe_fairness(plan: RunPlan) -> Fairness:
    """Return what the system of a plan declares, with what its clips give it and its columns."""
    return fairness_of(plan.system, plan.clips, plan.metrics, plan.judge)


def fairness_of(
    system: System, clips: Sequence[Clip], metrics: Sequence[Metric], judge: Judge
) -> Fairness:
    """Return what a system declares, with what these clips give it and these columns.

    A network of the mini judge is not the one that a system has seen.
    """
    has = {
        "video": any(clip.video for clip in clips),
        "prompt": any(clip.prompt for clip in clips),
        "reference": any(clip.reference for clip in clips),
    }
    networks = {metric.name: Scoring((metric,), judge, None).weights() for metric in metrics}
    return Fairness(
        given=tuple(name for name, is_there in has.items() if is_there and name in system.uses),
        trained_on=system.trained_on,
        judges_seen=tuple(
            SeenJudge(network, how, tuple(name for name in networks if network in networks[name]))
            for network, how in sorted(system.judges_seen.items())
        ),
        candidates=system.candidates,
        non_commercial=system.non_commercial,
    )


def write_run(
    plan: RunPlan, journal: Journal, facts: Mapping[str, Any], seconds_per_clip: Mapping[str, float]
) -> None:
    """Write ``run.json``, keeping the timings of earlier calls where this one has none.

    ``references`` are the clips whose audio the references are, where they were drawn;
    ``fairness`` is what the system declares (``bench.results``);
    ``samples`` is what made all samples in the folder, whatever is installed now;
    ``provenance`` is what scored them last.
    """
    path = plan.directory / "run.json"
    # Stages that this call did not need were measured by earlier ones, for the next estimate.
    earlier = read_json(path).get("seconds_per_clip", {}) if path.exists() else {}
    sources = plan.split.sources
    write_json(
        path,
        {
            "configuration": plan.configuration(),
            **({"references": dict(sources)} if sources else {}),
            "metrics": [metric.name for metric in plan.metrics],
            "fairness": asdict(describe_fairness(plan)),
            "clips": len(plan.clips),
            "samples": count_origins(journal, plan.split.clips),
            "provenance": facts,
            "seconds_per_clip": {**earlier, **seconds_per_clip},
        },
    )
