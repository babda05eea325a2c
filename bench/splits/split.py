"""A split: a named list of clips and its protocol, and a choice of its clips."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.archives import is_file
from bench.errors import BenchError, MissingError
from bench.io import require_safe_name
from bench.types import Clip

#: Raised when a choice of docs/protocol.md changes which clips, windows or prompts are evaluated,
#: or how. Results of different versions are never mixed; those without one are of version 1.
PROTOCOL_VERSION = 1

#: The protocol of the paper (section 4.1): 8 s are generated, the last 2 s of 10 are the reference.
TARGET_SECONDS = 8.0
REFERENCE_SECONDS = 2.0

#: The paper's columns that need networks; computed where the judge's weights are installed.
NETWORK_METRICS = ("fd_passt", "fd_panns", "fd_vgg", "kl_passt", "kl_panns", "ib", "desync")

#: The columns that every split has; a split adds those that its protocol is about.
BASE_METRICS = ("onset_acc", "onset_ap", "mcd", "onset_f1", "mcd_c1", "env_corr", "lsd")


@dataclass(frozen=True)
class Refusal:
    """A clip of the split that the protocol cannot use, with the reason."""

    clip: str
    reason: str


@dataclass(frozen=True)
class Split:
    """Clips in a fixed order, with the columns that the protocol is about.

    ``refused`` are recorded as failures of every run, never dropped. ``preparation`` is the command
    that creates the files of a built-in split. ``label_file`` is the name of the file of prompts,
    if any; ``notes`` are sentences for every result on files that were chosen or left out.
    ``references`` is how the references were drawn, "" for those of the protocol, and ``sources``
    are then the clips whose audio they are (``bench.splits.references``).
    """

    name: str
    clips: tuple[Clip, ...]
    metrics: tuple[str, ...] = BASE_METRICS
    refused: tuple[Refusal, ...] = ()
    is_mini: bool = False
    preparation: str = ""
    label_file: str = ""
    notes: tuple[str, ...] = ()
    references: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Names of refused clips as well: both become file names and rows of one journal.
        names = [clip.name for clip in self.clips] + [refusal.clip for refusal in self.refused]
        for name in names:
            require_safe_name(name)
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise BenchError(f"split {self.name!r} has the clip {twice!r} more than once")
        if not names:
            raise BenchError(f"split {self.name!r} has no clips")


def expand_prompts(target: Clip, prompts: Mapping[str, str]) -> list[Clip]:
    """Return ``target`` under each prompt, ``<clip>_<level>``; groups are the levels.

    Its label stays the true one, which it has now.
    """
    true = target.label or target.prompt
    return [
        replace(target, name=f"{target.name}_{level}", prompt=prompt, group=level, label=true)
        for level, prompt in prompts.items()
    ]


def require_files(split: Split, clips: tuple[Clip, ...]) -> None:
    """Check that the files of a built-in split exist.

    Raises:
        MissingError: some are missing; the message has their number and the command to create them.
    """
    if not split.preparation:
        return
    # A target and its reference are often two windows of one file, which counts once.
    paths = {e.path for clip in clips for e in (clip.audio, clip.reference) if e}
    if missing := [path for path in sorted(paths) if not is_file(path)]:
        raise MissingError(
            f"split {split.name} needs {len(paths)} files, {len(missing)} are missing, "
            f"first {missing[0].name}; run: {split.preparation} (or take fewer with --limit)"
        )


def slugify_path(path: Path) -> str:
    """Return a short name for a path of the user, unique enough to name a run directory."""
    # Two folders that are both called "videos" must not share a directory of runs.
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:6]
    kept = "".join(char if char.isalnum() or char in "._-" else "-" for char in path.name)
    return f"{kept[:40] or 'root'}-{digest}"


def pick_clips(
    split: Split, *, limit: int | None = None, only: Path | None = None, names: Sequence[str] = ()
) -> tuple[Clip, ...]:
    """Return the clips of a split in its order: those named in ``names`` and in the file ``only``.

    Without either, all; of these, the first ``limit``. The file has one name a line.

    Raises:
        BenchError: the file cannot be read, or a name is not a clip of the split.
    """
    from bench.inputs import read_lines  # completing the name of a split reads no file

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
