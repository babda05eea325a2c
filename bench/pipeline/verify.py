"""``bench verify``: whether the scores of a run folder follow from its samples.

First its files are compared with one another (``bench.pipeline.submission``). Then the features of
some clips, chosen by a hash of the results, are extracted again from their samples and compared
with those that are stored; their rows are scored again; and all columns are computed again from all
rows and all stored features. Features of true audio and video are never read from the submission.
Nothing is written into its folder.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import bench
from bench.engine import Engine, open_engine
from bench.errors import BenchError, RunError
from bench.io import read_json
from bench.judges import JUDGES, Extractor, Features, Judge, NetworkExtractor, open_judge
from bench.pipeline.compare import find_run_folder
from bench.pipeline.evaluate import Row, summarise
from bench.pipeline.extract import extract_features, media_keys, needed_extractors
from bench.pipeline.journal import Journal
from bench.pipeline.regenerate import compare_regenerated
from bench.pipeline.roles import Keys, Pair, Scoring, feature_key
from bench.pipeline.score import score_pairs
from bench.pipeline.submission import (
    Submission,
    check_files,
    find_links,
    read_failures,
    read_table,
    require_current,
    require_extractors,
)
from bench.results import Identity, Results, Score, load_results
from bench.splits import Split, find_splits, open_split
from bench.splits.references import ORIGINS, draw_references
from bench.splits.split import PROTOCOL_VERSION
from bench.suite import SUITE_VERSION, Metric, select
from bench.types import Clip
from bench.verification import Verification, hash_result_files

#: How far numbers of networks may be apart, by the largest value where that is above 1: clips that
#: share a batch change their last digits.
NETWORK_TOLERANCE = 1e-5
#: The same for means of equal scores, which another version of numpy may sum in another order.
MEAN_TOLERANCE = 1e-9

#: Called with a stage, how many items it has finished, and how many there are.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """What the user asked of ``bench verify``, under the names of the command line.

    ``sample`` and ``regenerate`` are numbers of clips. ``split`` is written as for ``bench run``;
    None opens it by the name in the results.
    """

    run: Path
    sample: int = 10
    regenerate: int = 0
    split: str | None = None
    weights: Path | None = None
    device: str = "cpu"
    workers: int = 0


def verify_run(options: VerifyOptions, progress: Progress) -> Verification:
    """Check the results in ``options.run``; what is wrong is in the problems of the outcome.

    Raises:
        BenchError: it cannot be checked here: it is no finished run, is of another version, or its
            split, judge or weights are missing.
    """
    directory = options.run.absolute()
    home = find_run_folder(directory)
    links = tuple(find_links(home))
    results = load_results(directory)
    if links:
        return _describe(directory, results, problems=links)
    submission, problems = _open(directory, home, results, options)
    if not problems:
        problems += check_files(submission)
    if problems:  # what was scored is not known: nothing to compute
        return _describe(directory, results, problems=problems)
    require_current(results, SUITE_VERSION, PROTOCOL_VERSION)
    require_extractors(submission, sorted(submission.scoring.extractor_names()))
    ordered = _order_by_hash(directory, submission.scored)
    sampled, again = ordered[: options.sample], ordered[: options.regenerate]
    with tempfile.TemporaryDirectory() as folder, open_engine(options.workers) as engine:
        work = Path(folder)
        problems += _recompute(submission, sampled, engine, work, progress)
        problems += compare_regenerated(submission, again, work, options.device)
    names = (tuple(clip.name for clip in some) for some in (sampled, again))
    return _describe(directory, results, *names, problems=problems)


def _describe(
    directory: Path,
    results: Results,
    sampled: tuple[str, ...] = (),
    regenerated: tuple[str, ...] = (),
    *,
    problems: Sequence[str],
) -> Verification:
    return Verification(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=bench.__version__,
        system=results.system,
        split=results.split,
        n_scored=results.scored,
        files=hash_result_files(directory),
        sampled=sampled,
        regenerated=regenerated,
        problems=tuple(dict.fromkeys(problems)),
    )


def _open(
    directory: Path, home: Path, results: Results, options: VerifyOptions
) -> tuple[Submission, list[str]]:
    """Return the submission, and sentences on files of it that cannot be read."""
    names = [column.name for column in results.columns]
    if not all(isinstance(name, str) for name in names):
        raise RunError(f"{directory / 'scores.json'} is malformed: a column has no name")
    problems = []
    if not (home / "journal.jsonl").is_file():
        problems.append("journal.jsonl is missing, in this folder and the two above it")
    try:
        journal = Journal(home / "journal.jsonl")
    except RunError as error:
        problems.append(f"journal.jsonl cannot be read: {error}")
        journal = Journal(home / "none")  # an empty one: what is wrong is found already
    rows, unreadable = read_table(directory)
    failures, unreadable_failures = read_failures(directory)
    problems += filter(None, (unreadable, unreadable_failures))
    submission = Submission(
        directory=directory,
        home=home,
        results=results,
        split=_open_split(home, results, options.split),
        judge=(judge := _find_judge(results, options)),
        metrics=select(judge.profile, names),
        journal=journal,
        rows=rows,
        failures=failures,
    )
    return submission, problems


def _open_split(home: Path, results: Results, spec: str | None) -> Split:
    """Open the split of a run as the protocol here has it, with the references of the run.

    Raises:
        RunError: it needs an argument and none is given, or is another one.
        BenchError: its clips are not here.
    """
    splits = find_splits()
    if spec is None and results.split not in splits:
        raise RunError(
            f"the run is of {results.split}, expected a split that is opened by name: name it "
            "with --split as it was for bench run"
        )
    split = open_split(spec or results.split)
    if split.name != results.split:
        raise RunError(f"the run is of the split {results.split}, --split opens {split.name}")
    try:
        drawn = read_json(home / "run.json")["configuration"].get("reference_from")
    except (BenchError, KeyError, TypeError, AttributeError):
        drawn = None  # check_files describes what is wrong with the file
    if drawn in ORIGINS and results.condition.endswith(f"reference-{drawn}"):
        return draw_references(split, drawn, results.seed)
    return split


def _find_judge(results: Results, options: VerifyOptions) -> Judge:
    for name in JUDGES:
        judge = open_judge(name, results.profile, options.weights, options.device)
        if judge.name == results.judge:
            return judge
    raise RunError(f"the run was scored by the judge {results.judge!r}, which is not installed")


def _order_by_hash(directory: Path, clips: Iterable[Clip]) -> list[Clip]:
    """Return clips in an order that nobody can choose without changing the results."""
    content = json.dumps(hash_result_files(directory), sort_keys=True)
    return sorted(
        clips, key=lambda clip: hashlib.sha256(f"{content} {clip.name}".encode()).hexdigest()
    )


def _recompute(
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
            f"features/{each.name} of {clip.name} is missing"
            for each in extractors
            if scoring.directory and not _has(each, keys, scoring)
        ]
        found[clip.name] = keys
        progress("hash", done, len(submission.scored))
    return found, problems


def _has(extractor: Extractor, keys: Keys, scoring: Scoring) -> bool:
    key = feature_key(extractor, "generated", keys)
    return scoring.store("generated").has(extractor, key)


def _compare_features(pair: Pair, keys: Keys, stored: Scoring, fresh: Scoring) -> Iterator[str]:
    """Compare the features of one sample: of signals to the bit, of networks by the tolerance."""
    for each in needed_extractors(stored, pair, keys)["generated"]:
        key = feature_key(each, "generated", keys)
        path = f"features/{each.name}"
        try:
            found = stored.store("generated").load(each, key)
        except BenchError as error:
            yield f"{path} of {pair.clip.name}: {error}"
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
    except (BenchError, KeyError, ValueError) as error:
        return [f"features: columns of the set cannot be computed again: {error}"]
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
