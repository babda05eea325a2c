"""Rows of scores in the journal of a run: which are there, and making those that are not."""

from __future__ import annotations

from bench.checkpoints.registry import weights_directory
from bench.checkpoints.verify import describe_missing, missing_weights
from bench.errors import MissingError
from bench.pipeline.evaluate import RunLog, evaluate
from bench.pipeline.journal import Entry, Journal, row_kind
from bench.pipeline.plan import RunPlan, scoring_fingerprint
from bench.pipeline.score import Pair, Scoring
from bench.suite import select, select_computable
from bench.types import Clip, Excerpt


def score_clips(plan: RunPlan, journal: Journal, run_log: RunLog) -> None:
    """Score the clips that lack a row or a part of it, and add their rows to the journal.

    Raises:
        MissingError: they lack columns whose weights are not here.
    """
    failed = run_log.failed_clips()
    clips = [clip for clip in without_row(plan, journal) if clip.name not in failed]
    if clips:
        _require_weights(plan, len(clips))
    kind, reads, versions = _row_kind(plan), _reads_by_column(plan), _versions(plan)
    pairs = [pair_of(plan, clip) for clip in clips]
    for row in evaluate(pairs, plan.scoring, plan.workers, run_log, plan.timeout_s):
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
        for metric in select_computable(select(plan.judge.profile), plan.judge)
    }


def row_entry(plan: RunPlan, journal: Journal, clip: Clip) -> Entry | None:
    """Return the row of a clip, if it was scored from just what is here now."""
    return journal.find(_row_kind(plan), clip.name, scoring_fingerprint(plan, clip))


def _row_kind(plan: RunPlan) -> str:
    return row_kind(plan.judge.name, plan.judge.profile)


def pair_of(plan: RunPlan, clip: Clip) -> Pair:
    """Return a clip with its sample, as they are scored."""
    return Pair(clip, Excerpt(plan.sample_path(clip), 0.0, clip.seconds))


def without_row(plan: RunPlan, journal: Journal) -> list[Clip]:
    """Clips that lack a column, or a feature that is read once all clips are scored."""
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
