"""``bench score``: any two folders of audio, paired and compared over the same window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import MediaError
from bench.inputs import Labels, Prompts
from bench.judges import Judge
from bench.pipeline.evaluate import Identity, Progress, RunLog, evaluate, summarise
from bench.pipeline.pairing import FilePair, pair_folders
from bench.pipeline.provenance import provenance
from bench.pipeline.score import Pair, Scoring
from bench.results import Failure, Results
from bench.suite import Metric
from bench.types import FULL, MAX_SHORTFALL_S, Clip, Excerpt

#: The longest window that is compared where the user names none: the paper's.
LONGEST_SECONDS = 8.0
SHORTEST_SECONDS = 0.1


@dataclass(frozen=True)
class FolderPlan:
    """What to compare. With ``seconds``, shorter files fail; without, pairs meet at the shorter.

    ``labels`` give the prompts of the references, for those metrics that read them; ``match`` is
    one of ``bench.pipeline.pairing.MATCHES``; ``timeout_s`` limits the time of one pair in every
    stage, None derives it from the expected time.
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
    timeout_s: float | None = None


@dataclass(frozen=True)
class FolderResult:
    """What the comparison found; ``clips`` are the true sides of the pairs that were scored."""

    results: Results
    rows: tuple[Mapping[str, Any], ...]
    failures: tuple[Failure, ...]
    provenance: Mapping[str, Any]
    clips: tuple[Clip, ...] = ()


def score_folders(plan: FolderPlan, progress: Progress) -> FolderResult:
    """Score the audio in ``plan.generated`` against their namesakes in ``plan.reference``.

    Raises:
        BenchError: a folder is missing, or nothing in one can be paired with the other.
    """
    sees = any(metric.against == "picture" for metric in plan.metrics)
    videos = plan.videos if sees else None
    pairing = pair_folders(plan.reference, plan.generated, videos, plan.match)
    prompts = _prompts(pairing.pairs, plan)
    run_log = RunLog(progress, list(pairing.failures))
    pairs, n_cut = _windowed(pairing.pairs, plan, prompts.by_clip, run_log)
    scoring = Scoring(plan.metrics, plan.judge, None)
    scored = evaluate(pairs, scoring, plan.workers, run_log, plan.timeout_s)
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
    return FolderResult(results, flat, failures, provenance(plan.judge, plan.device), clips)


def _prompts(pairs: Sequence[FilePair], plan: FolderPlan) -> Prompts:
    """The prompts of the pairs by name, where there are labels; a note says how many have one."""
    if plan.labels is None:
        return Prompts({}, ())
    clips = {pair.name: pair.true.relative_to(plan.reference.absolute()) for pair in pairs}
    prompts = plan.labels.assign(clips)
    n_told = sum(map(bool, prompts.by_clip.values()))
    count = f"{n_told} of {len(clips)} clips have a prompt ({plan.labels.path.name})"
    return Prompts(prompts.by_clip, (count, *prompts.notes))


def _windowed(
    pairs: Sequence[FilePair], plan: FolderPlan, prompts: Mapping[str, str], run_log: RunLog
) -> tuple[list[Pair], int]:
    """The pairs with the window to compare; how many windows the sample made shorter."""
    windowed, n_cut = [], 0
    for pair in pairs:
        try:
            window, is_cut = _window(pair.true, pair.generated, plan.seconds)
        except MediaError as error:
            run_log.failures.append(Failure(pair.name, "pair", str(error)))
            continue
        windowed.append(_as_pair(pair, window, prompts.get(pair.name, "")))
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


def _as_pair(pair: FilePair, seconds: float, prompt: str) -> Pair:
    window = Excerpt(pair.true.absolute(), 0.0, seconds)
    video = Excerpt(pair.video.absolute(), 0.0, seconds) if pair.video else None
    clip = Clip(pair.name, window, seconds, video=video, prompt=prompt, cluster=pair.cluster)
    return Pair(clip, Excerpt(pair.generated.absolute(), 0.0, seconds))
