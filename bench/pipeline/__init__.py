"""Runs: generate, extract, score, in stages that any kill may interrupt and any rerun completes.

The order of the stages is the order of imports: ``prepare`` and ``plan``, then ``generate``,
``extract``, ``score``, ``aggregate``, ``outcome``; ``run`` carries a plan out.
"""

from bench.pipeline.bounds import add_bounds, add_folder_bounds
from bench.pipeline.compare import Comparison, Difference, compare_runs
from bench.pipeline.estimate import Estimate
from bench.pipeline.evaluate import Progress
from bench.pipeline.folders import FolderPlan, FolderResult, score_folders, score_unpaired
from bench.pipeline.gate import Gate, gate_runs
from bench.pipeline.plan import RunPlan, Stale
from bench.pipeline.prepare import plan_folders, plan_run
from bench.pipeline.rules import read_rules
from bench.pipeline.run import RunResult, look_ahead, require_ready, run

__all__ = [
    "Comparison",
    "Difference",
    "Estimate",
    "FolderPlan",
    "FolderResult",
    "Gate",
    "Progress",
    "RunPlan",
    "RunResult",
    "Stale",
    "add_bounds",
    "add_folder_bounds",
    "compare_runs",
    "gate_runs",
    "look_ahead",
    "plan_folders",
    "plan_run",
    "read_rules",
    "require_ready",
    "run",
    "score_folders",
    "score_unpaired",
]
