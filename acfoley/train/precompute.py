"""Clips to shards of features: one after another, each once, whatever stops it in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from acfoley.train.clips import ClipList, TrainingClip
from acfoley.train.crops import CropLayout
from acfoley.train.features import Encoding, encode_clip
from acfoley.train.shards import Part, ShardWriter, Store, StoredType, open_store
from bench.engine import Failure, attempt
from bench.errors import RunError

#: Called with how many clips are finished, of how many.
OnClip = Callable[[int, int], None]
SHARD_CLIPS = 128


@dataclass(frozen=True)
class ShardOptions:
    """How shards are written."""

    part: Part = Part()
    shard_clips: int = SHARD_CLIPS
    dtype: StoredType = "float16"


@dataclass(frozen=True)
class Summary:
    """What became of the clips of a list: how many are encoded, why others are not, by name."""

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
    """Encode the clips of a list that ``folder`` lacks; what fails is recorded and left out.

    Failed clips are tried again by every call, since what failed may have been the machine and not
    the clip. The files depend on the list, the encoding and the parts alone, not on interruptions.

    Raises:
        RunError: the folder holds other features, or another process writes this part of it.
    """
    writing = writing or ShardOptions()
    store = Store(encoding.identity, layout.seconds, layout.reference_seconds, writing.dtype)
    open_store(folder, store, encoding.empty_text())
    try:
        with FileLock(folder / f".{writing.part}.lock", timeout=0):
            return _encoded(listed, encoding, folder, layout, writing, on_clip)
    except Timeout as error:
        raise RunError(f"another process writes part {writing.part} of {folder}") from error


def _encoded(
    listed: ClipList,
    encoding: Encoding,
    folder: Path,
    layout: CropLayout,
    writing: ShardOptions,
    on_clip: OnClip,
) -> Summary:
    writer = ShardWriter(folder, writing.part, writing.dtype, writing.shard_clips)
    part = writing.part
    clips = listed.clips[part.index :: part.n_parts]
    refused = listed.refused if part.index == 0 else ()
    names = [*(name for name, _ in refused), *(clip.name for clip in clips)]
    writer.forget_failures(names)
    for name, reason in refused:
        writer.fail(name, Failure(reason))
    for number, clip in enumerate(clips):
        on_clip(number, len(clips))
        if clip.name not in writer.done:
            _add(clip, encoding, layout, writer)
    writer.flush()
    on_clip(len(clips), len(clips))
    n_encoded = sum(clip.name in writer.done for clip in clips)
    failed = {name: writer.failed[name].message for name in names if name in writer.failed}
    return Summary(len(clips), n_encoded, failed)


def _add(clip: TrainingClip, encoding: Encoding, layout: CropLayout, writer: ShardWriter) -> None:
    def work(clip: TrainingClip) -> None:
        writer.add(clip, encode_clip(encoding, clip, layout))

    outcome = attempt(work, clip)
    if outcome.failure is not None:
        writer.fail(clip.name, outcome.failure)
    if writer.is_full:
        writer.flush()
