"""Results on disk. They describe themselves, so that tables need nothing else.

    run.json        configuration, provenance, timings
    scores.json     aggregate: the columns with their meaning, and each value with n and interval
    scores.parquet  one row per scored clip
    failures.jsonl  one row per clip that has no score, with the stage and the reason
    bounds.json     the same aggregates of anchors on the same clips: floor and ceiling
    digests.json    SHA-256 of the files above that a call of ``bench run`` writes together

``scores.json`` and ``scores.parquet`` depend on the samples and the suite alone, not on time,
order, workers or interruptions: the same run writes the same bytes.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.digests import read_checksums
from bench.errors import RunError, format_names
from bench.io import atomic_path, write_json
from bench.seeds import stable_seed
from bench.suite import Metric
from bench.untrusted import build, make_printable, read_json_strictly

if TYPE_CHECKING:
    import pandas as pd

    from bench.metrics import Interval

#: A folder of runs holds scores at most this deep: system, split, condition and seed, part, judge.
DEEPEST_SCORES = 5
N_NAMED = 5
#: What every version of scores.json has that this one reads.
ALWAYS_WRITTEN = frozenset({"groups", "notes", "made_by"})
#: No column is printed with more.
MOST_DECIMALS = 12

#: The files that ``digests.json`` names, and the version of its form.
HASHED_FILES = ("failures.jsonl", "provenance.json", "scores.json", "scores.parquet")
DIGESTS_VERSION = 1
#: Folders of a run that hold no results, and tens of thousands of files.
BULKY_FOLDERS = frozenset({"samples", "features"})

#: Before the axis in the name of a column of groups: ``by_action``.
AXIS_PREFIX = "by_"

#: What results must have in common for their numbers to be compared or share a table.
COMMON = ("split", "is_mini", "judge", "profile", "suite_version", "protocol_version")


@dataclass(frozen=True)
class Identity:
    """What a result is about, as a table names it."""

    system: str
    split: str
    condition: str
    seed: int
    is_mini: bool = False
    is_anchor: bool = False


@dataclass(frozen=True)
class Column:
    """How a metric is headed and printed."""

    name: str
    label: str
    better: str
    decimals: int
    unit: str = ""
    is_extra: bool = False
    has_chance: bool = False

    @classmethod
    def of(cls, metric: Metric) -> Column:
        """The column of this metric."""
        return cls(**{each.name: getattr(metric, each.name) for each in fields(cls)})


@dataclass(frozen=True)
class Score:
    """A value over ``n`` scored clips with its 95 % interval; None where nothing was scored.

    Clips of one of the ``n_clusters`` clusters depend on one another. ``dimensions`` is the width
    of the features where the value also depends on how many clips there are for each. Where the
    value or the interval is missing, ``reason`` says why. Bounds are not clipped to the range of
    the metric.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    chance: float | None = None
    n_clusters: int | None = None
    dimensions: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Contrast:
    """One metric of two runs on the clips that both scored.

    ``difference`` is ``new - base`` and ``ratio`` is ``new / base``, each with the interval of
    clips drawn in pairs, a cluster at a time.
    """

    column: Column
    base: Score
    new: Score
    difference: Score
    ratio: Score


@dataclass(frozen=True)
class Failure:
    """A clip without a score: in which stage it failed, and why."""

    clip: str
    stage: str
    error: str
    traceback: str = ""


@dataclass(frozen=True)
class SeenJudge:
    """A network of the judge that took part in making the system, and the columns it computes."""

    network: str
    how: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Fairness:
    """What decides whether a system is compared fairly, as its author declares it.

    ``given`` is what its requests carry of video, prompt and reference, before the condition masks
    any; the other fields are those of ``bench.system.System``.
    """

    given: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()
    judges_seen: tuple[SeenJudge, ...] = ()
    candidates: int = 1
    non_commercial: bool = False


@dataclass(frozen=True)
class Results:
    """One row of a table. ``expected`` counts every clip asked for, refused ones included.

    ``clips`` is a hash of the names of the scored clips: equal for results of the same clips.
    ``made_by`` is what made the samples (``bench.pipeline.provenance``), each with their number;
    ``kept`` counts samples that would be made otherwise now and were scored all the same.
    ``fairness`` is None where nothing is declared: results of two folders, or of earlier versions.
    """

    system: str
    split: str
    condition: str
    seed: int
    judge: str
    profile: str
    suite_version: int
    is_mini: bool
    is_anchor: bool
    expected: int
    scored: int
    failed: int
    columns: tuple[Column, ...]
    metrics: Mapping[str, Score]
    groups: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    clips: str = ""
    made_by: tuple[Mapping[str, Any], ...] = ()
    kept: int = 0
    # Results from before it was written are of the first version.
    protocol_version: int = 1
    fairness: Fairness | None = None

    @property
    def coverage(self) -> float:
        """The share of the clips asked for that were scored, in [0, 1]."""
        return self.scored / self.expected if self.expected else 0.0


def describe_mismatch(first: Results, other: Results) -> str:
    """Return why numbers of two results cannot be compared: ``split 'a' and 'b'``; "" if they can.

    Their ``COMMON`` fields must be equal.
    """
    for name in COMMON:
        values = getattr(first, name), getattr(other, name)
        if values[0] != values[1]:
            return f"{name} {values[0]!r} and {values[1]!r}"
    return ""


def write_results(directory: Path, results: Results) -> None:
    """Write ``scores.json``."""
    write_json(directory / "scores.json", asdict(results))


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], metrics: Iterable[Metric]) -> None:
    """Write ``scores.parquet``: one row per clip, NaN for "not scored".

    The ``cluster`` of a row that names none is its clip. Clips that have groups add a column for
    each axis, such as ``by_action``.
    """
    import pandas as pd

    names = [metric.name for metric in metrics if metric.score is not None]
    axes = dict.fromkeys(key for row in rows for key in row if key.startswith(AXIS_PREFIX))
    columns = ["clip", "group", "cluster", *axes, *names, "true_onsets", "generated_onsets"]
    frame = pd.DataFrame([{"cluster": row["clip"], **row} for row in rows], columns=columns)
    # Int64 with a capital is the integer type of pandas that can be missing: a clip may have no
    # side whose onsets are counted.
    types = dict.fromkeys(names, "float64") | dict.fromkeys(columns[-2:], "Int64")
    with atomic_path(path) as temporary:
        frame.astype(types).to_parquet(temporary, index=False)


def write_failures(directory: Path, failures: Iterable[Failure]) -> None:
    """Write ``failures.jsonl``; an empty file means that nothing failed."""
    with atomic_path(directory / "failures.jsonl") as temporary:
        lines = (json.dumps(asdict(failure), ensure_ascii=False) + "\n" for failure in failures)
        # A file name may hold bytes that are not UTF-8; it must not cost the list of failures.
        temporary.write_text("".join(lines), encoding="utf-8", errors="backslashreplace")


def write_digests(directory: Path) -> None:
    """Write ``digests.json``, after all the files that it names, which it makes one result."""
    files = {name: read_checksums(directory / name).sha256 for name in HASHED_FILES}
    write_json(directory / "digests.json", {"version": DIGESTS_VERSION, "files": files})


def load_results(directory: Path) -> Results:
    """Read the results of a run, which may be of anybody: the types of all values are checked.

    Raises:
        RunError: there is no finished run in this directory, or it is not of this version.
        BenchError: the file cannot be read, or is not such JSON (``bench.untrusted``).
    """
    path = directory / "scores.json"
    if not path.is_file():
        raise RunError(f"{directory} holds no finished run: {_describe_missing_scores(directory)}")
    return _parse(read_json_strictly(path), path)


def _describe_missing_scores(directory: Path) -> str:
    """The directories to name instead: those of other judges or profiles are in the run's."""
    if not directory.is_dir():
        return "it is a file" if directory.is_file() else "nothing is there"
    depths = ("*/" * depth for depth in range(1, DEEPEST_SCORES + 1))
    found = sorted(
        file.parent for above in depths for file in directory.glob(f"{above}scores.json")
    )
    if not found:
        return "there is no scores.json"
    return f"its scores.json is further inside; name one of {format_names(found, N_NAMED)}"


def find_finished_runs(path: Path) -> list[Path]:
    """Return the directory of every finished run in or below a folder, by name.

    A run may have several: of parts of the split, of other judges or profiles.

    Raises:
        RunError: there is none.
    """
    found = [folder for folder, files in walk_runs(path) if "scores.json" in files]
    if not found:
        reason = "there is no scores.json in or below it" if path.is_dir() else "it is a file"
        raise RunError(
            f"{path} holds no finished run: {reason if path.exists() else 'nothing is there'}"
        )
    return found


def walk_runs(path: Path) -> list[tuple[Path, frozenset[str]]]:
    """Return every folder in and below ``path`` with the names of its files, sorted.

    Samples and features of runs are left out, and the private part of a study.

    Raises:
        RunError: a folder cannot be listed, so runs in it would be missing without a word.
    """
    found = []
    for folder, folders, files in os.walk(path, onerror=_refuse_unreadable):
        found.append((Path(folder), frozenset(files)))
        if "design.toml" in files:  # of a study, whose private part has scores of its clips
            folders[:] = [name for name in folders if name != "private"]
        if {"run.json", "journal.jsonl"} & {*files}:
            # ``os.walk`` descends into what is left in this very list.
            folders[:] = [name for name in folders if name not in BULKY_FOLDERS]
    return sorted(found, key=lambda each: each[0])


def _refuse_unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise RunError(
            f"cannot list the folder {error.filename}: {error.strerror}; change its permissions, "
            "or name other folders"
        ) from error


def write_bounds(directory: Path, bounds: Iterable[Results]) -> None:
    """Write ``bounds.json``: what anchors score on the same clips, a row each."""
    write_json(directory / "bounds.json", {"rows": [asdict(each) for each in bounds]})


def load_bounds(directory: Path) -> tuple[Results, ...]:
    """Read what anchors score on the clips of a run; nothing where that was not computed.

    Raises:
        RunError: the file is not of this version, or a row is not of an anchor: it would compete.
        BenchError: the file cannot be read, or is not such JSON (``bench.untrusted``).
    """
    path = directory / "bounds.json"
    if not path.is_file():
        return ()
    value = read_json_strictly(path)
    rows = value.get("rows") if isinstance(value, dict) else None
    if not isinstance(rows, list):
        raise RunError(f"{path} is not a result of this version: it has no rows; run it again")
    bounds = tuple(_parse(row, path) for row in rows)
    for bound in bounds:
        if not bound.is_anchor:
            raise RunError(
                f"{path} has a row of {bound.system!r}, which is no anchor: only floor and ceiling "
                "belong there; delete the file, or run it again"
            )
    return bounds


def load_rows(directory: Path) -> pd.DataFrame:
    """Read the per-clip scores of a run."""
    import pandas as pd

    path = directory / "scores.parquet"
    if not path.is_file():
        raise RunError(f"{directory} holds no finished run: there is no scores.parquet")
    return pd.read_parquet(path)


def mean_score(
    name: str,
    values: Sequence[float | None],
    clusters: Sequence[str],
    chance: float | None = None,
) -> Score:
    """Return the mean of the column ``name`` over the clips that have a value, with its interval.

    Each clip is of one cluster. The bootstrap is seeded by ``name``: equal values give equal
    intervals.
    """
    import numpy as np

    from bench.metrics import mean_interval

    # None becomes NaN: "not scored" here, "left out of the mean" there.
    numbers = np.array(values, dtype=np.float64)
    generator = np.random.default_rng(stable_seed("bootstrap", name))
    return score_of(mean_interval(numbers, clusters, generator), chance)


def score_of(found: Interval, chance: float | None = None) -> Score:
    """Return an interval as the score of a table, with the reason where there is none."""
    bounds = (none_if_nan(found.value), none_if_nan(found.low), none_if_nan(found.high))
    return Score(
        *bounds, n=found.n, chance=chance, n_clusters=found.n_clusters, reason=found.reason
    )


def none_if_nan(value: float) -> float | None:
    """Return the value; None, "not scored", for NaN."""
    return None if math.isnan(value) else float(value)


def _parse(value: Any, path: Path) -> Results:
    try:
        results: Results = build(Results, value, path.name)
        if missing := ALWAYS_WRITTEN - value.keys():  # they have defaults for callers alone
            raise TypeError(f"{path.name} has no {min(missing)}")
        for column in results.columns:
            is_printable = column.better in ("higher", "lower") and (
                0 <= column.decimals <= MOST_DECIMALS
            )
            if not is_printable or column.name not in results.metrics:
                raise TypeError(f"the column {column.name!r} is malformed")
    except TypeError as error:
        reason = make_printable(str(error))
        raise RunError(f"{path} is not a result of this version: {reason}; run it again") from error
    return results
