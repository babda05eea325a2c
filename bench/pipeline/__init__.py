"""Runs: generate, extract, score, as stages that any kill can interrupt and any rerun completes."""

from bench.pipeline.compare import Comparison, Difference, compare_runs
from bench.pipeline.estimate import Estimate
from bench.pipeline.evaluate import Progress
from bench.pipeline.folders import FolderPlan, FolderResult, score_folders
from bench.pipeline.plan import RunPlan, Stale
from bench.pipeline.run import RunResult, look_ahead, run
from bench.pipeline.unpaired import score_unpaired

__all__ = [
    "Comparison",
    "Difference",
    "Estimate",
    "FolderPlan",
    "FolderResult",
    "Progress",
    "RunPlan",
    "RunResult",
    "Stale",
    "compare_runs",
    "look_ahead",
    "run",
    "score_folders",
    "score_unpaired",
]
