"""From pairs to rows of scores and results, for ``bench run`` and ``bench score``."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any, TypeVar

from bench.engine import Engine, Outcome, open_engine
from bench.errors import RunError
from bench.judges import has_pyworld
from bench.pipeline.aggregate import (
    aggregate,
    chance_levels,
    cluster_of,
    groups_of,
    onset_notes,
    set_scores,
    with_reasons,
)
from bench.pipeline.extract import extract_features
from bench.pipeline.journal import fingerprint
from bench.pipeline.notes import GENERATED_ROLES, TRUE_ROLES, media_notes
from bench.pipeline.roles import Keys, Pair, Scoring
from bench.pipeline.score import score_pairs
from bench.pipeline.workers import SCORE_TIMEOUT_S, limit_time
from bench.results import AXIS_PREFIX, Column, Failure, Identity, Results, Score
from bench.splits.split import PROTOCOL_VERSION
from bench.suite import SUITE_VERSION, Metric

#: Called with the stage, how many items it has finished, and how many there are.
Progress = Callable[[str, int, int], None]

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass
class RunLog:
    """Progress, failures and timings of the stages of one run."""

    progress: Progress
    failures: list[Failure] = field(default_factory=list)
    #: By stage: how many clips have a value, and the seconds of all of them.
    seconds: dict[str, tuple[int, float]] = field(default_factory=dict)

    def successes(
        self,
        stage: str,
        outcomes: Iterator[Outcome[Item, Value]],
        total: int,
        make_clip_name: Callable[[Item], str],
    ) -> Iterator[tuple[Item, Value]]:
        """Yield each item that has a value; record failures and times, and report the progress.

        Raises:
            RunError: not every one of ``total`` items has a value or a failure.
        """
        self.progress(stage, 0, total)
        n_counted = 0
        for done, outcome in enumerate(outcomes, 1):
            if outcome.failure is not None:
                message, trace = outcome.failure.message, outcome.failure.traceback
                self.failures.append(Failure(make_clip_name(outcome.item), stage, message, trace))
                n_counted += 1
            elif outcome.value is not None:
                n_counted += 1
                n, seconds = self.seconds.get(stage, (0, 0.0))
                self.seconds[stage] = n + 1, seconds + outcome.seconds
                yield outcome.item, outcome.value
            self.progress(stage, done, total)
        if n_counted != total:  # a fault of an engine must not shorten the results unseen
            raise RunError(
                f"the stage {stage} has a result or a failure for {n_counted} of {total} clips; "
                "run the same command again, which continues, and report this fault"
            )

    def failed_clips(self) -> set[str]:
        """Return the names of the clips that have a failure."""
        return {failure.clip for failure in self.failures}

    def seconds_per_clip(self) -> dict[str, float]:
        """Return the mean time of one worker per clip, for each stage that had something to do."""
        return {stage: round(total / n, 4) for stage, (n, total) in self.seconds.items()}


@dataclass(frozen=True)
class Row:
    """The scores of one pair, and the keys of the features that they came from."""

    pair: Pair
    keys: Keys
    scores: Mapping[str, float | int | None]

    def flat(self) -> dict[str, Any]:
        """Return one row of a table: the clip, its groups and cluster, and its scores."""
        clip = self.pair.clip
        about = {"clip": clip.name, "group": clip.group, "cluster": cluster_of(clip)}
        axes = {f"{AXIS_PREFIX}{axis}": name for axis, name in clip.groups.items()}
        return {**about, **axes, **self.scores}


def evaluate(
    pairs: Sequence[Pair],
    scoring: Scoring,
    workers: int | Engine,
    run_log: RunLog,
    timeout_s: float | None = None,
) -> Iterator[Row]:
    """Yield a row for each pair that can be scored; the others become failures in the log.

    ``workers`` is an engine, or the number of processes of one on this machine.
    """
    # Both stages have the same workers: what they have imported took longer than a clip does.
    with open_engine(workers) if isinstance(workers, int) else workers as engine:
        outcomes = extract_features(pairs, scoring, engine, timeout_s)
        extracted = run_log.successes("extract", outcomes, len(pairs), lambda pair: pair.clip.name)
        with TemporaryFile("w+", encoding="utf-8") as file:
            n_extracted = _write_keys(file, extracted)
            with_keys = _read_keys(file, pairs, run_log.failed_clips())
            scored = run_log.successes(
                "score",
                score_pairs(with_keys, scoring, engine, limit_time(timeout_s, SCORE_TIMEOUT_S)),
                n_extracted,
                lambda item: item[0].clip.name,
            )
            for (pair, keys), scores in scored:
                yield Row(pair, keys, scores)


def _write_keys(file: IO[str], extracted: Iterable[tuple[Pair, Keys]]) -> int:
    """Write the keys of each clip to a file, and return their number: in memory they take 1 KB."""
    n_written = 0
    for pair, keys in extracted:
        file.write(json.dumps([pair.clip.name, dict(keys)]) + "\n")
        n_written += 1
    file.seek(0)
    return n_written


def _read_keys(
    file: Iterable[str], pairs: Iterable[Pair], failed: Collection[str]
) -> Iterator[tuple[Pair, Keys]]:
    """Yield each pair that did not fail with its keys, in the order of the pairs.

    They were extracted in nearly this order: few of them are in memory.
    """
    lines, ahead = iter(file), dict[str, Keys]()
    for pair in pairs:
        name = pair.clip.name
        while name not in ahead and name not in failed:
            clip, keys = json.loads(next(lines))
            ahead[clip] = keys
        if name in ahead:
            yield pair, ahead.pop(name)


def summarise(
    identity: Identity,
    rows: Sequence[Row],
    scoring: Scoring,
    *,
    expected: int,
    notes: tuple[str, ...] = (),
) -> Results:
    """Aggregate rows into results: means with intervals, levels of chance, groups and notes."""
    flat, scored = [row.flat() for row in rows], [(row.pair, row.keys) for row in rows]
    groups = {
        name: _scores([row for row in rows if row.pair.clip.group == name], scoring)
        for name in groups_of(row.pair.clip.group for row in rows)
    }
    return describe(
        identity,
        scoring,
        _scores(rows, scoring),
        expected=expected,
        scored=[row.pair.clip.name for row in rows],
        groups=groups,
        notes=(
            *notes,
            *media_notes(scored, scoring, "clips", TRUE_ROLES),
            *media_notes(scored, scoring, "samples", GENERATED_ROLES),
            *onset_notes(flat),
            *_prompt_notes(rows, scoring.metrics),
        ),
    )


def describe(
    identity: Identity,
    scoring: Scoring,
    metrics: Mapping[str, Score],
    *,
    expected: int,
    scored: Sequence[str],
    groups: Mapping[str, Mapping[str, Score]] | None = None,
    notes: tuple[str, ...] = (),
) -> Results:
    """Return self-describing results: what was scored, how, and over which clips."""
    # The cepstra are then those of a periodogram instead of the WORLD envelope (bench.metrics.mcd).
    reads_cepstra = any({"cepstra", "cepstra_c1"} & {*metric.reads} for metric in scoring.metrics)
    approximate = "MCD is approximate (about 1 dB low): pyworld is not installed"
    own_notes = (approximate,) if reads_cepstra and not has_pyworld() else ()
    return Results(
        system=identity.system,
        split=identity.split,
        condition=identity.condition,
        seed=identity.seed,
        judge=scoring.judge.name,
        profile=scoring.judge.profile,
        suite_version=SUITE_VERSION,
        is_mini=identity.is_mini,
        is_anchor=identity.is_anchor,
        expected=expected,
        scored=len(scored),
        failed=expected - len(scored),
        columns=tuple(Column.of(metric) for metric in scoring.metrics),
        metrics=metrics,
        groups=groups or {},
        notes=(*notes, *own_notes, *_reason_notes(scoring.metrics, metrics)),
        clips=fingerprint(sorted(scored)),
        protocol_version=PROTOCOL_VERSION,
    )


def _scores(rows: Sequence[Row], scoring: Scoring) -> dict[str, Score]:
    """Every metric over these rows, in the order of the columns."""
    scored = [(row.pair, row.keys) for row in rows]
    means = aggregate([row.flat() for row in rows], scoring.metrics, chance_levels(scored, scoring))
    return with_reasons(means | set_scores(scored, scoring), scored, scoring.metrics)


def _prompt_notes(rows: Sequence[Row], metrics: Sequence[Metric]) -> tuple[str, ...]:
    n_mute = sum(not row.pair.clip.prompt for row in rows)
    names = ", ".join(metric.name for metric in metrics if metric.against == "prompt")
    if not names or not n_mute:
        return ()
    return (f"{n_mute} of {len(rows)} clips have no prompt: no {names} there",)


def _reason_notes(metrics: Sequence[Metric], scores: Mapping[str, Score]) -> tuple[str, ...]:
    """Return why values or intervals are missing, one note for all columns with the same reason."""
    labels_by_reason: dict[tuple[str, str], list[str]] = {}
    for metric in metrics:
        score = scores[metric.name]
        if score.reason:
            what = "not scored" if score.value is None else "no interval"
            labels_by_reason.setdefault((what, score.reason), []).append(metric.label)
    return tuple(
        f"{what}: {', '.join(labels)} ({reason})"
        for (what, reason), labels in labels_by_reason.items()
    )
