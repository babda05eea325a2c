"""Assign files to the clips that they are for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.archives import name_inside, path_below
from bench.matching.names import (
    Reading,
    make_clip_name,
    normalize_name,
    parse_canonical_name,
    parse_stem,
)


class Choice(NamedTuple):
    """The files for one clip: ``best`` is one path, none, or several of equal rank.

    ``spare`` are further samples of the clip, in the order of their numbers.
    """

    best: list[Path]
    spare: list[Path]


class Catalogue:
    """An index of files by the names that they may stand for.

    Below ``root`` a file has three names: its path without suffix, ``make_clip_name`` of that, and
    its stem. For a file in an archive the path is that inside it. A file that has one of ``names``
    is never assigned to another clip. A name may be a path (``dog/001``): its last part names the
    clip too, unless other names end in the same.
    """

    def __init__(
        self, files: Iterable[Path], names: Collection[str] = (), root: Path | None = None
    ) -> None:
        self.files = list(files)
        self._root = root
        self._exact: dict[str, list[Path]] = defaultdict(list)
        self._read: dict[str, list[tuple[int, Path]]] = defaultdict(list)
        self._folded: dict[str, list[Path]] = defaultdict(list)
        self._names = set(map(normalize_name, names))
        # How many listed names end in each last part: only an end that is unique names a clip.
        self._ends = Counter(map(_last_part, self._names))
        for path in self.files:
            self._add(path)

    def _add(self, path: Path) -> None:
        names = [name for name in _list_names(path, self._root) if self._can_mean(path, name)]
        # Exactly one clip is called this: the name itself is listed, or it ends one listed path.
        own = next((name for name in names if name in self._names or self._ends[name] == 1), None)
        # Otherwise the file may be for any of its names, each once: a file directly in the root has
        # the same name three times.
        for name in dict.fromkeys(names) if own is None else [own]:
            self._exact[name].append(path)
        # A file that is called like one clip is not a sample of another: ``<id>_000030_3`` is not
        # the third sample of ``<id>_000030`` where the list has a clip of that full name.
        if own is not None:
            return
        for name in dict.fromkeys(names):
            self._folded[name.casefold()].append(path)
        for clip, number in dict.fromkeys(_read_stem(path)):
            if self._can_mean(path, clip):
                self._read[clip].append((number, path))

    def _can_mean(self, path: Path, name: str) -> bool:
        """Whether ``path`` can be for the clip ``name``.

        Where several listed paths end in the name (``dog/001``, ``cat/001``), a file called so in
        some other folder is for neither.
        """
        if self._ends[name] < 2 or self._root is None:
            return True
        inside = name_inside(path)
        return path.parent == self._root if inside is None else len(inside.parts) == 1

    def choose(self, name: str) -> Choice:
        """Return the files for the clip ``name``: those called so, else its lowest sample."""
        name = self._resolve(name)
        # Files called exactly so outrank those that a scheme assigns: their name leaves no doubt.
        exact = self._exact.get(name, [])
        read = sorted(
            pair
            for pair in self._read.get(parse_canonical_name(name) or name, [])
            if pair[1] not in exact
        )
        if exact:
            return Choice(exact, [path for _, path in read])
        # Sorted by number: the lowest counts. Two files of that number, in two folders or formats,
        # are ambiguous.
        best = [path for number, path in read if number == read[0][0]]
        return Choice(best, [path for _, path in read[len(best) :]])

    def find_near_miss(self, name: str) -> str:
        """Return a sentence on a file whose name differs only in case; "" where there is none."""
        name = self._resolve(name)
        # Case counts in YouTube's ids, so that such a file is never taken, only pointed out.
        near = self._folded.get(name.casefold())
        if not near:
            return ""
        found = near[0].name if self._root is None else path_below(near[0], self._root).as_posix()
        return f"{found!r} differs from {name!r} only in case: rename it"

    def _resolve(self, name: str) -> str:
        """Return ``name``, or its last part where no file has it and no other name ends so."""
        name = normalize_name(name)
        end = _last_part(name)
        return name if name in self._exact or self._ends[end] != 1 else end


def _list_names(path: Path, root: Path | None) -> list[str]:
    """Return the names of a file, the most specific one first."""
    stem = normalize_name(path.stem)
    if root is None:
        return [stem]
    relative = name_inside(path) or path.relative_to(root)
    return [normalize_name(relative.with_suffix("").as_posix()), make_clip_name(relative), stem]


def _read_stem(path: Path) -> list[Reading]:
    """Return the readings of the stem of a file, and those of its key in a shard of WebDataset.

    There the key is all up to the first dot: ``<key>.generated.wav``.
    """
    readings = parse_stem(path.stem)
    if "." in path.stem and name_inside(path) is not None:
        readings += parse_stem(path.stem.partition(".")[0])
    return readings


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]


class Matching(NamedTuple):
    """An assignment of files to clips: every clip is found, missing or ambiguous.

    ``missing`` has for each clip a sentence on a file that is almost named like it, or "";
    ``ambiguous`` the files of equal rank, of which none was chosen; ``spare`` the samples of a clip
    after the one that is used; ``unused`` the files that belong to no clip.
    """

    found: dict[str, Path]
    missing: dict[str, str]
    unused: list[Path]
    ambiguous: dict[str, list[Path]]
    spare: dict[str, list[Path]]


def match(names: Sequence[str], files: Sequence[Path], root: Path | None = None) -> Matching:
    """Assign ``files``, which are below ``root``, to the clips ``names``.

    An equal path ranks first, then an equal stem, then a name of the published schemes.
    """
    return assign(names, Catalogue(files, names, root))


def assign(names: Sequence[str], catalogue: Catalogue) -> Matching:
    """Assign the files of ``catalogue`` to the clips ``names``, which it was made for."""
    matching = Matching({}, {}, [], {}, {})
    for name in names:
        best, spare = catalogue.choose(name)
        if len(best) == 1:
            matching.found[name] = best[0]
        elif best:
            matching.ambiguous[name] = best
        else:
            matching.missing[name] = catalogue.find_near_miss(name)
        if spare:
            matching.spare[name] = spare
    # A rival of equal rank belongs to its clip although it was not chosen: it is not "unused".
    known = set(matching.found.values())
    known.update(*matching.ambiguous.values(), *matching.spare.values())
    matching.unused.extend(path for path in catalogue.files if path not in known)
    return matching
