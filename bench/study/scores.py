"""Which metrics raters agree with: the columns of the runs, kept in a study, and its votes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.io import read_json
from bench.results import load_rows
from bench.study.clips import StudyRun
from bench.study.design import Design
from bench.study.media import PRIVATE
from bench.study.statistics import Estimate, rank_correlation
from bench.study.votes import Vote

#: The file of the columns, in the private folder.
SCORES = "scores.json"


@dataclass(frozen=True)
class Correlation:
    """How the votes of a clip go with a column: 1 if raters prefer what the column calls better."""

    question: str
    column: str
    label: str
    spearman: Estimate


def collect_scores(
    design: Design, runs: Sequence[StudyRun], directories: Sequence[Path]
) -> dict[str, Any]:
    """Return every column of the runs for the clips of the study, so that it needs no run later."""
    names = [clip.name for clip in design.clips]
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for run, directory in zip(runs, directories, strict=True):
        rows = load_rows(directory).set_index("clip").loc[names]
        columns = [each.name for each in run.results.columns if each.name in rows]
        scores[run.label] = {
            column: {
                clip: float(value)
                for clip, value in zip(names, rows[column], strict=True)
                if math.isfinite(value)
            }
            for column in columns
        }
    columns_of = {each.name: each for run in runs for each in run.results.columns}
    about = [
        {"name": each.name, "label": each.label, "better": each.better}
        for each in columns_of.values()
        if all(each.name in scores[run.label] for run in runs)
    ]
    return {"judge": runs[0].results.judge, "columns": about, "scores": scores}


def read_scores(study: Path, design: Design) -> dict[str, Any]:
    """Return what ``collect_scores`` had found for a study.

    Raises:
        BenchError: the file is missing or damaged, or has no such system or column.
    """
    path = study / PRIVATE / SCORES
    found = read_json(path)
    try:
        is_whole = isinstance(found["judge"], str) and all(
            column["better"] in ("higher", "lower")
            and isinstance(column["label"], str)
            and isinstance(score, (int, float))
            for column in found["columns"]
            for system in design.systems
            for score in found["scores"][system][column["name"]].values()
        )
    except (KeyError, TypeError, AttributeError):
        is_whole = False
    if not is_whole:
        raise BenchError(
            f"{path} does not have the scores of {' and '.join(design.systems)}: it was edited or "
            "is damaged, restore a copy of it"
        )
    return dict(found)


def correlate_scores(
    design: Design, votes: Sequence[Vote], scores: Mapping[str, Any]
) -> tuple[Correlation, ...]:
    """Return Spearman's correlation of votes and of every column of the runs, clip by clip.

    For each clip and pair: the mean outcome, and the difference of the two scores, its sign turned
    where lower is better.
    """
    found = []
    for question in design.questions:
        groups: dict[tuple[str, int, int], list[int]] = {}
        for vote in votes:
            if vote.question == question.name:
                groups.setdefault((vote.clip, vote.first, vote.second), []).append(vote.outcome)
        means = [float(np.mean(outcomes)) for outcomes in groups.values()]
        for column in scores["columns"]:
            differences = [_difference(scores["scores"], design, column, key) for key in groups]
            estimate = rank_correlation(means, differences, len({clip for clip, _, _ in groups}))
            found.append(Correlation(question.name, column["name"], column["label"], estimate))
    return tuple(found)


def _difference(
    scores: Mapping[str, Any],
    design: Design,
    column: Mapping[str, str],
    key: tuple[str, int, int],
) -> float:
    clip, *pair = key
    first, second = (
        scores[design.systems[each]][column["name"]].get(clip, math.nan) for each in pair
    )
    return float(first - second if column["better"] == "higher" else second - first)
