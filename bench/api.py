"""The library: ``bench.run``, ``bench.score`` and ``bench.compare``.

Each does what the command of its name does, takes its options under the same names, and returns the
results instead of printing them. Refusals are ``bench.errors.BenchError``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.engine.choice import EngineChoice, choose_engine
from bench.pipeline.bounds import add_bounds, add_folder_bounds
from bench.pipeline.columns import JudgeOptions, Names, Notify
from bench.pipeline.evaluate import Progress
from bench.pipeline.folders import FolderResult, score_folders
from bench.pipeline.gate import MAX_DIFFER, Gate, gate_runs
from bench.pipeline.prepare import FolderOptions, RunOptions, plan_folders, plan_run
from bench.pipeline.rules import read_rules
from bench.pipeline.run import RunResult, look_ahead, no_progress, require_ready
from bench.pipeline.run import run as run_plan
from bench.splits import Split
from bench.suite import DEFAULT_PROFILE
from bench.terminal import print_notice

__all__ = ["compare", "run", "score"]


def run(
    model: str | None = None,
    *,
    split: str | Split | None = None,
    limit: int | None = None,
    only: Path | str | None = None,
    clips: Sequence[str] = (),
    seed: int = 42,
    mask: Names = None,
    mask_scope: str = "whole",
    reference_from: str | None = None,
    metrics: Names = None,
    clap: bool = False,
    profile: str = DEFAULT_PROFILE,
    judge: str | None = None,
    weights: Path | str | None = None,
    device: str = "cpu",
    judge_device: str | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    engine: EngineChoice | str = "local",
    runs: Path | str = "runs",
    fresh: bool = False,
    keep_samples: bool = False,
    yes: bool = False,
    verify_bytes: bool = False,
    bounds: bool | None = False,
    progress: Progress = no_progress,
    notify: Notify = print_notice,
) -> RunResult:
    """Generate, extract, score: run a system on the clips of a split, like ``bench run``.

    The same call again finishes an interrupted run, and costs nothing for a finished one.

    >>> import bench
    >>> result = bench.run("silence", split="mini", limit=2, metrics=["onset_acc", "mcd"])
    >>> result.metrics["onset_acc"].n
    2
    >>> result.failures
    ()
    >>> sorted(path.name for path in result.directory.glob("scores.*"))
    ['scores.json', 'scores.parquet']

    Args:
        model: a system by its name, with an argument after a colon (``oracle-shift:0.2``), or
            ``package.module:NAME``; AC-Foley by default, on mini clips the small one.
        split: a split by its name, or opened by ``bench.splits.open_split``; the paper's by
            default where it is prepared, else ``mini``.
        limit: only the first N clips.
        only: a file with the names of the clips to run, one a line.
        clips: the names of the clips to run.
        seed: the seed of the run; every clip derives its own from it.
        mask: components that the system does without: audio, sync, video, text.
        mask_scope: mask a component as a ``whole``, or only its pooled ``vector``.
        reference_from: take the references from the ``same-clip`` (the paper's protocol), from
            another clip of the ``same-class``, or of an ``other-class``; those of the split by
            default.
        metrics: columns by name, as a list or between commas; all that can be computed by default.
        clap: also compute the CLAP score.
        profile: ``av-benchmark`` (as published numbers are computed) or ``strict``.
        judge: ``paper``, ``mini`` or ``signal``; ``paper`` by default, on mini clips ``mini``.
        weights: the folder of the judge's checkpoints.
        device: where the system runs, and the judge unless ``judge_device`` names another.
        judge_device: where the judge's networks run.
        batch_size: how many clips a network of the judge computes at a time.
        workers: worker processes, one per core by default, 0 for none.
        timeout: seconds that one clip may take in a stage before its worker is killed; by default
            20 times what is expected, at least 120.
        engine: where workers run: ``local``, ``slurm`` or ``ray``; or with options of Slurm, what
            ``bench.engine.choice.choose_engine`` returns.
        runs: the folder of all runs.
        fresh: discard what this run made of these clips before.
        keep_samples: score samples that other code, weights or devices made, and mark the run.
        yes: make such samples again, however long that takes.
        verify_bytes: read all media and samples again instead of trusting remembered checksums.
        bounds: also compute floor and ceiling, the anchors on the same clips; None where cheap.
        progress: called with the stage, the number of finished items, and the number of all.
        notify: called with each sentence that the user should read; prints to standard error by
            default.

    Raises:
        BenchError: something that was named does not exist, is missing or contradicts another
            option; the message states what to do.
    """
    choice = choose_engine(engine, workers=workers)
    options = RunOptions(
        model=model,
        split=split,
        limit=limit,
        only=_as_path(only),
        clips=clips,
        seed=seed,
        mask=mask,
        mask_scope=mask_scope,
        reference_from=reference_from,
        device=device,
        workers=workers,
        timeout=timeout,
        runs=Path(runs),
        keep_samples=keep_samples,
        yes=yes,
        engine=choice,
    )
    judging = JudgeOptions(
        metrics=metrics,
        clap=clap,
        profile=profile,
        judge=judge,
        weights=_as_path(weights),
        device=judge_device or device,
        batch_size=batch_size,
    )
    plan = plan_run(options, judging, notify)
    with choice.session():
        require_ready(plan, look_ahead(plan, progress, fresh=fresh), notify)
        result = run_plan(plan, progress, fresh=fresh, verify_bytes=verify_bytes)
        return replace(result, bounds=add_bounds(plan, bounds, progress, notify))


def score(
    generated: Path | str,
    reference: Path | str,
    *,
    videos: Path | str | None = None,
    unpaired: bool = False,
    match: str = "name",
    metrics: Names = None,
    clap: bool = False,
    prompts: Path | str | None = None,
    seconds: float | None = None,
    profile: str = DEFAULT_PROFILE,
    judge: str | None = None,
    weights: Path | str | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    engine: EngineChoice | str = "local",
    bounds: bool = False,
    progress: Progress = no_progress,
    notify: Notify = print_notice,
) -> FolderResult:
    """Score a folder of audio against another, pair by pair or as sets, like ``bench score``.

    >>> import bench
    >>> result = bench.score("OUT", "TRUE", metrics="onset_acc,mcd", workers=0)
    >>> result.metrics["mcd"].value < 30
    True
    >>> result.rows[0]["clip"]
    'clip_a'

    Args:
        generated: the folder of generated audio, or of videos with it.
        reference: the folder of true audio, or of videos with it.
        videos: the folder of the videos, for columns that compare with them.
        unpaired: compare two whole sets: no pairs, any names and numbers of files.
        match: pair files by ``name``, or by ``order`` where samples are named by their row in a
            table.
        metrics: columns by name, as a list or between commas; all that can be computed by default.
        clap: also compute the CLAP score, from the prompts.
        prompts: a table of names and prompts; by default labels.csv or labels.tsv in
            ``reference``.
        seconds: compare exactly this much; shorter files then fail. By default a pair is compared
            over its shorter file, up to 8 s.
        profile: ``av-benchmark`` (as published numbers are computed) or ``strict``.
        judge: ``paper``, ``mini`` or ``signal``; ``paper`` by default.
        weights: the folder of the judge's checkpoints.
        device: where the judge's networks run.
        batch_size: how many clips a network of the judge computes at a time.
        workers: worker processes, one per core by default, 0 for none.
        timeout: seconds that one clip may take in a stage before its worker is killed; by default
            20 times what is expected, at least 120.
        engine: where workers run: ``local``, ``slurm`` or ``ray``; or with options of Slurm, what
            ``bench.engine.choice.choose_engine`` returns.
        bounds: also compute floor and ceiling, the anchors on the same pairs.
        progress: called with the stage, the number of finished items, and the number of all.
        notify: called with each sentence that the user should read; prints to standard error by
            default.

    Raises:
        BenchError: a folder is missing or nothing in it can be compared, or an option is refused.
    """
    choice = choose_engine(engine, workers=workers)
    options = FolderOptions(
        generated=Path(generated),
        reference=Path(reference),
        videos=_as_path(videos),
        unpaired=unpaired,
        match=match,
        prompts=_as_path(prompts),
        bounds=bounds,
        seconds=seconds,
        workers=workers,
        timeout=timeout,
        engine=choice,
    )
    judging = JudgeOptions(
        metrics=metrics,
        clap=clap,
        profile=profile,
        judge=judge,
        weights=_as_path(weights),
        device=device,
        batch_size=batch_size,
    )
    with choice.session():
        plan = plan_folders(options, judging, notify)
        result = score_folders(plan, progress)
        return add_folder_bounds(plan, result, progress, notify) if bounds else result


def compare(
    base: Path | str,
    new: Path | str,
    *,
    primary: Names = None,
    rules: Path | str | None = None,
    require_equivalence: bool = False,
    max_differ: float = MAX_DIFFER,
) -> Gate:
    """Test whether a new run is worse than a base run beyond a margin, like ``bench compare``.

    >>> import bench
    >>> base = bench.run("ground-truth", split="mini", limit=3, metrics=["onset_acc"])
    >>> new = bench.run("silence", split="mini", limit=3, metrics=["onset_acc"])
    >>> gate = bench.compare(base.directory, new.directory, primary="onset_acc")
    >>> gate.has_passed
    False
    >>> gate.decisions[0].outcome
    'regression'

    Args:
        base: the directory of the run to compare with.
        new: the directory of the run that should not be worse.
        primary: the columns that decide, as a list or between commas; the paper's ten by default.
        rules: a TOML file of margins and levels by column.
        require_equivalence: pass only if every primary column is shown to be not worse.
        max_differ: the share of clips that only one of the runs may have scored.

    Raises:
        BenchError: the runs cannot be compared, or a rule is refused.
    """
    return gate_runs(
        Path(base),
        Path(new),
        read_rules(_as_path(rules), primary),
        require_equivalence=require_equivalence,
        max_differ=max_differ,
    )


def _as_path(path: Path | str | None) -> Path | None:
    return None if path is None else Path(path)
