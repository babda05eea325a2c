"""Features, rows and columns of a submission computed again, and compared with what it states.

The features of some clips are extracted again from their samples, and their rows scored again. All
columns are computed again from all rows and all stored features. Features of true audio and video
are those of this machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from bench.engine import Engine
from bench.errors import BenchError
from bench.judges import Extractor, Features, NetworkExtractor
from bench.pipeline.consistency import MALFORMED
from bench.pipeline.evaluate import Progress, Row, summarise
from bench.pipeline.extract import extract_features, media_keys, needed_extractors
from bench.pipeline.roles import Keys, Pair, Scoring, feature_key
from bench.pipeline.score import score_pairs
from bench.pipeline.submission import Submission, first_line
from bench.results import Identity, Score
from bench.suite import Metric
from bench.types import Clip

#: So large may features be: for a file, and for each second of a clip.
FEATURE_BYTES, SECOND_BYTES = 2**24, 2**22
#: How far numbers of networks may be apart, by the largest value where that is above 1: clips that
#: share a batch change their last digits.
NETWORK_TOLERANCE = 1e-5
#: The same for means of equal scores, which another version of numpy may sum in another order.
MEAN_TOLERANCE = 1e-9


def recompute(
    submission: Submission,
    sampled: Sequence[Clip],
    engine: Engine,
    work: Path,
    progress: Progress,
) -> list[str]:
    """Extract, score and aggregate again; return what is otherwise."""
    scoring = submission.scoring
    keys, problems = _find_keys(submission, progress)
    if problems:
        return problems
    fresh = replace(scoring, directory=work)
    pairs = [submission.pair_of(clip) for clip in sampled]
    extracted: list[tuple[Pair, Keys]] = []
    for done, outcome in enumerate(extract_features(pairs, fresh, engine), 1):
        progress("extract", done, len(pairs))
        name = outcome.item.clip.name
        if outcome.failure is not None:
            problems.append(f"samples/{name}.flac: {outcome.failure.message}")
        elif outcome.value is not None:
            extracted.append((outcome.item, outcome.value))
            problems += _compare_features(outcome.item, outcome.value, scoring, fresh)
    for scored in score_pairs(extracted, fresh, engine):
        pair = scored.item[0]
        if scored.value is None:
            problems.append(f"{pair.clip.name} cannot be scored again: {scored.failure}")
        else:
            problems += _compare_scores(submission, pair.clip, scored.value)
    problems += _add_true_features(submission, keys, engine, progress)
    return problems + ([] if problems else _compare_results(submission, keys))


def _find_keys(submission: Submission, progress: Progress) -> tuple[dict[str, Keys], list[str]]:
    """Return the keys of the features of every scored clip, and what is missing of its sample."""
    scoring, problems = submission.scoring, []
    found: dict[str, Keys] = {}
    for done, clip in enumerate(submission.scored, 1):
        pair = submission.pair_of(clip)
        keys = media_keys(scoring, pair)
        entry = submission.entry_of(clip)
        if entry is None or entry["keys"] != keys:
            problems.append(f"journal.jsonl: the features of {clip.name} are of other files")
        extractors = needed_extractors(scoring, pair, keys)["generated"]
        problems += [
            f"features/{each.name} of {clip.name} {reason}"
            for each in extractors
            if scoring.directory and (reason := _describe_missing(each, clip, keys, scoring))
        ]
        found[clip.name] = keys
        progress("hash", done, len(submission.scored))
    return found, problems


def _describe_missing(extractor: Extractor, clip: Clip, keys: Keys, scoring: Scoring) -> str:
    key = feature_key(extractor, "generated", keys)
    path = scoring.store("generated").path(extractor, key)
    if not path.is_file():
        return "is missing"
    size, most_bytes = path.stat().st_size, FEATURE_BYTES + SECOND_BYTES * clip.seconds
    return f"has {size:,} bytes, which no features have" if size > most_bytes else ""


def _compare_features(pair: Pair, keys: Keys, stored: Scoring, fresh: Scoring) -> Iterator[str]:
    """Compare the features of one sample: of signals to the bit, of networks by the tolerance."""
    for each in needed_extractors(stored, pair, keys)["generated"]:
        key = feature_key(each, "generated", keys)
        path = f"features/{each.name}"
        try:
            found = stored.store("generated").load(each, key)
        except (BenchError, *MALFORMED) as error:
            yield f"{path} of {pair.clip.name} cannot be read: {first_line(error)}"
            continue
        expected = fresh.store("generated").load(each, key)
        if reason := _describe_difference(found, expected, isinstance(each, NetworkExtractor)):
            yield f"{path} of {pair.clip.name} is not what its sample gives: {reason}"


def _describe_difference(found: Features, expected: Features, is_network: bool) -> str:
    if found.keys() != expected.keys():
        return f"it has the arrays {sorted(found)}, expected {sorted(expected)}"
    for name, array in expected.items():
        other = found[name]
        if (other.shape, other.dtype) != (array.shape, array.dtype):
            return f"{name} is {other.dtype} {list(other.shape)}, expected {list(array.shape)}"
        if np.array_equal(other, array):
            continue
        # In float64: the difference of two large float32 values would overflow.
        gap = np.abs(other.astype(np.float64) - array.astype(np.float64)).max()
        limit = NETWORK_TOLERANCE * max(1.0, float(np.abs(array).max())) if is_network else 0.0
        if not gap <= limit:  # NaN is no gap at all
            return f"{name} differs by {gap:.2g}, at most {limit:.2g} is rounding"
    return ""


def _compare_scores(
    submission: Submission, clip: Clip, expected: Mapping[str, float | int | None]
) -> Iterator[str]:
    entry = submission.entry_of(clip)
    networks = {metric.name for metric in submission.metrics if _reads_network(submission, metric)}
    for name, value in expected.items():
        found = entry["scores"].get(name) if entry else None
        tolerance = NETWORK_TOLERANCE if name in networks else 0.0
        if not _is_close(found, value, tolerance):
            yield f"scores.parquet: {name} of {clip.name} is {found}, its features give {value}"


def _reads_network(submission: Submission, metric: Metric) -> bool:
    scoring = replace(submission.scoring, metrics=(metric,))
    return bool(scoring.networks())


def _is_close(found: object, expected: object, tolerance: float) -> bool:
    if isinstance(found, int | float) and isinstance(expected, int | float):
        return math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)
    return found == expected


def _add_true_features(
    submission: Submission, keys: Mapping[str, Keys], engine: Engine, progress: Progress
) -> Iterator[str]:
    """Extract features of true audio and video that are not in the store of this machine."""
    scoring = submission.scoring
    pairs = []
    for clip in submission.scored:
        pair, own = submission.pair_of(clip), keys[clip.name]
        needed = needed_extractors(scoring, pair, own)
        is_there = (
            scoring.store(role).has(each, feature_key(each, role, own))
            for role, extractors in needed.items()
            for each in extractors
        )
        if not all(is_there):
            pairs.append(pair)
    for done, outcome in enumerate(extract_features(pairs, scoring, engine), 1):
        progress("extract true", done, len(pairs))
        if outcome.failure is not None:
            yield f"{outcome.item.clip.name} has no features: {outcome.failure.message}"


def _compare_results(submission: Submission, keys: Mapping[str, Keys]) -> list[str]:
    """Aggregate the rows again, sets from all stored features, and compare with scores.json."""
    stated = submission.results
    rows = []
    for clip in submission.scored:
        entry = submission.entry_of(clip)
        scores = entry["scores"] if entry else {}
        rows.append(Row(submission.pair_of(clip), keys[clip.name], scores))
    identity = Identity(
        stated.system, stated.split, stated.condition, stated.seed, stated.is_mini, stated.is_anchor
    )
    try:
        expected = summarise(identity, rows, submission.scoring, expected=stated.expected)
    except (BenchError, *MALFORMED) as error:
        return [f"features: columns of the set cannot be computed again: {first_line(error)}"]
    problems = [
        f"scores.json: {name} is not what the clips and columns give"
        for name in ("columns", "clips", "judge", "profile")
        if getattr(stated, name) != getattr(expected, name)
    ]
    problems += [
        f"scores.json does not have the note {note!r}"
        for note in expected.notes
        if note not in stated.notes
    ]
    of_sets = {metric.name for metric in submission.metrics if metric.score is None}
    problems += _compare_metrics(stated.metrics, expected.metrics, of_sets, "")
    if stated.groups.keys() != expected.groups.keys():
        problems.append("scores.json has other groups than the clips of the split")
        return problems
    for group, scores in expected.groups.items():
        problems += _compare_metrics(stated.groups[group], scores, of_sets, f" of group {group}")
    return problems


def _compare_metrics(
    stated: Mapping[str, Score], expected: Mapping[str, Score], of_sets: set[str], where: str
) -> Iterator[str]:
    if stated.keys() != expected.keys():
        yield f"scores.json has other columns{where} than its list of columns"
        return
    for name, score in expected.items():
        tolerance = NETWORK_TOLERANCE if name in of_sets else MEAN_TOLERANCE
        found = asdict(stated[name])
        for part, value in asdict(score).items():
            if not _is_close(found[part], value, tolerance):
                yield (
                    f"scores.json: the {part} of {name}{where} is {found[part]}, the rows and "
                    f"features give {value}"
                )
