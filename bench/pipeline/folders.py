"""Any two folders of audio, compared pair by pair or as two whole sets.

Pairs are compared over the same window. Whole sets (``--unpaired``) need not match in number, name
or length of their files; only metrics of whole sets apply, and the two sides are independent
samples for the intervals.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.engine import Engine
from bench.engine.choice import LOCAL, EngineChoice
from bench.errors import BenchError, MediaError
from bench.inputs import Labels, Listing, Prompts, list_folder, require_folders
from bench.io import bench_home
from bench.judges import Judge
from bench.pipeline.aggregate import length_reason, score_without_interval, sides_of
from bench.pipeline.evaluate import Progress, RunLog, describe, evaluate, summarise
from bench.pipeline.extract import extract_features
from bench.pipeline.notes import media_notes
from bench.pipeline.pairing import FilePair, pair_folders
from bench.pipeline.plan import ENGINE_FOLDER
from bench.pipeline.provenance import provenance
from bench.pipeline.roles import Keys, Pair, Scoring
from bench.results import Failure, Identity, Results, Score, score_of
from bench.suite import Metric
from bench.types import FULL, MAX_SHORTFALL_S, Clip, Excerpt

#: The longest window that is compared where the user names none: the paper's.
LONGEST_SECONDS = 8.0
SHORTEST_SECONDS = 0.1


@dataclass(frozen=True)
class FolderPlan:
    """What to compare, file by file or (``is_paired`` False) as two whole sets.

    With ``seconds``, shorter files fail; without, a pair is compared over its shorter file, up to
    ``LONGEST_SECONDS``. ``labels`` are the prompts of the references, for metrics that read them;
    ``match`` is one of ``bench.pipeline.pairing.MATCHES``. ``timeout_s`` limits the time of one
    pair in every stage; None derives it from the expected time. ``engine`` is where workers run.
    """

    generated: Path
    reference: Path
    videos: Path | None
    seconds: float | None
    judge: Judge
    metrics: tuple[Metric, ...]
    workers: int
    device: str = "cpu"
    labels: Labels | None = None
    match: str = "name"
    is_paired: bool = True
    timeout_s: float | None = None
    engine: EngineChoice = LOCAL

    def open_engine(self) -> Engine:
        """Return the engine of this plan; the jobs of a cluster are in a folder of their own."""
        return self.engine.open(self.workers, bench_home() / ENGINE_FOLDER / secrets.token_hex(6))


@dataclass(frozen=True)
class FolderResult:
    """The results of a comparison; ``clips`` are the true sides of the pairs that were scored.

    ``rows`` are the scores by pair, and ``bounds`` the results of anchors on the same pairs, where
    they were asked for.
    """

    results: Results
    rows: tuple[Mapping[str, Any], ...]
    failures: tuple[Failure, ...]
    provenance: Mapping[str, Any]
    clips: tuple[Clip, ...] = ()
    bounds: tuple[Results, ...] = ()

    @property
    def metrics(self) -> Mapping[str, Score]:
        """The scores by column."""
        return self.results.metrics


def score_folders(plan: FolderPlan, progress: Progress) -> FolderResult:
    """Score the audio in ``plan.generated`` against that in ``plan.reference``.

    Raises:
        BenchError: a folder is missing, or nothing in one can be paired with the other.
    """
    if not plan.is_paired:
        return score_unpaired(plan, progress)
    reads_video = any(metric.against == "picture" for metric in plan.metrics)
    videos = plan.videos if reads_video else None
    pairing = pair_folders(plan.reference, plan.generated, videos, plan.match)
    prompts = _prompts(pairing.pairs, plan)
    run_log = RunLog(progress, list(pairing.failures))
    pairs, n_cut = _choose_windows(pairing.pairs, plan, prompts.by_clip, run_log)
    scoring = Scoring(plan.metrics, plan.judge, None)
    scored = evaluate(pairs, scoring, plan.open_engine(), run_log, plan.timeout_s)
    rows = sorted(scored, key=lambda row: row.pair.clip.name)
    cut = (
        f"{n_cut} of {len(pairs)} samples end before their reference and were compared over "
        "their own length; --seconds N requires one"
    )
    results = summarise(
        Identity(plan.generated.absolute().name, plan.reference.absolute().name, FULL.name, 0),
        rows,
        scoring,
        expected=len(rows) + len(run_log.failures),
        notes=(*pairing.notes, *prompts.notes, *((cut,) if n_cut else ())),
    )
    failures = tuple(sorted(run_log.failures, key=lambda failure: failure.clip))
    flat = tuple(row.flat() for row in rows)
    clips = tuple(row.pair.clip for row in rows)
    return FolderResult(results, flat, failures, _provenance(plan), clips)


def _provenance(plan: FolderPlan) -> dict[str, Any]:
    return provenance(plan.judge, plan.device, plan.engine.name)


def _prompts(pairs: Sequence[FilePair], plan: FolderPlan) -> Prompts:
    """The prompts of the pairs by name, where there are labels; a note states how many have one."""
    if plan.labels is None:
        return Prompts({}, ())
    clips = {pair.name: pair.true.relative_to(plan.reference.absolute()) for pair in pairs}
    prompts = plan.labels.assign(clips)
    n_prompts = sum(map(bool, prompts.by_clip.values()))
    count = f"{n_prompts} of {len(clips)} clips have a prompt ({plan.labels.path.name})"
    return Prompts(prompts.by_clip, (count, *prompts.notes))


def _choose_windows(
    pairs: Sequence[FilePair], plan: FolderPlan, prompts: Mapping[str, str], run_log: RunLog
) -> tuple[list[Pair], int]:
    """The pairs with the window to compare, and how many windows the sample made shorter."""
    windowed, n_cut = [], 0
    for pair in pairs:
        try:
            window, is_cut = _window(pair.true, pair.generated, plan.seconds)
        except MediaError as error:
            run_log.failures.append(Failure(pair.name, "pair", str(error)))
            continue
        true, made = (Excerpt(each.absolute(), 0.0, window) for each in (pair.true, pair.generated))
        video = Excerpt(pair.video.absolute(), 0.0, window) if pair.video else None
        prompt = prompts.get(pair.name, "")
        clip = Clip(pair.name, true, window, video=video, prompt=prompt, cluster=pair.cluster)
        windowed.append(Pair(clip, made))
        n_cut += is_cut
    return windowed, n_cut


def _window(true: Path, generated: Path, seconds: float | None) -> tuple[float, bool]:
    """How many seconds to compare, and whether the sample forced the window to be shorter."""
    if seconds is not None:
        return seconds, False
    from bench.media import read_audio_seconds

    true_s, generated_s = read_audio_seconds(true), read_audio_seconds(generated)
    wanted = min(LONGEST_SECONDS, true_s)
    # A sample that ends a frame early is filled with silence, as everywhere.
    window = wanted if wanted - generated_s <= MAX_SHORTFALL_S else generated_s
    if window < SHORTEST_SECONDS:
        shorter = generated if generated_s < true_s else true
        raise MediaError(f"{shorter} lasts {window:.3f} s, which is too short to compare")
    return window, generated_s < wanted - MAX_SHORTFALL_S


#: A set of audio files that could be read, each with the keys of its features.
Readable = list[tuple[Pair, Keys]]


def score_unpaired(plan: FolderPlan, progress: Progress) -> FolderResult:
    """Compare all audio of ``plan.generated`` with all of ``plan.reference``.

    Each is read over its first ``plan.seconds``, or up to 8 s where none are named.

    Raises:
        BenchError: a folder is missing or empty, fewer than two of its files can be read, or a
            metric needs pairs.
    """
    if paired := [metric.name for metric in plan.metrics if metric.score_set is None]:
        raise BenchError(f"{paired[0]} compares pairs, --unpaired compares whole sets")
    run_log, scoring = RunLog(progress, []), Scoring(plan.metrics, plan.judge, None)
    folders = (plan.reference, plan.generated)
    require_folders(*folders)
    listings = [list_folder(folder) for folder in folders]
    sides = [_list_audio(listing, plan.seconds, run_log) for listing in listings]
    pairs = [pair for side in sides for pair in side]
    outcomes = extract_features(pairs, scoring, plan.open_engine(), plan.timeout_s)
    total = sum(map(len, sides))
    done = run_log.successes("extract", outcomes, total, lambda pair: pair.clip.name)
    keys = {pair.clip.name: value for pair, value in done}
    true, generated = (
        [(pair, keys[pair.clip.name]) for pair in side if pair.clip.name in keys] for side in sides
    )
    for folder, readable in zip(folders, (true, generated), strict=True):
        _require_set(folder, readable, run_log.failures)
    results = describe(
        Identity(plan.generated.absolute().name, plan.reference.absolute().name, FULL.name, 0),
        scoring,
        {metric.name: _score(metric, true, generated, scoring) for metric in plan.metrics},
        expected=len(true) + len(generated) + len(run_log.failures),
        scored=[pair.clip.name for pair, _ in (*true, *generated)],
        notes=(
            f"unpaired: {len(generated)} generated against {len(true)} reference files",
            *media_notes(true, scoring, "reference files", ("target",)),
            *media_notes(generated, scoring, "generated files", ("generated",)),
            *(note for listing in listings for note in listing.audio_notes()),
        ),
    )
    failures = tuple(sorted(run_log.failures, key=lambda failure: failure.clip))
    return FolderResult(results, (), failures, _provenance(plan))


def _list_audio(listing: Listing, seconds: float | None, run_log: RunLog) -> list[Pair]:
    """The audio files of a folder that can be opened; the others become failures in the log."""
    files = listing.require(listing.with_audio, "audio or video")
    found = (_pair_with_itself(path, seconds, run_log) for path in files)
    return [pair for pair in found if pair is not None]


def _require_set(folder: Path, readable: Readable, failures: Sequence[Failure]) -> None:
    if len(readable) < 2:
        reasons = (f"; {each.clip}: {each.error}" for each in failures)
        raise BenchError(
            f"{folder} holds {len(readable)} audio files that can be read, a set needs at least 2"
            f"{next(reasons, '')}"
        )


def _pair_with_itself(path: Path, seconds: float | None, run_log: RunLog) -> Pair | None:
    """An audio file as the pair of itself: whatever side it is on, its features are the same."""
    from bench.media import read_audio_seconds

    # The full path, since files of both folders may have one name.
    name = str(path)
    try:
        window_s = seconds or min(LONGEST_SECONDS, read_audio_seconds(path))
        if window_s < SHORTEST_SECONDS:
            raise MediaError(f"{path} lasts {window_s:.3f} s, which is too short to judge")
    except MediaError as error:
        run_log.failures.append(Failure(name, "pair", str(error)))
        return None
    excerpt = Excerpt(path.absolute(), 0.0, window_s)
    return Pair(Clip(name, excerpt, window_s), excerpt)


def _score(metric: Metric, true: Readable, generated: Readable, scoring: Scoring) -> Score:
    from bench.metrics import two_sample_interval

    suited = [
        [(pair, keys) for pair, keys in side if metric.accepts_length(pair.clip.seconds)]
        for side in (true, generated)
    ]
    n = len(suited[1])
    if metric.score_set is None or min(map(len, suited)) < 2:
        reason = length_reason(metric, [*true, *generated])
        return Score(None, None, None, 0, reason=f"{reason}; a set needs at least 2 clips")
    # Both sides are extracted as targets, see ``_pair_with_itself``.
    found = metric.score_set(*(sides_of("target", metric, side, scoring) for side in suited))
    if found.reason or found.true is None or found.generated is None:
        return score_without_interval(found, n)
    interval = two_sample_interval(found.value, found.true, found.generated)
    return replace(score_of(interval), dimensions=found.dimensions)
