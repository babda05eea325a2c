"""Scores of a whole set: from the features of all clips, one after another, to a number.

A clip may have several embeddings (VGGish: one per 0.96 s). NaN means "not scored".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from bench.suite.metric import Side

#: Clips whose embeddings are held at a time.
BLOCK_CLIPS = 512

#: What av-benchmark seeds the subsets of KID and the splits of the inception score with.
SET_SEED = 2020
FEWEST_FOR_LIMIT = 4

Rows = npt.NDArray[np.float32]


def frechet(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> float:
    """Return the Frechet distance of the embeddings."""
    from bench.metrics import FrechetStatistics, frechet_distance

    def statistics(sides: Iterable[Side]) -> FrechetStatistics:
        return FrechetStatistics.of_blocks(_blocks(_rows_of(sides, extractor, "embedding")))

    return frechet_distance(statistics(true), statistics(generated))


def _blocks(rows: Iterable[Rows]) -> Iterator[Rows]:
    """Rows ``[n, D]`` gathered to blocks, so that each costs one product of matrices."""
    held: list[Rows] = []
    for row in rows:
        held.append(row)
        if len(held) == BLOCK_CLIPS:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def frechet_limit(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> float:
    """Return it for endlessly many generated samples; NaN for fewer than four."""
    from bench.metrics import FrechetStatistics, fd_infinity

    statistics = FrechetStatistics.of_blocks(_blocks(_rows_of(true, extractor, "embedding")))
    samples = _gathered(generated, extractor, "embedding")
    if len(samples) < FEWEST_FOR_LIMIT:
        return math.nan
    return fd_infinity(statistics, samples, np.random.default_rng(SET_SEED)).value


def kernel(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> float:
    """Return the kernel distance (KID) of the embeddings."""
    from bench.metrics import kernel_distance

    first, second = (_gathered(side, extractor, "embedding") for side in (true, generated))
    return kernel_distance(first, second, np.random.RandomState(SET_SEED)).mean


def inception(_: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> float:
    """Return the inception score of the generated side; NaN for fewer than ten clips."""
    from bench.metrics import inception_score

    logits = _gathered(generated, extractor, "logits")
    return inception_score(logits, np.random.RandomState(SET_SEED)).mean


def _gathered(sides: Iterable[Side], extractor: str, feature: str) -> Rows:
    return np.concatenate(list(_rows_of(sides, extractor, feature)))


def _rows_of(sides: Iterable[Side], extractor: str, feature: str) -> Iterator[Rows]:
    """The rows ``[n, D]`` that each clip has of one feature."""
    return (np.atleast_2d(side[extractor][feature]) for side in sides)
