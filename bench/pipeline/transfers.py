"""Find the reference of a timbre transfer ``<target>_to_<condition>`` by its parts.

CondFoley names its samples so. Programs that convert them append suffixes to the whole or to a
part, on one side or on both: ``a_converted_to_b``, ``a_to_b_converted``, a reference ``a_22k``. So
two parts fit where they are equal, name the same clip, or one is the other and more words.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from os.path import commonprefix
from typing import NamedTuple

from bench.matching import make_cluster_name, parse_canonical_name

BETWEEN = "_to_"


class Transfer(NamedTuple):
    """The reference of a transfer, its target, and whether a part bears a suffix of its own.

    ``target`` names what transfers of one target share, as the cluster of any other pair does.
    """

    reference: str
    target: str
    has_suffix: bool


class References:
    """The stems of reference files, with an index to find the one of a transfer."""

    def __init__(self, stems: Iterable[str]) -> None:
        self._stems = {stem: stem for stem in stems}
        self._same = {
            parse_canonical_name(stem) or stem: stem for stem in self._stems
        } | self._stems
        self._longer: dict[str, list[str]] = defaultdict(list)
        self._pairs: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for stem in self._stems:
            for start in _beginnings(stem):
                self._longer[start].append(stem)
            for left, right in _halves(stem):
                for start in (left, *_beginnings(left)):
                    self._pairs[start].append((left, right, stem))
        # The longest ending that all stems have in common, from its first word on: programs that
        # convert a folder of references append the same words (``_22k``) to each.
        shared = commonprefix([stem[::-1] for stem in self._stems])[::-1]
        self._ending = shared[shared.index("_") :] if "_" in shared else ""

    def find(self, stem: str) -> Transfer | None:
        """Return what the transfer ``stem`` belongs to; None for nothing, or for several alike."""
        halves = list(_halves(stem))
        if (pair := self._named_by_pair(halves)) is not None:
            return pair
        # The longest target first: it may contain ``_to_`` itself.
        for left, _ in reversed(halves):
            if (same := self._same.get(parse_canonical_name(left) or left)) is not None:
                return _of_target(same, has_suffix=False)
        for left, _ in reversed(halves):
            if (target := self._with_suffix(left)) is not None:
                return _of_target(target, has_suffix=True)
        return None

    def _named_by_pair(self, halves: list[tuple[str, str]]) -> Transfer | None:
        """The reference that names both parts, for samples that are named like it and more."""
        fits = {
            (abs(len(left) - len(l_)) + abs(len(right) - len(r_)), reference, l_)
            for left, right in halves
            for start in (left, *_beginnings(left))
            for l_, r_, reference in self._pairs.get(start, ())
            if _fit(left, l_) and _fit(right, r_)
        }
        if not fits:
            return None
        # The reference that differs by the fewest letters; several at that distance are a guess,
        # and a wrong reference would count as a bad sample.
        difference, reference, target = min(fits)
        if any(each[0] == difference and each[1] != reference for each in fits):
            return None
        return Transfer(
            reference, make_cluster_name(reference) or target, has_suffix=difference > 0
        )

    def _with_suffix(self, part: str) -> str | None:
        """The one reference that ``part`` is with more words, or that is ``part`` with more."""
        for start in _beginnings(part):
            same = self._same.get(parse_canonical_name(start) or start)
            same = same or self._same.get(start + self._ending)
            if same is not None and _fit(part, start):
                return same
        longer = [stem for stem in self._longer.get(part, ()) if _fit(part, stem)]
        if len(longer) > 1:  # a suffix that all references bear makes them distinct again
            longer = [stem for stem in longer if stem == part + self._ending]
        return longer[0] if len(longer) == 1 else None


def tried_targets(stem: str) -> str:
    """Every target that the name of a transfer may begin with, in words."""
    return " or ".join(repr(left) for left, _ in _halves(stem))


def _of_target(reference: str, *, has_suffix: bool) -> Transfer:
    return Transfer(reference, make_cluster_name(reference) or reference, has_suffix=has_suffix)


def _halves(stem: str) -> Iterator[tuple[str, str]]:
    """Every reading of a name as a target and a condition."""
    # Names of targets and conditions may hold ``_to_`` themselves: every split is a reading.
    for at in range(1, len(stem)):
        if stem.startswith(BETWEEN, at) and at + len(BETWEEN) < len(stem):
            yield stem[:at], stem[at + len(BETWEEN) :]


def _beginnings(stem: str) -> Iterator[str]:
    """The stem without its last words, the longest first."""
    while "_" in stem:
        stem = stem.rpartition("_")[0]
        if stem:
            yield stem


def _fit(one: str, other: str) -> bool:
    # Whole words only (``dog`` is no ``dog2``), and never across another ``_to_``: what follows it
    # names a condition and is no suffix.
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and (
        len(long) == len(short)
        or (long[len(short)] == "_" and BETWEEN not in f"{long[len(short) :]}_")
    )
