"""``python -m tests.pipeline.passes FOLDER``: one pass of the small judge over clips."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.pipeline.evaluate import RunLog, evaluate
from bench.pipeline.roles import Pair, Scoring
from bench.types import Clip, Excerpt
from tests.pipeline.networks import METRICS, small_judge

SECONDS = 2.0


def pairs_in(folder: Path) -> list[Pair]:
    """Each video with its true audio ``N.wav`` and its generated audio ``made-N.wav``."""
    return [_pair(folder, path.stem) for path in sorted(folder.glob("*.mp4"))]


def _pair(folder: Path, name: str) -> Pair:
    video, true, made = (
        Excerpt(folder / file, 0.0, SECONDS)
        for file in (f"{name}.mp4", f"{name}.wav", f"made-{name}.wav")
    )
    return Pair(Clip(name, true, SECONDS, video=video), made)


def scores(folder: Path, workers: int) -> dict[str, dict[str, float]]:
    """Score the clips two at a time; features of samples lie in the folder too."""
    scoring = Scoring(METRICS, small_judge(folder / "log", 2), folder)
    run_log = RunLog(lambda stage, done, total: None)
    rows = evaluate(pairs_in(folder), scoring, workers, run_log)
    return {
        row.pair.clip.name: {metric.name: row.scores[metric.name] for metric in METRICS}
        for row in rows
    }


if __name__ == "__main__":
    scores(Path(sys.argv[1]), 1)
