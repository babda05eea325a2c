"""Select clips of a split: all, the first, or those that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.inputs import read_lines
from bench.splits.split import Split
from bench.types import Clip


def pick_clips(
    split: Split, *, limit: int | None = None, only: Path | None = None, names: Sequence[str] = ()
) -> tuple[Clip, ...]:
    """Return the clips of a split in its order: those named in ``names`` and in the file ``only``.

    Without either, all; of these, the first ``limit``. The file has one name a line.

    Raises:
        BenchError: the file cannot be read, or a name is not a clip of the split.
    """
    listed = read_lines(only, "the names of clips in") if only else []
    wanted = [*names, *(name for _, name in listed)]
    # An empty file would otherwise select all clips, the opposite of what it states.
    if only is not None and not wanted:
        raise BenchError(f"{only} names no clip: it needs one name of {split.name} a line")
    if not wanted:
        return split.clips[:limit]
    # A refused clip gets its reason: "no such clip" would send the user looking for a misspelling.
    known = {clip.name for clip in split.clips}
    refused = {refusal.clip: refusal.reason for refusal in split.refused}
    for name in wanted:
        if name in refused:
            raise BenchError(f"the clip {name!r} of {split.name} cannot take part: {refused[name]}")
        if name not in known:
            raise BenchError(
                f"{split.name} has no clip {name!r}; its {len(known)} clips are named like "
                f"{split.clips[0].name if split.clips else 'none'}"
            )
    # In the order of the split, whatever the order of the names: equal selections are equal runs.
    chosen = set(wanted)
    return tuple(clip for clip in split.clips if clip.name in chosen)[:limit]
