"""The features that a finished run left, for metrics that are computed again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.judges import Judge, open_judge
from bench.metrics import SetEstimate
from bench.pipeline.journal import Journal, row_kind
from bench.pipeline.score import Keys, Role, Scoring, feature_key
from bench.results import Results
from bench.suite import SUITE_VERSION, Metric, Side


def set_estimates(
    base: Path, new: Path, about: Results, metric: Metric, clips: Sequence[str]
) -> tuple[SetEstimate, SetEstimate]:
    """Compute a metric of the whole set again for two runs, over these clips in this order.

    ``about`` says by which judge, profile and suite version both runs were scored.

    Raises:
        BenchError: that suite version is not this one, or the features are not there any more.
    """
    if metric.score_set is None:
        raise ValueError(f"{metric.name} is no metric of the whole set")
    if about.suite_version != SUITE_VERSION:
        raise BenchError(
            f"scored by suite version {about.suite_version}, this is version {SUITE_VERSION}; "
            "run both again"
        )
    name, _, _ = about.judge.partition(",")  # what follows says that its MCD is approximate
    judge = open_judge(name, about.profile)
    first, second = (metric.score_set(*run_sides(run, metric, judge, clips)) for run in (base, new))
    return first, second


def find_run_folder(results: Path) -> Path:
    """Return the folder of the run whose scores are in ``results``, with samples and journal.

    Scores of a part of the split, of another judge or profile are in folders inside the run's.
    """
    folders = (results, *results.absolute().parents[:2])
    return next((each for each in folders if (each / "journal.jsonl").is_file()), results)


def run_sides(
    run: Path, metric: Metric, judge: Judge, clips: Sequence[str]
) -> tuple[list[Side], list[Side]]:
    """Return the true and the generated side of each of these clips of a finished run.

    Raises:
        BenchError: the run does not say where the features of a clip are, or they are gone.
    """
    home = find_run_folder(run)
    journal, kind = Journal(home / "journal.jsonl"), row_kind(judge.name, judge.profile)
    entries = {clip: journal.latest(kind, clip) for clip in clips}
    if lost := [clip for clip, entry in entries.items() if entry is None]:
        raise BenchError(f"{run} does not say where the features of {lost[0]} are; run it again")
    scoring = Scoring((metric,), judge, home)
    keys = [entry["keys"] for entry in entries.values() if entry is not None]
    true = [_side(scoring, metric, metric.against, each) for each in keys]
    return true, [_side(scoring, metric, "generated", each) for each in keys]


def _side(scoring: Scoring, metric: Metric, role: Role, keys: Keys) -> Side:
    store, names = scoring.store(role), metric.reads_of(role)
    return {
        each.name: store.load(each, feature_key(each, role, keys))
        for each in scoring.judge.extractors
        if each.name in names
    }
