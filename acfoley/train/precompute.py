"""Encodes clips into shards of features, one after another; an interrupted call is resumable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from acfoley.train.clips import ClipList, CropLayout, TrainingClip
from acfoley.train.features import Encoding, encode_clip
from acfoley.train.shards import Part, ShardWriter, Store, StoredType, open_store
from bench.backbones.precision import full_precision
from bench.engine import Failure, attempt
from bench.errors import RunError

#: Called with the number of finished clips and of all clips.
OnClip = Callable[[int, int], None]
SHARD_CLIPS = 128


@dataclass(frozen=True)
class ShardOptions:
    """Which share of the clips is written, in shards of how many clips, and as which type."""

    part: Part = Part()
    shard_clips: int = SHARD_CLIPS
    dtype: StoredType = "float16"


@dataclass(frozen=True)
class Summary:
    """How many clips of a list are encoded, and the errors of the others by name."""

    n_clips: int
    n_encoded: int
    failed: dict[str, str]


def precompute(
    listed: ClipList,
    encoding: Encoding,
    folder: Path,
    layout: CropLayout,
    writing: ShardOptions | None = None,
    on_clip: OnClip = lambda done, total: None,
) -> Summary:
    """Encode the clips of a list that ``folder`` does not have yet; failed clips are recorded.

    Every call tries failed clips again. The files depend only on the list, the encoding and the
    parts, not on interruptions.

    Raises:
        RunError: the folder has other features, or another process writes this part of it.
    """
    writing = writing or ShardOptions()
    store = Store(encoding.identity, layout.seconds, layout.reference_seconds, writing.dtype)
    open_store(folder, store, encoding.empty_text())
    try:
        with FileLock(folder / f".{writing.part}.lock", timeout=0):
            writer = ShardWriter(folder, writing.part, writing.dtype, writing.shard_clips)
            return _encode_part(listed, encoding, layout, writing.part, writer, on_clip)
    except Timeout as error:
        raise RunError(f"another process writes part {writing.part} of {folder}") from error


@full_precision()
def _encode_part(
    listed: ClipList,
    encoding: Encoding,
    layout: CropLayout,
    part: Part,
    writer: ShardWriter,
    on_clip: OnClip,
) -> Summary:
    def work(clip: TrainingClip) -> None:
        writer.add(clip, encode_clip(encoding, clip, layout))

    clips = listed.clips[part.index :: part.n_parts]
    refused = listed.refused if part.index == 0 else ()
    names = [*(name for name, _ in refused), *(clip.name for clip in clips)]
    # A failure is no verdict on a clip: the GPU may have been full, or the disk away. So nothing is
    # skipped for having failed before, and the records below are those of this call.
    writer.forget_failures(names)
    for name, reason in refused:
        writer.fail(name, Failure(reason))
    for number, clip in enumerate(clips):
        on_clip(number, len(clips))
        if clip.name in writer.done:
            continue
        outcome = attempt(work, clip)
        if outcome.failure is not None:
            writer.fail(clip.name, outcome.failure)
        if writer.is_full:
            writer.flush()
    writer.flush()
    on_clip(len(clips), len(clips))
    n_encoded = sum(clip.name in writer.done for clip in clips)
    failed = {name: writer.failed[name].message for name in names if name in writer.failed}
    return Summary(len(names), n_encoded, failed)
