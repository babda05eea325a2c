"""Runs: generate, extract, score, as stages that any kill can interrupt and any rerun completes."""

from bench.runs.compare import Comparison, Difference, compare_runs
from bench.runs.estimate import Estimate
from bench.runs.evaluate import Progress
from bench.runs.folders import FolderPlan, FolderResult, score_folders
from bench.runs.plan import RunPlan, Stale
from bench.runs.run import RunResult, look_ahead, run
from bench.runs.unpaired import score_unpaired

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
