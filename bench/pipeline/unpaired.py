"""``bench score --unpaired``: two folders as two sets, whatever their files are called.

Only metrics of whole sets apply. Files need not match in number, name or length. The two sides are
independent samples for the intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError, MediaError
from bench.inputs import Listing, list_folder
from bench.pipeline.aggregate import length_reason, score_of, score_without_interval, sides_of
from bench.pipeline.evaluate import Identity, Progress, RunLog, describe
from bench.pipeline.extract import extract_features
from bench.pipeline.folders import LONGEST_SECONDS, SHORTEST_SECONDS, FolderPlan, FolderResult
from bench.pipeline.notes import media_notes
from bench.pipeline.provenance import provenance
from bench.pipeline.score import Keys, Pair, Scoring
from bench.results import Failure, Score
from bench.suite import Metric
from bench.types import FULL, Clip, Excerpt

#: A set of audio files that could be read, each with the keys of its features.
Readable = list[tuple[Pair, Keys]]


def score_unpaired(plan: FolderPlan, progress: Progress) -> FolderResult:
    """Compare all audio of ``plan.generated`` with all of ``plan.reference``.

    Each is read over its first ``plan.seconds``, or up to 8 s where none are named.

    Raises:
        BenchError: a folder is missing or empty, fewer than two of its files can be read, or a
            metric needs pairs.
    """
    if paired := [metric.name for metric in plan.metrics if metric.score_set is None]:
        raise BenchError(f"{paired[0]} compares pairs, --unpaired compares whole sets")
    run_log, scoring = RunLog(progress, []), Scoring(plan.metrics, plan.judge, None)
    folders = (plan.reference, plan.generated)
    listings = [list_folder(folder) for folder in folders]
    sides = [_sounds(listing, plan.seconds, run_log) for listing in listings]
    outcomes = extract_features(
        [pair for side in sides for pair in side], scoring, plan.workers, plan.timeout_s
    )
    total = sum(map(len, sides))
    done = run_log.successes("extract", outcomes, total, lambda pair: pair.clip.name)
    keys = {pair.clip.name: value for pair, value in done}
    true, generated = (
        [(pair, keys[pair.clip.name]) for pair in side if pair.clip.name in keys] for side in sides
    )
    for folder, readable in zip(folders, (true, generated), strict=True):
        _require_set(folder, readable, run_log.failures)
    results = describe(
        Identity(plan.generated.absolute().name, plan.reference.absolute().name, FULL.name, 0),
        scoring,
        {metric.name: _score(metric, true, generated, scoring) for metric in plan.metrics},
        expected=len(true) + len(generated) + len(run_log.failures),
        scored=[pair.clip.name for pair, _ in (*true, *generated)],
        notes=(
            f"unpaired: {len(generated)} generated against {len(true)} reference files",
            *media_notes(true, scoring, "reference files", ("target",)),
            *media_notes(generated, scoring, "generated files", ("generated",)),
            *(note for listing in listings for note in listing.audio_notes()),
        ),
    )
    failures = tuple(sorted(run_log.failures, key=lambda failure: failure.clip))
    return FolderResult(results, (), failures, provenance(plan.judge, plan.device))


def _sounds(listing: Listing, seconds: float | None, run_log: RunLog) -> list[Pair]:
    """The audio files of a folder that can be opened; the others are failures in the ledger."""
    files = listing.require(listing.with_audio, "audio or video")
    found = (_alone(path, seconds, run_log) for path in files)
    return [pair for pair in found if pair is not None]


def _require_set(folder: Path, readable: Readable, failures: Sequence[Failure]) -> None:
    if len(readable) < 2:
        reasons = (f"; {each.clip}: {each.error}" for each in failures)
        raise BenchError(
            f"{folder} holds {len(readable)} audio files that can be read, a set needs at least 2"
            f"{next(reasons, '')}"
        )


def _alone(path: Path, seconds: float | None, run_log: RunLog) -> Pair | None:
    """An audio file as the pair of itself: whatever side it is on, its features are the same."""
    from bench.media import read_audio_seconds

    name = str(path)
    try:
        window_s = seconds or min(LONGEST_SECONDS, read_audio_seconds(path))
        if window_s < SHORTEST_SECONDS:
            raise MediaError(f"{path} lasts {window_s:.3f} s, which is too short to judge")
    except MediaError as error:
        run_log.failures.append(Failure(name, "pair", str(error)))
        return None
    excerpt = Excerpt(path.absolute(), 0.0, window_s)
    return Pair(Clip(name, excerpt, window_s), excerpt)


def _score(metric: Metric, true: Readable, generated: Readable, scoring: Scoring) -> Score:
    from bench.metrics import two_sample_interval

    suited = [[each for each in side if _suits(metric, each[0])] for side in (true, generated)]
    n = len(suited[1])
    if metric.score_set is None or min(map(len, suited)) < 2:
        reason = length_reason(metric, [*true, *generated])
        return Score(None, None, None, 0, reason=f"{reason}; a set needs at least 2 clips")
    found = metric.score_set(*(sides_of("target", metric, side, scoring) for side in suited))
    if found.reason or found.true is None or found.generated is None:
        return score_without_interval(found, n)
    interval = two_sample_interval(found.value, found.true, found.generated)
    return replace(score_of(interval), dimensions=found.dimensions)


def _suits(metric: Metric, pair: Pair) -> bool:
    return metric.accepts_length(pair.clip.seconds)
