"""Create a study from finished runs: choose clips, freeze the design, prepare the media.

A study is made in a hidden folder beside its destination and then renamed: it is there as a whole
or not at all.
"""

from __future__ import annotations

import math
import random
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError
from bench.io import require_folder, write_json
from bench.seeds import stable_seed
from bench.study import clips as choice
from bench.study.clips import StudyRun, describe_class
from bench.study.design import (
    FILE,
    FORMAT,
    IDENTICAL,
    MISMATCH,
    OTHER,
    PRACTICE,
    TRUE,
    Check,
    Design,
    Loudness,
    Question,
    Rules,
    StudyClip,
    check_design,
    format_design,
    read_design,
)
from bench.study.media import (
    KEY,
    MEDIA,
    MEDIA_LIST,
    PRIVATE,
    REFERENCE,
    SAMPLE,
    TWIN,
    Version,
    describe_levels,
    prepare_media,
)
from bench.study.power import plan_raters
from bench.study.scores import SCORES, collect_scores
from bench.types import Clip, Excerpt

#: Called with what is done: a stage, and how far it is.
OnProgress = Callable[[str, int, int], None]

#: The questions of the paper's survey (appendix C, figure 5).
QUESTIONS = (
    Question("fidelity", "Whose audio is most similar to that of the real video?"),
    Question(
        "sync",
        "Whose audio is better in sync with the video?",
        "Both have good sync / difficult to choose",
    ),
)
#: A practice trial, two with audio of another clip, one with the same sample on both sides.
N_CHECKS = 4
PER_RATER = 16
MIN_PLAY_S = 5.0
#: What the stated power is for: a common effect, and the correlation of a rater's votes.
EFFECT, ICC = 0.6, 0.05


@dataclass(frozen=True)
class StudyOptions:
    """What ``bench study design`` was asked for; ``per_rater`` None is 16 or all clips.

    ``split`` is needed where the name in the results opens none, as for a folder of yours.
    """

    runs: tuple[Path, ...]
    out: Path
    videos: int = 16
    per_rater: int | None = None
    seed: int = 0
    clips: Path | None = None
    asks_panel_id: bool = False
    split: str | None = None


def create_study(options: StudyOptions, progress: OnProgress) -> tuple[Design, list[str]]:
    """Create the folder of a study; return its design, and notes on what was chosen.

    Raises:
        BenchError: runs that cannot be compared, too few clips, media that are missing or cannot
            be read, a destination that is not empty. Then nothing is left behind.
        OSError: as of a full disk; likewise.
    """
    import pyloudnorm  # noqa: F401 - what is missing shows now, not after minutes
    import tomli_w  # noqa: F401

    out = options.out.absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise BenchError(f"{options.out} exists already: name a folder that does not, by --out")
    runs = choice.open_runs(options.runs)
    candidates = choice.find_candidates(runs, options.runs, options.split)
    main, spare, notes = _choose(options, candidates, progress)
    if candidates.n_left_out:
        notes.append(f"{candidates.n_left_out} clips were left out: not all runs scored them")
    design = _make_design(options, runs, main, spare, candidates.split.is_mini)
    check_design(design, options.out / FILE)
    require_folder(out.parent)
    temporary = out.parent / f".{out.name[:40]}-{secrets.token_hex(8)}"
    try:
        notes += _fill(temporary, design, runs, [*main, *spare], options, progress)
        temporary.replace(out)
    finally:
        with suppress(FileNotFoundError):
            shutil.rmtree(temporary)
    return read_design(out), notes


def _choose(
    options: StudyOptions, candidates: choice.Candidates, progress: OnProgress
) -> tuple[list[tuple[Clip, float]], list[tuple[Clip, float]], list[str]]:
    """Return the clips of the study and those of its checks, each with its clarity, and notes."""

    def show(done: int, total: int) -> None:
        progress("choose", done, total)

    notes: list[str] = []
    measure = choice.measure_clarity
    if options.clips:
        named = choice.read_clips(candidates, options.clips)
        main = [(clip, measure(clip)) for clip in named]
    else:
        main = choice.choose_clips(candidates.clips, options.videos, options.seed, measure, show)
    classes = [describe_class(clip) for clip, _ in main if describe_class(clip)]
    if len(set(classes)) < len(classes):
        notes.append("some clips are of the same class: the runs have too few classes")
    if unclear := [clip.name for clip, clarity in main if clarity == 0.0]:
        notes.append(f"{len(unclear)} clips have fewer than two clear onsets, first {unclear[0]}")
    used = {clip.cluster or clip.name for clip, _ in main}
    others = [clip for clip in candidates.clips if (clip.cluster or clip.name) not in used]
    try:
        spare = choice.choose_clips(others, N_CHECKS, options.seed, lambda clip: 0.0)
    except BenchError:
        notes.append("checks show clips of the study: the runs have too few others")
        spare = [main[i % len(main)] for i in range(N_CHECKS)]
    return main, spare, notes


def _make_design(
    options: StudyOptions,
    runs: Sequence[StudyRun],
    main: Sequence[tuple[Clip, float]],
    spare: Sequence[tuple[Clip, float]],
    is_mini: bool,
) -> Design:
    per_rater = options.per_rater or min(PER_RATER, len(main))
    if per_rater > len(main):
        raise BenchError(
            f"--per-rater {per_rater} needs as many clips, the study has {len(main)}: every rater "
            "is shown a clip once"
        )
    shortest = min(clip.seconds for clip, _ in main)
    chosen = tuple(
        StudyClip(clip.name, describe_class(clip) or clip.name, clip.seconds, clarity)
        for clip, clarity in main
    )
    labels = tuple(run.label for run in runs)
    return Design(
        format=FORMAT,
        split=runs[0].results.split,
        is_mini=is_mini,
        seed=options.seed,
        per_rater=per_rater,
        min_play_s=MIN_PLAY_S,
        asks_panel_id=options.asks_panel_id,
        systems=labels,
        power=_describe_power(per_rater, math.comb(len(labels), 2)),
        # Nobody who played three videos for long enough is faster.
        rules=Rules(min_median_s=round(3 * min(MIN_PLAY_S, 0.95 * shortest), 1)),
        loudness=Loudness(),
        questions=QUESTIONS,
        clips=chosen,
        checks=_make_checks([clip for clip, _ in main], spare, labels, options.seed),
    )


def _make_checks(
    main: Sequence[Clip], spare: Sequence[tuple[Clip, float]], labels: Sequence[str], seed: int
) -> tuple[Check, ...]:
    """Return the practice trial and the checks, each on its spare clip."""
    generator = random.Random(stable_seed("study checks", seed))  # noqa: S311 - no secret
    others = list(main)
    generator.shuffle(others)
    checks = []
    for kind, (clip, _) in zip((PRACTICE, MISMATCH, MISMATCH, IDENTICAL), spare, strict=True):
        if kind == IDENTICAL:
            checks.append(Check(kind, clip.name, system=generator.choice(labels)))
            continue
        fitting = [
            each
            for each in others
            if each.seconds == clip.seconds and describe_class(each) != describe_class(clip)
        ]
        fitting = fitting or [each for each in others if each.name != clip.name]
        if not fitting:
            raise BenchError("a study needs two or more clips: a check shows one with another's")
        checks.append(Check(kind, clip.name, other=fitting[0].name))
        others.sort(key=lambda each: each is fitting[0])  # used last, if at all
    return tuple(checks)


def _describe_power(per_rater: int, n_pairs: int) -> str:
    plan = plan_raters(EFFECT, per_rater, ICC)
    raters = (plan.raters or 0) * n_pairs
    pairs = "" if n_pairs == 1 else f" for each of {n_pairs} pairs of systems"
    return (
        f"{raters} raters with {per_rater} votes each tell a win rate of {100 * EFFECT:g} % from "
        f"50 % with a power of 80 %{pairs}, if votes of a rater correlate by {ICC:g} "
        f"({plan.votes} votes{pairs and ' each'}; {plan.independent_votes} if they did not)"
    )


def _fill(
    folder: Path,
    design: Design,
    runs: Sequence[StudyRun],
    chosen: Sequence[tuple[Clip, float]],
    options: StudyOptions,
    progress: OnProgress,
) -> list[str]:
    """Write everything of a study to a new folder; return notes on its media."""
    (folder / MEDIA).mkdir(parents=True)
    private = folder / PRIVATE
    private.mkdir(mode=0o700)
    key = secrets.token_bytes(32)
    (private / KEY).touch(mode=0o600)
    (private / KEY).write_text(key.hex() + "\n", encoding="ascii")
    clips = {clip.name: clip for clip, _ in chosen}
    described = prepare_media(
        list_versions(design, clips, runs),
        design.loudness,
        key,
        folder / MEDIA,
        lambda done, total: progress("media", done, total),
    )
    write_json(private / MEDIA_LIST, described)
    write_json(private / SCORES, collect_scores(design, runs, options.runs))
    (folder / FILE).write_text(format_design(design), encoding="utf-8")
    return describe_levels(described, design.loudness)


def list_versions(
    design: Design, clips: dict[str, Clip], runs: Sequence[StudyRun]
) -> list[Version]:
    """Return every video that some trial of the design shows, once."""
    by_label = {run.label: run for run in runs}

    def sample(clip: Clip, label: str, role: str) -> Version:
        path = by_label[label].sample_path(clip.name)
        return Version(clip, label, role, Excerpt(path, 0.0, clip.seconds))

    def true(clip: Clip, role: str) -> Version:
        assert clip.audio is not None  # noqa: S101 - of all candidates
        return Version(clip, TRUE, role, replace(clip.audio, seconds=clip.seconds))

    versions = []
    for named in design.clips:
        clip = clips[named.name]
        versions += [true(clip, REFERENCE), *(sample(clip, each, SAMPLE) for each in by_label)]
    for check in design.checks:
        clip = clips[check.clip]
        versions.append(true(clip, REFERENCE))
        if check.kind == IDENTICAL:
            versions += [sample(clip, check.system, role) for role in (SAMPLE, TWIN)]
            continue
        other = clips[check.other].audio
        assert other is not None  # noqa: S101 - of all candidates
        excerpt = replace(other, seconds=clip.seconds)
        versions += [true(clip, SAMPLE), Version(clip, OTHER, SAMPLE, excerpt)]
    unique = {(each.clip.name, each.source, each.role): each for each in versions}
    return list(unique.values())
