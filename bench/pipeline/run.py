"""A run from end to end: generate, extract, score, write. A rerun does only what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.digests import hash_files
from bench.errors import BenchError, MissingError, RunError
from bench.io import bench_home, read_json, require_folder
from bench.pipeline.columns import Notify, require_devices
from bench.pipeline.estimate import Estimate, estimate
from bench.pipeline.evaluate import Progress, RunLog
from bench.pipeline.finished import is_finished, remember_finished
from bench.pipeline.generate import generate_samples
from bench.pipeline.journal import Journal
from bench.pipeline.outcome import (
    by_clip,
    refusals,
    score_clips,
    without_row,
    write_outcome,
    write_run,
)
from bench.pipeline.plan import ENGINE_FOLDER, RunPlan
from bench.pipeline.provenance import provenance
from bench.pipeline.samples import (
    choose_clips,
    describe_stale,
    examine_samples,
    remember_sample,
)
from bench.results import Failure, Results, Score, load_results
from bench.splits.split import PROTOCOL_VERSION
from bench.suite import SUITE_VERSION, select, select_computable

GIBIBYTE = 2**30


@dataclass(frozen=True)
class RunResult:
    """The results of a run, the clips that have no score, and where everything is stored.

    ``directory`` has the scores; ``bounds`` are the results of anchors on the same clips, where
    they were asked for.
    """

    results: Results
    failures: tuple[Failure, ...]
    directory: Path
    provenance: Mapping[str, Any]
    bounds: tuple[Results, ...] = ()

    @property
    def metrics(self) -> Mapping[str, Score]:
        """The scores by column."""
        return self.results.metrics


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""


def look_ahead(plan: RunPlan, progress: Progress = no_progress, *, fresh: bool = False) -> Estimate:
    """Return what ``run`` would do now and how long it would take; nothing is changed.

    Raises:
        RunError: the directory holds another run, or samples of other code, weights or devices
            for which the plan has no rule.
    """
    # Without a journal nothing is read: hashing all media could take minutes, and all is to be
    # done.
    if fresh or not _journal_path(plan).exists():
        return estimate(plan, to_generate=len(plan.clips), to_score=len(plan.clips))
    _check_configuration(plan)
    plan = with_finished_columns(plan)
    if is_finished(plan):
        return estimate(plan, to_generate=0, to_score=0)
    hash_files(plan.files(), partial(progress, "hash"))
    with _opened_journal(plan) as journal:
        samples = examine_samples(plan, journal)
        to_generate = choose_clips(plan, samples)
        to_score = {clip.name for clip in (*to_generate, *without_row(plan, journal))}
    stale = "" if plan.stale == "keep" else describe_stale(plan, samples)
    found = estimate(plan, to_generate=len(to_generate), to_score=len(to_score))
    return replace(found, stale=stale)


def require_ready(plan: RunPlan, ahead: Estimate, notify: Notify) -> None:
    """Report what is done over again, and refuse before any work what could only fail after it.

    Raises:
        MissingError: the system cannot be opened for samples that are still to be made.
        BenchError: there is no such device, a folder cannot be written to, or the disk is too full.
    """
    if ahead.to_generate or ahead.to_score or not plan.engine.is_remote:
        require_devices(plan.device, plan.judge.device, engine=plan.engine)
    if ahead.stale:
        duration = format_duration(ahead.times["generate"].seconds)
        notify(f"{ahead.stale}; they are made again, which takes about {duration}")
    if ahead.to_generate and plan.system.lacks and (missing := plan.system.lacks()):
        raise MissingError(f"{plan.system.name} cannot generate, it needs {missing}")
    for folder in (bench_home(), plan.root):
        require_folder(folder)
    if ahead.bytes_needed > ahead.bytes_free:
        raise BenchError(
            f"the run needs about {ahead.bytes_needed / GIBIBYTE:.1f} GiB and {plan.root} has "
            f"{ahead.bytes_free / GIBIBYTE:.1f} GiB free; use --runs DIR elsewhere, or --limit"
        )


def format_duration(seconds: float) -> str:
    """Return a length of time in words.

    >>> format_duration(95), format_duration(7320)
    ('1 min 35 s', '2 h 2 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def run(
    plan: RunPlan,
    progress: Progress,
    *,
    fresh: bool = False,
    verify_bytes: bool = False,
) -> RunResult:
    """Carry out a plan and write its results below ``plan.directory``.

    ``fresh`` discards what was made of these clips before. ``verify_bytes`` reads all media and
    samples again instead of trusting the digests that are remembered.

    Raises:
        RunError: another process works on this run, or the directory holds a different one, or
            samples of other code, weights or devices for which the plan has no rule.
        BenchError: the system cannot be opened.
    """
    with lock_folder(plan.directory), plan.engine.session():
        if fresh and not plan.subset:
            _delete_run(plan.directory)
        _check_configuration(plan)
        plan = with_finished_columns(plan)
        if not fresh and not verify_bytes and is_finished(plan):
            return _read_result(plan, progress)
        if verify_bytes:
            hash_files(plan.files(), partial(progress, "hash"), is_fresh=True)
        if (plan.directory / ENGINE_FOLDER).is_dir():
            from bench.engine.slurm_cluster import cancel_left  # only here: it loads psutil

            cancel_left(plan.directory / ENGINE_FOLDER)
        facts = provenance(plan.judge, plan.device, plan.engine.name)
        run_log = RunLog(progress, refusals(plan))
        # Read again after ``look_ahead``: before the lock another process may have added to it.
        with _opened_journal(plan) as journal:
            if fresh and plan.subset:  # the other clips of the run keep what they have
                journal.discard(clip.name for clip in plan.clips)
            samples = examine_samples(plan, journal)
            # Before any work, so that an interrupted run states what it is.
            write_run(plan, journal, facts, {})
            clips = choose_clips(plan, samples)
            outcomes = generate_samples(plan, clips)
            made = run_log.successes("generate", outcomes, len(clips), lambda job: job.clip.name)
            for job, notes in made:
                remember_sample(plan, journal, job.clip, job.made_from, notes)
            score_clips(plan, journal, run_log)
            results = write_outcome(plan, journal, samples, run_log, facts)
            write_run(plan, journal, facts, run_log.seconds_per_clip())
            remember_finished(plan, run_log, journal)
        return RunResult(results, by_clip(run_log.failures), plan.results_directory, facts)


def _read_result(plan: RunPlan, progress: Progress) -> RunResult:
    """Return what a run has left in which nothing is to be done."""
    for stage in ("generate", "extract", "score"):
        progress(stage, 0, 0)
    directory = plan.results_directory
    facts = read_json(directory / "provenance.json")
    return RunResult(load_results(directory), by_clip(refusals(plan)), directory, facts)


def with_finished_columns(plan: RunPlan) -> RunPlan:
    """Return the plan with the columns that earlier calls finished, which stay in the results."""
    if not (plan.results_directory / "scores.json").is_file():
        return plan
    try:
        before = load_results(plan.results_directory)
    except RunError:  # of another version, whose numbers do not mix with these
        return plan
    if (before.suite_version, before.protocol_version) != (SUITE_VERSION, PROTOCOL_VERSION):
        return plan
    names = {metric.name for metric in plan.metrics} | {column.name for column in before.columns}
    known = select_computable(select(plan.judge.profile), plan.judge)
    return replace(plan, metrics=tuple(metric for metric in known if metric.name in names))


def _journal_path(plan: RunPlan) -> Path:
    return plan.directory / "journal.jsonl"


@contextmanager
def _opened_journal(plan: RunPlan) -> Iterator[Journal]:
    journal = Journal(_journal_path(plan))
    try:
        yield journal
    finally:
        journal.close()


def _check_configuration(plan: RunPlan) -> None:
    """Refuse a directory that holds another run under the same name."""
    path = plan.directory / "run.json"
    if not path.exists():
        return
    found = read_json(path).get("configuration")
    if found != plan.configuration():
        raise RunError(f"{plan.directory} holds another run ({found}); move it away or use --fresh")


@contextmanager
def lock_folder(directory: Path) -> Iterator[None]:
    """Hold a folder for this process; it is created where it is missing.

    Raises:
        RunError: another process holds it.
    """
    from filelock import FileLock, Timeout  # a dry run starts without it

    directory.mkdir(parents=True, exist_ok=True)
    try:
        # The operating system releases the lock when its process ends, however it ends.
        with FileLock(directory / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise RunError(f"another process works on {directory}; wait for it, or stop it") from error


def _delete_run(directory: Path) -> None:
    """Delete all that a run wrote, and nothing else that a user may have put beside it."""
    results = [path.parent for path in directory.rglob("scores.json") if path.parent != directory]
    for folder in (
        directory / "samples",
        directory / "features",
        directory / ENGINE_FOLDER,
        *results,
    ):
        shutil.rmtree(folder, ignore_errors=True)
    for name in (
        "run.json",
        "provenance.json",
        "journal.jsonl",
        "scores.json",
        "scores.parquet",
        "failures.jsonl",
        "bounds.json",
        "digests.json",
    ):
        (directory / name).unlink(missing_ok=True)
