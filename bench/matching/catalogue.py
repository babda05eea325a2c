"""Files put together with the clips that they are for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.matching.names import canonical_id, clip_name, composed, readings


class Choice(NamedTuple):
    """The files for one clip: ``best`` is one path, none, or several with an equal claim.

    ``spare`` are further samples of the clip, in the order of their numbers.
    """

    best: list[Path]
    spare: list[Path]


class Catalogue:
    """Files by what their names may say, read once and asked clip by clip.

    Below ``root`` a file bears its path without suffix, the name that ``clip_name`` gives that, and
    its stem. One that bears one of ``names`` is never taken for another clip. A name may be a path
    (``dog/001``): its last part names the clip too, unless other names end in the same.
    """

    def __init__(
        self, files: Iterable[Path], names: Collection[str] = (), root: Path | None = None
    ) -> None:
        self.files = list(files)
        self._root = root
        self._exact: dict[str, list[Path]] = defaultdict(list)
        self._read: dict[str, list[tuple[int, Path]]] = defaultdict(list)
        self._folded: dict[str, list[Path]] = defaultdict(list)
        self._names = set(map(composed, names))
        self._ends = Counter(map(_last_part, self._names))
        for path in self.files:
            self._add(path)

    def _add(self, path: Path) -> None:
        borne = [name for name in _borne(path, self._root) if self._may_bear(path, name)]
        own = next((name for name in borne if self._is_taken(name)), None)
        for name in dict.fromkeys(borne) if own is None else [own]:
            self._exact[name].append(path)
        if own is not None:
            return
        for name in dict.fromkeys(borne):
            self._folded[name.casefold()].append(path)
        for clip, number in readings(path.stem):
            if self._may_bear(path, clip):
                self._read[clip].append((number, path))

    def _is_taken(self, name: str) -> bool:
        """Whether one clip is meant by ``name``: it is one of the names, or the end of one only."""
        return name in self._names or self._ends[name] == 1

    def _may_bear(self, path: Path, name: str) -> bool:
        """Whether ``path`` can mean the clip ``name``: where ends repeat, by its place only."""
        return self._ends[name] < 2 or self._root in (None, path.parent)

    def choose(self, name: str) -> Choice:
        """Return the files for the clip ``name``: those that bear it, else the lowest sample."""
        name = self._known_as(name)
        exact = self._exact.get(name, [])
        read = sorted(
            pair for pair in self._read.get(canonical_id(name) or name, []) if pair[1] not in exact
        )
        if exact:
            return Choice(exact, [path for _, path in read])
        best = [path for number, path in read if number == read[0][0]]
        return Choice(best, [path for _, path in read[len(best) :]])

    def near_miss(self, name: str) -> str:
        """Return why no file has this name where one differs from it only in case; else ""."""
        name = self._known_as(name)
        near = self._folded.get(name.casefold())
        return (
            f"{self._shown(near[0])} differs from {name!r} only in case: rename it" if near else ""
        )

    def _shown(self, path: Path) -> str:
        return repr(path.name if self._root is None else path.relative_to(self._root).as_posix())

    def _known_as(self, name: str) -> str:
        """``name``; where no file has it and no other name ends the same, its last part."""
        name = composed(name)
        end = _last_part(name)
        return name if name in self._exact or self._ends[end] != 1 else end


def _borne(path: Path, root: Path | None) -> list[str]:
    """The names that a file bears, the one that says most first."""
    stem = composed(path.stem)
    if root is None:
        return [stem]
    relative = path.relative_to(root)
    return [composed(relative.with_suffix("").as_posix()), clip_name(relative), stem]


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]


class Matching(NamedTuple):
    """Clips and files put together: every clip is found, missing or ambiguous.

    ``missing`` says of each clip why, where a file is nearly named like it; ``ambiguous`` holds the
    files of equal claim, of which none was chosen; ``spare`` the samples of a clip that come after
    the one that counts; ``unused`` the files that belong to no clip.
    """

    found: dict[str, Path]
    missing: dict[str, str]
    unused: list[Path]
    ambiguous: dict[str, list[Path]]
    spare: dict[str, list[Path]]


def match(names: Sequence[str], files: Sequence[Path], root: Path | None = None) -> Matching:
    """Return which of ``files``, which are below ``root``, belongs to which of the clips ``names``.

    An equal path comes first, then an equal stem, then the published schemes, then nothing.
    """
    catalogue = Catalogue(files, names, root)
    matching = Matching({}, {}, [], {}, {})
    for name in names:
        best, spare = catalogue.choose(name)
        if len(best) == 1:
            matching.found[name] = best[0]
        elif best:
            matching.ambiguous[name] = best
        else:
            matching.missing[name] = catalogue.near_miss(name)
        if spare:
            matching.spare[name] = spare
    known = set(matching.found.values())
    known.update(*matching.ambiguous.values(), *matching.spare.values())
    matching.unused.extend(path for path in files if path not in known)
    return matching
