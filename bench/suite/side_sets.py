"""Sides of all clips of a set, and what the metrics of sets have in common.

The columns of one network read the same embeddings and need the same statistics of them. A
``SideSet`` stacks its rows once, has one Gaussian per network, and knows the Fréchet distance from
each of its pairs: a limit (FD-infinity) reads the contributions of the distance itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench import metrics
from bench.judges import Features
from bench.metrics import Gaussian, SetEstimate

#: Features of one audio, by extractor.
Side = Mapping[str, Features]

Rows = npt.NDArray[np.float32]


class Stacked(NamedTuple):
    """The rows ``[N, D]`` of all clips of one side, and the index of each clip's first row.

    A clip may have several embeddings (VGGish: one per 0.96 s). Memory is one float32 row per
    embedding, and a few times that in float64 while a metric is computed.
    """

    rows: Rows
    starts: npt.NDArray[np.int64]

    @property
    def n_clips(self) -> int:
        """The number of clips."""
        return len(self.starts)


class SideSet(Iterable[Side]):
    """The sides of all clips, which are read when they are first needed.

    ``find_gaussian`` returns the Gaussian of rows, computed or kept from an earlier run.
    """

    def __init__(
        self, sides: Iterable[Side], find_gaussian: Callable[[Rows], Gaussian] = Gaussian.of
    ) -> None:
        self._unread: Iterable[Side] | None = sides
        self._sides: tuple[Side, ...] = ()
        self._find_gaussian = find_gaussian
        self._stacked: dict[tuple[str, str], Stacked] = {}
        self._gaussians: dict[str, Gaussian] = {}
        self._distances: dict[str, tuple[SideSet, SetEstimate]] = {}

    @classmethod
    def of(cls, sides: Iterable[Side]) -> SideSet:
        """Return the sides as a set; a set as it is."""
        return sides if isinstance(sides, cls) else cls(sides)

    def __iter__(self) -> Iterator[Side]:
        # Not in the constructor: the inception score has a true side that it never reads.
        if self._unread is not None:
            self._sides, self._unread = tuple(self._unread), None
        return iter(self._sides)

    def stack(self, extractor: str, feature: str) -> Stacked:
        """Return the rows ``[n, D]`` that each clip has of one feature, one below the other."""
        if (extractor, feature) not in self._stacked:
            rows = [np.atleast_2d(side[extractor][feature]) for side in self]
            counts = np.array([len(each) for each in rows])
            # The cumulative sum is the end of each clip's rows; less its own count, their start.
            starts = np.cumsum(counts) - counts
            self._stacked[extractor, feature] = Stacked(np.concatenate(rows), starts)
        return self._stacked[extractor, feature]

    def gaussian(self, extractor: str) -> Gaussian:
        """Return the embeddings as a Gaussian."""
        if extractor not in self._gaussians:
            rows = self.stack(extractor, "embedding").rows
            self._gaussians[extractor] = self._find_gaussian(rows)
        return self._gaussians[extractor]

    def distance(self, generated: SideSet, extractor: str) -> SetEstimate:
        """Return the Fréchet distance of the embeddings, with contributions by row."""
        known = self._distances.get(extractor)
        if known is None or known[0] is not generated:
            sides = (each.stack(extractor, "embedding").rows for each in (self, generated))
            found = metrics.frechet_estimate(*sides, known=self.gaussian(extractor))
            known = self._distances[extractor] = generated, found
        return known[1]
