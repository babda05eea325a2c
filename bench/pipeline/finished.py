"""Whether nothing is left to do in a run, known without reading what it has made.

A run asks of every clip whether its sample and its scores are those that would be made now, and
reads all features of the set for its results. Where nothing has changed since that was last found
to be so, one hash shows it: of all that the plan states, of the code, and of the size and the times
of every file. It takes one look at each file of a clip, and none at features, whose folders are
looked at.

It is remembered on this machine beside the digests of files, not with the run: inodes and times are
those of this machine's files. Whatever differs, the run is examined clip by clip as ever.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.digests import (
    file_state,
    is_state_settled,
    remember_finish,
    remembered_finish,
)
from bench.errors import BenchError
from bench.pipeline.evaluate import RunLog
from bench.pipeline.feature_store import PREPARATION
from bench.pipeline.journal import Journal
from bench.pipeline.outcome import describe_fairness, refusals, without_row
from bench.pipeline.plan import RunPlan
from bench.pipeline.provenance import hash_code, provenance
from bench.pipeline.roles import ROLES
from bench.pipeline.samples import examine_samples
from bench.results import HASHED_FILES, Column
from bench.system import find_packages
from bench.types import Clip, Excerpt

#: What a call of ``bench run`` leaves beside samples and features, in the run and with its scores.
RUN_FILES = ("journal.jsonl", "run.json")
RESULT_FILES = (*HASHED_FILES, "digests.json")


def is_finished(plan: RunPlan) -> bool:
    """Return whether this very plan was carried out, and no file has changed since."""
    before = remembered_finish(_name(plan))
    return before is not None and before == describe_state(plan)


def remember_finished(plan: RunPlan, run_log: RunLog, journal: Journal) -> None:
    """Remember that nothing is left to do, if all clips are scored and that is so once more.

    The state is read before everything is examined again: a file that changes in between has
    another state the next time.
    """
    if len(run_log.failures) > len(refusals(plan)) or plan.stale == "remake":
        return
    state = describe_state(plan, is_settled=True)
    if state is None or without_row(plan, journal):
        return
    samples = examine_samples(plan, journal)
    if not samples.missing and not samples.stale:
        remember_finish(_name(plan), state)


def _name(plan: RunPlan) -> str:
    return str(plan.results_directory.absolute())


def describe_state(plan: RunPlan, *, is_settled: bool = False) -> str | None:
    """Return a hash of the plan and of the state of every file; None where one is missing.

    ``is_settled`` gives None, too, where media, a sample or a folder of features changed just now:
    it could change again unnoticed, within the resolution of the clock of its file system.
    """
    now_s = time.time()
    try:
        total = hashlib.sha256(repr(_facts(plan)).encode("utf-8", "replace"))
        for state in _states(plan, total):
            if is_settled and not is_state_settled(state, now_s):
                return None
        for folder, names in ((plan.directory, RUN_FILES), (plan.results_directory, RESULT_FILES)):
            for name in names:
                total.update(file_state(folder / name).encode())
    except (OSError, BenchError):  # BenchError: code whose files are not known
        return None
    return total.hexdigest()


def _facts(plan: RunPlan) -> list[Any]:
    """All that a plan states beside its clips, and the versions of all that would carry it out."""
    split, system = plan.split, plan.informed_system
    about = provenance(plan.judge, plan.device)
    del about["created"]
    functions = (each for m in plan.metrics for each in (m.score, m.score_set) if each)
    # The version does not change with every edit, nor does the commit with uncommitted ones.
    code = hash_code(("bench", *find_packages(*functions)))
    return [
        PREPARATION,
        plan.configuration(),
        (plan.subset, plan.stale, len(plan.clips), len(split.clips), plan.shares_features),
        (split.metrics, split.refused, split.label_file, split.notes, split.references),
        (plan.refused, sorted(split.sources.items())),
        [Column.of(metric) for metric in plan.metrics],
        (plan.origin.key, asdict(describe_fairness(plan)), system.caveat),
        (tuple(system.notes()) if system.notes else (), system.sample_rate_hz, system.seconds),
        (about, code),
    ]


def _states(plan: RunPlan, total: hashlib._Hash) -> Iterator[str]:
    """Add the clips with their files, and the folders of features, to a hash; yield each state."""
    for clip in plan.clips:
        states = [file_state(path) for path in plan.files_of(clip)]
        total.update(repr((_describe(clip), states)).encode("utf-8", "replace"))
        yield from states
    for folder in _feature_folders(plan):
        state = file_state(folder)
        total.update(f"{folder} {state}".encode("utf-8", "replace"))
        yield state


def _describe(clip: Clip) -> list[Any]:
    """All fields of a clip; paths as text, which takes a tenth of the time."""
    fields = [getattr(clip, name) for name in Clip.__dataclass_fields__]
    return [
        (str(each.path), each.start_s, each.seconds) if isinstance(each, Excerpt) else each
        for each in fields
    ]


def _feature_folders(plan: RunPlan) -> Iterator[Path]:
    """Yield the folders whose times change when features of a run come or go."""
    lengths = {clip.seconds for clip in plan.clips}
    late = {
        plan.scoring.store(role).folder(extractor)
        for seconds in lengths
        for role, extractor in plan.scoring.late_extractors(seconds, ROLES)
    }
    for folder in sorted(late):
        if folder.is_dir():
            yield from sorted(each for each in folder.iterdir() if each.is_dir())
