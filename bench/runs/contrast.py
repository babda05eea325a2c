"""One metric of two finished runs, clip by clip or set against set, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.files import stable_seed
from bench.judges import Judge, open_judge
from bench.metrics import (
    Interval,
    bootstrap_interval,
    interval_around,
    paired_difference,
    paired_ratio,
    resampled,
)
from bench.metrics.arrays import IntArray
from bench.results import Column, Contrast, Results, Score, load_results, load_rows
from bench.runs.aggregate import none_if_nan
from bench.runs.journal import Journal, row_kind
from bench.runs.score import Keys, Role, Scoring, feature_key
from bench.suite import Metric, Side, select
from bench.types import FloatArray

#: What two runs must have in common.
COMMON = ("split", "judge", "profile", "suite_version")

#: Choices of clips for the interval of a metric of the whole set, each of which costs as much as
#: the metric itself.
N_SET_RESAMPLES = 500

ScoreSet = Callable[[Iterable[Side], Iterable[Side]], float]


def contrast_runs(base: Path, new: Path, name: str, group: str = "") -> Contrast:
    """Compare one metric of two finished runs on the clips that both scored.

    With ``group``, on the clips of that group alone. Metrics of a whole set are computed again, of
    the features that the runs left, for clips chosen at random with repetition.

    Raises:
        BenchError: the runs are of different splits, judges, profiles or suite versions, lack the
            metric, or share fewer than two clips.
    """
    before, after = load_results(base), load_results(new)
    for what in COMMON:
        ours, theirs = getattr(before, what), getattr(after, what)
        if ours != theirs:
            raise BenchError(f"{base} and {new} cannot be compared: {what} {ours!r} and {theirs!r}")
    for directory, each in ((base, before), (new, after)):
        if name not in each.metrics:
            raise BenchError(f"{directory} has no {name}; run it again with all its columns")
    (metric,) = select(before.profile, [name])
    if metric.score_set is None:
        return _of_clips(base, new, metric, group)
    return _of_sets(base, new, metric, metric.score_set, before, group)


def _of_clips(base: Path, new: Path, metric: Metric, group: str) -> Contrast:
    name = metric.name
    rows = load_rows(base).merge(load_rows(new), on="clip", suffixes=("_base", "_new"))
    if group:
        rows = rows[rows["group_base"] == group]
    both = rows[[f"{name}_base", f"{name}_new"]].dropna()
    _check_count(len(both), base, new)
    first, second = both[f"{name}_base"].to_numpy(), both[f"{name}_new"].to_numpy()
    return Contrast(
        Column.of(metric),
        _score(bootstrap_interval(first, _generator("bootstrap", name))),
        _score(bootstrap_interval(second, _generator("bootstrap", name))),
        _score(paired_difference(first, second, _generator("paired", name))),
        _score(paired_ratio(first, second, _generator("paired", name))),
    )


def _of_sets(
    base: Path, new: Path, metric: Metric, score_set: ScoreSet, about: Results, group: str
) -> Contrast:
    judge = open_judge(about.judge.partition(",")[0], about.profile)
    keys = [_keys(directory, judge, group) for directory in (base, new)]
    clips = sorted(set(keys[0]) & set(keys[1]))
    n = len(clips)
    _check_count(n, base, new)
    first, second = (
        _set_values(score_set, *_sides(directory, metric, judge, [found[clip] for clip in clips]))
        for directory, found in zip((base, new), keys, strict=True)
    )
    is_defined = bool((first > 0).all())
    return Contrast(
        Column.of(metric),
        _score(interval_around(first, n)),
        _score(interval_around(second, n)),
        _score(interval_around(second - first, n)),
        _score(interval_around(second / first, n)) if is_defined else Score(None, None, None, n),
    )


def _keys(directory: Path, judge: Judge, group: str) -> dict[str, Keys]:
    """The keys of the features of every scored clip, of a group or of all."""
    journal = Journal(_home(directory) / "journal.jsonl")
    kind = row_kind(judge.name, judge.profile)
    rows = load_rows(directory)
    clips = rows[rows["group"] == group]["clip"] if group else rows["clip"]
    entries = {clip: journal.latest(kind, clip) for clip in clips}
    return {clip: entry["keys"] for clip, entry in entries.items() if entry is not None}


def _home(directory: Path) -> Path:
    """The folder of the run: scores of another judge or profile lie in a folder inside it."""
    return directory if (directory / "journal.jsonl").is_file() else directory.parent


def _sides(
    directory: Path, metric: Metric, judge: Judge, keys: list[Keys]
) -> tuple[list[Side], list[Side]]:
    """The true and the generated side of each clip."""
    scoring = Scoring((metric,), judge, _home(directory))
    true = [_side(scoring, metric, metric.against, each) for each in keys]
    return true, [_side(scoring, metric, "generated", each) for each in keys]


def _set_values(score_set: ScoreSet, true: list[Side], generated: list[Side]) -> FloatArray:
    """The metric of all clips, then of random choices, which are the same for every run."""

    def value(chosen: IntArray) -> float:
        return score_set((true[i] for i in chosen), (generated[i] for i in chosen))

    return resampled(value, len(true), _generator("set"), N_SET_RESAMPLES)


def _side(scoring: Scoring, metric: Metric, role: Role, keys: Keys) -> Side:
    store = scoring.store(role)
    return {
        each.name: store.load(each, feature_key(each, role, keys))
        for each in scoring.judge.extractors
        if each.name in metric.reads_of(role)
    }


def _generator(*words: str) -> np.random.Generator:
    return np.random.default_rng(stable_seed(*words))


def _score(found: Interval) -> Score:
    bounds = (none_if_nan(found.value), none_if_nan(found.low), none_if_nan(found.high))
    return Score(*bounds, n=found.n)


def _check_count(n: int, base: Path, new: Path) -> None:
    if n < 2:
        raise BenchError(f"{base} and {new} have {n} scored clips in common, expected at least 2")
