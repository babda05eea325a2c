"""Label files: assign prompts to clips.

A clip may be named by its path below the folder, by its name alone, by a published scheme of
``bench.matching``, or by the bare YouTube id where that is unambiguous. Supported forms of lists
are described in ``bench.inputs.label_rows``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.errors import BenchError
from bench.inputs.folder import LABEL_FILES
from bench.inputs.label_rows import Label, parse_labels
from bench.matching import make_clip_name, normalize_name, parse_canonical_name, parse_youtube_id


@dataclass(frozen=True)
class Prompts:
    """Prompts by name of clip ("" where a clip has none), and notes for the result."""

    by_clip: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Labels:
    """The labels of a file, one for each name in it, in its order."""

    path: Path
    labels: tuple[Label, ...]
    notes: tuple[str, ...] = ()

    def assign(self, clips: Mapping[str, Path]) -> Prompts:
        """Return the prompt of each clip; ``clips`` are their paths below their folder, by name.

        A clip with several prompts in the file gets none, which a note reports.

        Raises:
            BenchError: the file names none of the clips.
        """
        # No match at all is a list of another dataset; single clips without a prompt are usual.
        found = {name: self._find(path) for name, path in clips.items()}
        if clips and not any(found.values()):
            listed, path = self.labels[0].name, next(iter(clips.values()))
            raise BenchError(
                f"{self.path} names none of the {len(clips)} clips: it has {listed!r} and others, "
                f"the clips are {str(path)!r} and others"
            )
        options = {name: {label.prompt for label in rows} for name, rows in found.items()}
        unclear = [name for name, prompts in options.items() if len(prompts) > 1]
        prompts = {
            name: next(iter(each)) if len(each) == 1 else "" for name, each in options.items()
        }
        return Prompts(prompts, (*self.notes, *self._note_unclear(unclear, found)))

    def _note_unclear(self, names: list[str], found: Mapping[str, list[Label]]) -> tuple[str, ...]:
        if not names:
            return ()
        lines = ", ".join(str(label.line) for label in found[names[0]])
        return (
            f"{self.path.name} has several prompts for {len(names)} clips, which get none, "
            f"e.g. {names[0]} (lines {lines})",
        )

    def _find(self, path: Path) -> list[Label]:
        """Return the labels of the clip at ``path``: by its own names, then by their aliases."""
        stem = normalize_name(path.stem)
        keys = [normalize_name(path.with_suffix("").as_posix()), make_clip_name(path), stem]
        keys += [parse_canonical_name(stem) or stem]
        # Names before aliases, and within each the most specific key first: a list that has both
        # ``dog/001`` and ``001`` means two clips.
        for index in (self._by_name, self._by_alias):
            if key := next((key for key in keys if key in index), None):
                return index[key]
        # A list of bare ids is for every window of a video, one with starts for its own windows.
        return self._by_name.get(parse_youtube_id(stem) or "", [])

    @cached_property
    def _by_name(self) -> dict[str, list[Label]]:
        return {label.name: [label] for label in self.labels}

    @cached_property
    def _by_alias(self) -> dict[str, list[Label]]:
        index: dict[str, list[Label]] = defaultdict(list)
        for label in self.labels:
            for alias in label.aliases:
                index[alias].append(label)
        return dict(index)


def find_labels(folder: Path) -> Path | None:
    """Return ``labels.csv`` or ``labels.tsv`` of a folder, in any case; None where it has neither.

    Raises:
        BenchError: it has both.
    """
    found = sorted(path for path in folder.iterdir() if path.name.lower() in LABEL_FILES)
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise BenchError(f"{folder} holds {names}: keep the one that counts")
    return found[0] if found else None


def read_labels(path: Path) -> Labels:
    """Return the labels of a file, one for each name.

    Raises:
        BenchError: as for ``parse_labels``, or the file has no label, or two prompts for one name;
            the message names the lines.
    """
    labels, notes = parse_labels(path)
    if not any(label.prompt for label in labels):
        raise BenchError(f"{path} holds no label: expected rows of a name and a label")
    seen: dict[str, Label] = {}
    for label in labels:
        # The schemes spell one clip in several ways, and two prompts for it are a contradiction.
        clip = parse_canonical_name(label.name) or label.name
        first = seen.setdefault(clip, label)
        if not first.prompt:
            seen[clip] = label
        elif label.prompt and first.prompt != label.prompt:
            raise BenchError(
                f"{path}, lines {first.line} and {label.line}: two prompts for {label.name!r}, "
                f"{first.prompt!r} and {label.prompt!r}; keep one"
            )
    return Labels(path, tuple(seen.values()), notes)
