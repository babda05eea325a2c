"""From names and options to a plan: of a run, or of a comparison of two folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.engine import core_count
from bench.engine.choice import LOCAL, EngineChoice
from bench.errors import BenchError, MissingError
from bench.inputs import Labels, find_labels, read_labels, require_folders
from bench.io import bench_home, expand_user, require_folder
from bench.pipeline.columns import (
    JudgeOptions,
    Names,
    Notify,
    choose_columns,
    require_devices,
    split_names,
)
from bench.pipeline.folders import LONGEST_SECONDS, FolderPlan
from bench.pipeline.pairing import MATCHES
from bench.pipeline.plan import GROUND_TRUTH, RunPlan, Stale
from bench.plugins import canonical_spec, open_system
from bench.splits import Refusal, Split, open_split, require_files
from bench.splits.references import draw_references
from bench.splits.split import BASE_METRICS, NETWORK_METRICS, TARGET_SECONDS, pick_clips
from bench.suite import DEFAULT_PROFILE, Metric, select
from bench.system import System
from bench.types import Clip, parse_condition

#: The default split: the paper's test clips where they are prepared, else rendered ones.
PAPER_SPLIT, MINI_SPLIT = "vggsound-ib0.3", "mini"

#: Below this a limit would end clips that work.
SHORTEST_TIMEOUT_S = 0.1

#: Columns that compare with the video.
VIDEO_METRICS = frozenset({"ib", "desync"})


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the user asked of a run, under the names of the command line.

    ``split`` may be opened already, so that several plans share one. ``reference_from`` is one of
    ``bench.splits.references.ORIGINS``, None for the references of the split.
    """

    model: str | None = None
    split: str | Split | None = None
    limit: int | None = None
    only: Path | None = None
    clips: Sequence[str] = ()
    seed: int = 42
    mask: Names = None
    mask_scope: str = "whole"
    reference_from: str | None = None
    device: str = "cpu"
    workers: int | None = None
    timeout: float | None = None
    runs: Path = Path("runs")
    keep_samples: bool = False
    yes: bool = False
    engine: EngineChoice = LOCAL


def plan_run(options: RunOptions, judging: JudgeOptions, notify: Notify) -> RunPlan:
    """Return the plan of a run.

    Raises:
        BenchError: no such system, split, clip or column; files or weights are missing; or the
            system cannot do without what is masked.
    """
    # Misspelled options first: they cost nothing, and splits and files may take long to find.
    stale = choose_stale(options.keep_samples, options.yes)
    condition = parse_condition(",".join(split_names(options.mask) or ()), options.mask_scope)
    split = options.split
    if not isinstance(split, Split):
        split = choose_split(split, notify)
    clips = pick_clips(split, limit=options.limit, only=options.only, names=options.clips)
    refused: tuple[Refusal, ...] = ()
    if options.reference_from is not None:
        split = draw_references(split, options.reference_from, options.seed)
        clips, refused = _take(split, clips)
    model = options.model or default_model(split)
    system = open_system(model)
    if unmaskable := sorted(condition.masked - system.masks):
        able = ", ".join(sorted(system.masks)) or "nothing"
        raise BenchError(f"{system.name} cannot do without {unmaskable[0]}; it can mask: {able}")
    _require_clips(system, split, clips)
    _require_truth(system, split, clips, judging)
    # A column that the shortest clip is too short for would be missing for a part of the clips.
    shortest_s = min((clip.seconds for clip in clips), default=TARGET_SECONDS)
    judge, metrics = choose_columns(
        judging, split.metrics, shortest_s, notify, is_mini=split.is_mini
    )
    return RunPlan(
        system=system,
        system_name=canonical_spec(model),
        split=split,
        clips=clips,
        judge=judge,
        metrics=metrics,
        seed=options.seed,
        root=expand_user(options.runs).absolute(),
        workers=core_count() if options.workers is None else options.workers,
        device=options.device,
        condition=condition,
        stale=stale,
        # The filter by ImageBind and the ceiling of other runs have the same samples.
        shares_features=system.name == GROUND_TRUTH,
        timeout_s=check_timeout(options.timeout),
        refused=refused,
        engine=options.engine,
    )


def _take(split: Split, chosen: tuple[Clip, ...]) -> tuple[tuple[Clip, ...], tuple[Refusal, ...]]:
    """Return those of the chosen clips that have a reference, with it, and refusals of the others.

    They were chosen before: the first eight clips are the same eight under every reference.

    Raises:
        BenchError: none of them has a reference.
    """
    changed = {clip.name: clip for clip in split.clips}
    names = {clip.name for clip in chosen}
    refused = tuple(each for each in split.refused if each.clip in names)
    clips = tuple(changed[clip.name] for clip in chosen if clip.name in changed)
    if not clips:
        raise BenchError(
            f"none of the {len(chosen)} clips has a reference from {split.references}, e.g. "
            f"{refused[0].clip}: {refused[0].reason}"
        )
    return clips, refused


def choose_split(
    spec: str | None, notify: Notify, usual: str = PAPER_SPLIT, rendered: str = MINI_SPLIT
) -> Split:
    """Open the split that is asked for, or the default one, and report which it is.

    The default is ``usual`` where its clips are here, else ``rendered``.

    Raises:
        BenchError: no such split, or its clips cannot be listed.
    """
    reason = ""
    try:
        split = open_split(spec or usual)
    except MissingError as error:
        if spec:
            raise
        split = open_split(rendered)
        reason = f", since {usual} is not prepared ({error}); --split names another"
    notify(f"split {split.name}: {len(split.clips)} clips{reason}")
    return split


def default_model(split: Split) -> str:
    """Return the model that runs where none is named: AC-Foley, small on mini clips."""
    return "acfoley-mini" if split.is_mini else "acfoley"


def check_timeout(timeout: float | None) -> float | None:
    """Return the limit in seconds, None for the default.

    Raises:
        BenchError: it is shorter than any work takes.
    """
    if timeout is not None and not timeout >= SHORTEST_TIMEOUT_S:
        raise BenchError(f"the time limit is {timeout:g} s, expected at least {SHORTEST_TIMEOUT_S}")
    return timeout


def choose_stale(keep_samples: bool, yes: bool) -> Stale:
    """Return what to do with samples that other code, weights or devices made.

    Raises:
        BenchError: they are to be kept and made again.
    """
    if keep_samples and yes:
        raise BenchError("--keep-samples keeps samples and --yes makes them again: give one")
    return "keep" if keep_samples else "remake" if yes else "ask"


def _require_clips(system: System, split: Split, clips: tuple[Clip, ...]) -> None:
    """Refuse clips that are not prepared; the same message names what the system needs."""
    try:
        require_files(split, clips)
    except MissingError as error:
        if system.lacks and (missing := system.lacks()):
            raise MissingError(f"{error}; {system.name} needs {missing}") from error
        raise


def _require_truth(
    system: System, split: Split, clips: tuple[Clip, ...], judging: JudgeOptions
) -> None:
    """Refuse columns and systems that read the true audio of clips that have none."""
    if all(clip.audio is not None for clip in clips):
        return
    wanted = select(judging.profile, split_names(judging.metrics) or split.metrics)
    if compared := [metric.name for metric in wanted if metric.reads_truth]:
        others = ", ".join(each.name for each in select(judging.profile) if _is_free(each))
        raise BenchError(
            f"the clips of {split.name} have no true audio to compare with, as "
            f"{', '.join(compared)} would; columns without it are {others}"
        )
    if system.uses & {"truth", "other"} and system.needs_truth:
        raise BenchError(
            f"{system.name} reads true audio, which the clips of {split.name} do not have"
        )


def _is_free(metric: Metric) -> bool:
    """Whether a column can be computed of a sample, its video and its prompt alone."""
    return not metric.reads_truth and metric.against not in ("reference", "hits")


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """What the user asked of ``bench score``, under the names of the command line."""

    generated: Path
    reference: Path
    videos: Path | None = None
    unpaired: bool = False
    match: str = "name"
    prompts: Path | None = None
    parquet: Path | None = None
    bounds: bool = False
    seconds: float | None = None
    workers: int | None = None
    timeout: float | None = None
    engine: EngineChoice = LOCAL


def plan_folders(options: FolderOptions, judging: JudgeOptions, notify: Notify) -> FolderPlan:
    """Return the plan of a comparison of two folders.

    Raises:
        BenchError: options contradict one another, or a column cannot be computed of the folders.
    """
    if options.match not in MATCHES:
        raise BenchError(f"--match {options.match!r} is not known; there are: {', '.join(MATCHES)}")
    of_pairs = (options.videos, options.parquet, options.prompts, options.bounds, judging.clap)
    if options.unpaired and (any(of_pairs) or options.match != "name"):
        raise BenchError(
            "--unpaired compares whole sets: it takes no --videos, --parquet, --clap, --prompts, "
            "--bounds or --match order"
        )
    sources = (options.generated, options.reference, options.videos)
    require_folders(*(each for each in sources if each is not None and not each.is_file()))
    judge, metrics = choose_columns(
        judging,
        _default_columns(options),
        options.seconds or LONGEST_SECONDS,
        notify,
        is_mini=False,
    )
    labels = _find_labels(metrics, options.reference, options.prompts)
    _require_sides(metrics, options.videos)
    if not options.unpaired and not options.videos and judging.metrics is None:
        notify("ib and desync compare with the video: name its folder with --videos")
    require_devices(judging.device, engine=options.engine)
    require_folder(bench_home())
    return FolderPlan(
        generated=options.generated,
        reference=options.reference,
        videos=options.videos,
        seconds=options.seconds,
        judge=judge,
        metrics=metrics,
        workers=core_count() if options.workers is None else options.workers,
        device=judging.device,
        labels=labels,
        match=options.match,
        is_paired=not options.unpaired,
        timeout_s=check_timeout(options.timeout),
        engine=options.engine,
    )


def _default_columns(options: FolderOptions) -> tuple[str, ...]:
    if options.unpaired:
        rows = select(DEFAULT_PROFILE)
        return tuple(metric.name for metric in rows if metric.score_set is not None)
    networks = [name for name in NETWORK_METRICS if options.videos or name not in VIDEO_METRICS]
    return (*networks, *BASE_METRICS)


def _find_labels(metrics: Iterable[Metric], reference: Path, file: Path | None) -> Labels | None:
    """The prompts of the references, where a column reads them.

    Raises:
        BenchError: there are none, or there is a file of them and no column that reads it.
    """
    if not any(metric.against == "prompt" for metric in metrics):
        if file:
            raise BenchError("only the column clap reads --prompts: ask for it with --clap")
        return None
    if file is None and reference.is_dir():
        file = find_labels(reference)
    if file is None:
        raise BenchError(
            f"clap compares audio with prompts and {reference} holds no labels.csv or labels.tsv: "
            "give a .csv or .tsv of names and prompts with --prompts FILE"
        )
    return read_labels(file)


def _require_sides(metrics: Iterable[Metric], videos: Path | None) -> None:
    """Refuse columns that compare with what two folders do not have."""
    available = {"target", "prompt", "picture"} if videos else {"target", "prompt"}
    for metric in metrics:
        if metric.against not in available:
            what = "a folder of --videos" if metric.against == "picture" else "a split: bench run"
            raise BenchError(f"{metric.name} compares with the {metric.against}: it needs {what}")
