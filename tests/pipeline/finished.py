"""Folders of finished runs for tests, written without running anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bench.judges import open_judge
from bench.pipeline.feature_store import FeatureStore, shared_root
from bench.pipeline.journal import Journal, row_kind
from bench.results import Column, Failure, Results, Score, write_results
from bench.suite import SUITE_VERSION, select

PROFILE = "av-benchmark"
ABOUT = Results(
    "made", "mini", "full", 42, "mini", PROFILE, SUITE_VERSION, True, False, 0, 0, 0, (), {}, {}, ()
)


def write_run(
    directory: Path,
    scores: Mapping[str, np.ndarray],
    *,
    names: list[str] | None = None,
    clusters: list[str] | None = None,
    of_set: Mapping[str, float] | None = None,
    **about: object,
) -> Path:
    """Write the scores ``[N]`` of each column as a finished run of N clips; returns its folder.

    ``of_set`` holds the values of columns that have no score per clip.
    """
    n = len(next(iter(scores.values())))
    names = names or [f"clip_{i:03}" for i in range(n)]
    rows = pd.DataFrame({"clip": names, "group": "", "cluster": clusters or names, **scores})
    directory.mkdir(parents=True)
    rows.to_parquet(directory / "scores.parquet", index=False)
    found = {name: _score(np.asarray(values, dtype=float)) for name, values in scores.items()}
    found |= {name: Score(value, None, None, n) for name, value in (of_set or {}).items()}
    _write_results(directory, found, n, about)
    return directory


def write_embeddings(
    directory: Path, true: np.ndarray, generated: np.ndarray, *, column: str = "fd_vgg"
) -> Path:
    """Write the embeddings ``[N, D]`` of both sides as a finished run of one column of the set.

    They are its logits too.
    """
    (metric,) = select(PROFILE, [column])
    judge = open_judge("mini", PROFILE)
    (extractor,) = judge.select(metric.reads)
    journal = Journal(directory / "journal.jsonl")
    names = [f"clip_{i:03}" for i in range(len(true))]
    for name, row, made in zip(names, true, generated, strict=True):
        FeatureStore(shared_root("mini")).save(extractor, f"true-{name}", _features(row))
        FeatureStore(directory / "features").save(extractor, name, _features(made))
        keys = {"target": f"true-{name}", "generated": name}
        journal.add(row_kind(judge.name, PROFILE), name, "", keys=keys, scores={})
    journal.close()
    pd.DataFrame({"clip": names, "group": "", "cluster": names}).to_parquet(
        directory / "scores.parquet"
    )
    sides = ([{extractor.name: _features(row)} for row in each] for each in (true, generated))
    value = metric.score_set(*sides).value
    _write_results(directory, {column: Score(value, None, None, len(true))}, len(true), {})
    return directory


def _features(row: np.ndarray) -> dict[str, np.ndarray]:
    return {"embedding": row, "logits": row}


def _score(values: np.ndarray) -> Score:
    scored = values[~np.isnan(values)]
    return Score(float(scored.mean()) if len(scored) else None, None, None, len(scored))


def _write_results(
    directory: Path, scores: Mapping[str, Score], n: int, about: Mapping[str, object]
) -> None:
    columns = tuple(Column.of(metric) for metric in select(PROFILE) if metric.name in scores)
    found = replace(ABOUT, expected=n, scored=n, columns=columns, metrics=scores)
    write_results(directory, replace(found, **about))


def read_failures(directory: Path) -> list[Failure]:
    """Return the failures that a run wrote."""
    lines = (directory / "failures.jsonl").read_text("utf-8").splitlines()
    return [Failure(**json.loads(line)) for line in lines]
