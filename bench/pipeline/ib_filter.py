"""The ImageBind score of every clip of a list of VGGSound: the true audio against its video.

A score is what ``bench run --model ground-truth`` computes for the column ``ib``, by the same
stages and with the same features: whatever one of the two has computed, the other finds. Samples
of true audio would take 300 GB for the list to train on, so they are made for some clips at a time
and deleted; scores are kept in Parquet beside the manifest, with what they were made from.

    ib-test-av-benchmark.parquet        clip, score (raw cosine), reason where there is none
    ib-test-av-benchmark.0of8.parquet   those of one process of several, until they are merged
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

from bench.datasets.vggsound import vggsound_directory
from bench.digests import file_identity, hash_files
from bench.errors import BenchError, RunError
from bench.inputs.manifest import MediaRow
from bench.io import atomic_path, bench_home, require_folder
from bench.judges import Judge
from bench.judges.paper import RELEASE_WINDOWS, with_release_windows
from bench.metrics import cosine_score
from bench.pipeline.columns import JudgeOptions, Notify, choose_columns, require_devices
from bench.pipeline.estimate import estimate
from bench.pipeline.evaluate import Progress, RunLog, evaluate
from bench.pipeline.feature_store import PREPARATION
from bench.pipeline.generate import generate_samples
from bench.pipeline.journal import fingerprint
from bench.pipeline.outcome import pair_of
from bench.pipeline.plan import GROUND_TRUTH, RunPlan
from bench.pipeline.run import GIBIBYTE, lock_folder
from bench.plugins import open_system
from bench.splits import Split
from bench.splits.split import TARGET_SECONDS
from bench.splits.vggsound import make_clip, read_vggsound
from bench.suite import SUITE_VERSION, Metric, Side
from bench.types import Clip

LISTS = ("test", "train")
#: Clips whose samples are on disk at a time: 0.7 GB, and the networks are loaded once for them.
CHUNK = 1_000
#: Only clips this close to the threshold are scored in the other windows too.
NEAR = 0.05


@dataclass(frozen=True)
class ScoredClip:
    """One row: the raw cosine of a clip, or the reason for none.

    ``release_score`` is the cosine in the windows of pytorchvideo's release 0.1.5, only near the
    threshold. ``made_from`` is a hash of media, judge and preparation.
    """

    clip: str
    score: float | None = None
    reason: str = ""
    release_score: float | None = None
    made_from: str = ""


@dataclass(frozen=True)
class FilterPlan:
    """A list of the manifest to score, or with ``part`` (k, n) every n-th clip from k on."""

    list_name: str
    rows: tuple[MediaRow, ...]
    judge: Judge
    metric: Metric
    min_ib: float
    workers: int
    part: tuple[int, int] | None = None

    @property
    def own_rows(self) -> tuple[MediaRow, ...]:
        """The rows of this process."""
        index, n_parts = self.part or (0, 1)
        return self.rows[index::n_parts]

    @property
    def name(self) -> str:
        """The name of the file of all scores, without its suffix."""
        return f"ib-{self.list_name}-{self.judge.profile}"

    @property
    def path(self) -> Path:
        """The file of the scores of this process."""
        share = f".{self.part[0]}of{self.part[1]}" if self.part else ""
        return vggsound_directory() / f"{self.name}{share}.parquet"

    @property
    def work(self) -> Path:
        """The folder of the samples that are on disk while this process works."""
        return self.path.with_suffix(".work")

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the extractors that decide a score."""
        needed = {*self.metric.reads, *self.metric.reads_of("picture")}
        return {each.name: each.version for each in self.judge.extractors if each.name in needed}


def plan_filter(
    list_name: str,
    min_ib: float,
    judging: JudgeOptions,
    workers: int,
    notify: Notify,
    part: tuple[int, int] | None = None,
) -> FilterPlan:
    """Return the plan of a filter.

    Raises:
        MissingError: there is no manifest, or the weights of ImageBind are missing.
        BenchError: no such list or profile, or the manifest has no clip of the list.
    """
    if list_name not in LISTS:
        raise BenchError(f"--list {list_name!r} is not known; there are: {', '.join(LISTS)}")
    rows = tuple(row for row in read_vggsound().rows if row.split == list_name)
    if not rows:
        raise BenchError(
            f"the manifest of VGGSound lists no clip of {list_name!r}: prepare it with its table, "
            "`bench data prepare vggsound --from PATH --table vggsound.csv`"
        )
    judging = replace(judging, metrics="ib")
    judge, (metric,) = choose_columns(judging, (), TARGET_SECONDS, notify, is_mini=False)
    # As it is: the column is times 100, and 0.3 times 100 is not 30 in every case.
    metric = replace(metric, score=partial(_cosine, "imagebind_audio"))
    return FilterPlan(list_name, rows, judge, metric, min_ib, workers, part)


def _cosine(audio: str, true: Side, generated: Side) -> float:
    video = true["imagebind_picture"]["embedding"][None]
    return float(cosine_score(video, generated[audio]["embedding"][None])[0])


def score_list(plan: FilterPlan, progress: Progress) -> list[ScoredClip]:
    """Return a row for each clip of the plan, in its order; what was scored before is kept.

    The rows are written after every ``CHUNK`` clips. Without a part, those of all parts are merged
    into one file.

    Raises:
        RunError: another process works on the same rows.
        BenchError: the disk is too full, or there is no such device.
    """
    require_devices(plan.judge.device)
    require_folder(bench_home())
    work = plan.work
    with lock_folder(work):
        clips = {row.clip: make_clip(row) for row in plan.own_rows if not row.problem}
        media = [each.path for clip in clips.values() for each in (clip.audio, clip.video) if each]
        hash_files(media, partial(progress, "hash"))
        rows = _start_rows(plan, clips)
        todo = [clip for name, clip in clips.items() if rows[name].score is None]
        for found in _score(plan, todo, work, progress):
            for row in found:
                rows[row.clip] = replace(rows[row.clip], score=row.score, reason=row.reason)
            write_scores(plan.path, rows.values())
        near = [
            clips[row.clip]
            for row in rows.values()
            if row.release_score is None and is_near(row, plan.min_ib)
        ]
        for found in _score(_with_release_windows(plan), near, work, progress):
            for row in found:
                rows[row.clip] = replace(rows[row.clip], release_score=row.score)
            write_scores(plan.path, rows.values())
        write_scores(plan.path, rows.values())
        if plan.part is None:
            for path in _find_parts(plan):
                path.unlink(missing_ok=True)
            _remove_work_of_parts(plan)
        shutil.rmtree(work)
    return list(rows.values())


def _remove_work_of_parts(plan: FilterPlan) -> None:
    """Delete the samples of parts that were stopped for good; one that works keeps its own."""
    for work in vggsound_directory().glob(f"{plan.name}.*of*.work"):
        with suppress(RunError), lock_folder(work):
            shutil.rmtree(work)


def _start_rows(plan: FilterPlan, clips: Mapping[str, Clip]) -> dict[str, ScoredClip]:
    """The rows in the order of the list, with the scores that hold from earlier calls."""
    earlier: dict[tuple[str, str], ScoredClip] = {}
    for path in (vggsound_directory() / f"{plan.name}.parquet", *_find_parts(plan)):
        for found in read_scores(path) if path.is_file() else ():
            before = earlier.get((found.clip, found.made_from))
            if found.score is not None and (before is None or before.release_score is None):
                earlier[found.clip, found.made_from] = found
    started = {}
    for row in plan.own_rows:
        if row.problem:
            started[row.clip] = ScoredClip(row.clip, reason=row.problem)
            continue
        made_from = _hash_inputs(plan, clips[row.clip])
        empty = ScoredClip(row.clip, reason="not scored yet", made_from=made_from)
        started[row.clip] = earlier.get((row.clip, made_from), empty)
    return started


def _hash_inputs(plan: FilterPlan, clip: Clip) -> str:
    excerpts = [each for each in (clip.audio, clip.video) if each]
    return fingerprint(
        SUITE_VERSION,
        PREPARATION,
        plan.versions,
        [(file_identity(each.path), each.start_s, each.seconds) for each in excerpts],
    )


def _find_parts(plan: FilterPlan) -> list[Path]:
    return sorted(vggsound_directory().glob(f"{plan.name}.*of*.parquet"))


def is_near(row: ScoredClip, min_ib: float, distance: float = NEAR) -> bool:
    """Whether the score of a clip is at most this far from the threshold."""
    return row.score is not None and abs(row.score - min_ib) <= distance


def _with_release_windows(plan: FilterPlan) -> FilterPlan:
    other = with_release_windows(plan.judge.extractors, plan.judge.profile)
    judge = replace(plan.judge, extractors=(*plan.judge.extractors, other))
    metric = replace(plan.metric, reads=(RELEASE_WINDOWS,), score=partial(_cosine, RELEASE_WINDOWS))
    return replace(plan, judge=judge, metric=metric)


def _score(
    plan: FilterPlan, clips: Sequence[Clip], work: Path, progress: Progress
) -> Iterator[list[ScoredClip]]:
    """Yield a row for each of these clips, ``CHUNK`` of them at a time."""
    for start in range(0, len(clips), CHUNK):
        run_plan = _plan_run(plan, tuple(clips[start : start + CHUNK]), work)
        _require_space(run_plan)

        def report(stage: str, done: int, _: int, start: int = start) -> None:
            named = f"{stage} again" if plan.metric.reads == (RELEASE_WINDOWS,) else stage
            progress(named, start + done, len(clips))

        yield _score_chunk(run_plan, report)
        shutil.rmtree(run_plan.directory, ignore_errors=True)


def _plan_run(plan: FilterPlan, clips: tuple[Clip, ...], work: Path) -> RunPlan:
    return RunPlan(
        system=open_system(GROUND_TRUTH),
        system_name=GROUND_TRUTH,
        split=Split(f"vggsound-{plan.list_name}", clips),
        clips=clips,
        judge=plan.judge,
        metrics=(plan.metric,),
        seed=42,
        root=work,
        workers=plan.workers,
        shares_features=True,
    )


def _require_space(run_plan: RunPlan) -> None:
    n_clips = len(run_plan.clips)
    ahead = estimate(run_plan, to_generate=n_clips, to_score=n_clips)
    if ahead.bytes_needed > ahead.bytes_free:
        raise BenchError(
            f"{n_clips} clips at a time need about {ahead.bytes_needed / GIBIBYTE:.1f} GiB and "
            f"{run_plan.root} has {ahead.bytes_free / GIBIBYTE:.1f} GiB free; free some, or set "
            "BENCH_HOME to another disk"
        )


def _score_chunk(run_plan: RunPlan, progress: Progress) -> list[ScoredClip]:
    run_log = RunLog(progress)
    outcomes = generate_samples(run_plan, run_plan.clips)
    n_clips = len(run_plan.clips)
    made = run_log.successes("generate", outcomes, n_clips, lambda job: job.clip.name)
    pairs = [pair_of(run_plan, job.clip) for job, _ in made]
    found = []
    for row in evaluate(pairs, run_plan.scoring, run_plan.workers, run_log):
        score = row.scores["ib"]
        reason = "" if score is not None else "an embedding of its audio or video is zero"
        found.append(ScoredClip(row.pair.clip.name, score, reason))
    failed = (
        ScoredClip(each.clip, reason=f"{each.stage}: {each.error}") for each in run_log.failures
    )
    return [*found, *failed]


def write_scores(path: Path, rows: Iterable[ScoredClip]) -> None:
    """Write rows atomically; equal rows give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = [asdict(row) for row in rows]
    kinds = {"score": pa.float64(), "release_score": pa.float64()}
    columns = {
        each.name: pa.array([row[each.name] for row in held], kinds.get(each.name, pa.string()))
        for each in fields(ScoredClip)
    }
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def read_scores(path: Path) -> list[ScoredClip]:
    """Return the rows that ``write_scores`` wrote.

    Raises:
        BenchError: the file cannot be read, or is not one of scores.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # The file, not its path: pyarrow takes a path with = in it for a partition.
        with path.open("rb") as file:
            table = pq.read_table(file)
        return [ScoredClip(**row) for row in table.to_pylist()]
    except (OSError, TypeError, pa.ArrowException) as error:
        raise BenchError(f"cannot read the scores {path}: {error}; delete it, run again") from error
