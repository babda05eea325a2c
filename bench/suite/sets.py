"""Scores of a whole set: from the features of all clips, one after another, to an estimate.

A clip may have several embeddings (VGGish: one per 0.96 s); contributions are per clip. A value of
NaN means "not scored". Memory is one float32 row per embedding, and a few times that in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.metrics import SetEstimate
from bench.suite.metric import Side

#: What av-benchmark seeds the subsets of KID and the splits of the inception score with.
SET_SEED = 2020
FEWEST_FOR_LIMIT = 4

Rows = npt.NDArray[np.float32]


class Gathered(NamedTuple):
    """The rows ``[N, D]`` of all clips of one side, and where each clip's first row is."""

    rows: Rows
    starts: npt.NDArray[np.int64]

    @property
    def n_clips(self) -> int:
        """How many clips the rows are of."""
        return len(self.starts)


def frechet(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the Frechet distance of the embeddings."""
    from bench.metrics import frechet_estimate

    first, second = (_gathered(side, extractor, "embedding") for side in (true, generated))
    found = frechet_estimate(first.rows, second.rows).by_clip(first.starts, second.starts)
    return replace(found, reason=_too_few(first, second))


def frechet_limit(
    true: Iterable[Side], generated: Iterable[Side], *, extractor: str
) -> SetEstimate:
    """Return it extrapolated to unlimited generated samples; NaN for fewer than four."""
    from bench.metrics import frechet_limit_estimate

    first, second = (_gathered(side, extractor, "embedding") for side in (true, generated))
    if len(second.rows) < FEWEST_FOR_LIMIT:
        reason = f"{len(second.rows)} samples: the limit needs at least {FEWEST_FOR_LIMIT}"
        return SetEstimate(math.nan, reason=reason)
    found = frechet_limit_estimate(first.rows, second.rows, np.random.default_rng(SET_SEED))
    return replace(found.by_clip(first.starts, second.starts), reason=_too_few(first, second))


def kernel(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the kernel distance (KID) of the embeddings."""
    from bench.metrics import kernel_estimate

    first, second = (_gathered(side, extractor, "embedding") for side in (true, generated))
    found = kernel_estimate(first.rows, second.rows, np.random.RandomState(SET_SEED))
    return found.by_clip(first.starts, second.starts)


def inception(_: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the inception score of the generated side; NaN for fewer than ten clips."""
    from bench.metrics import inception_estimate

    logits = _gathered(generated, extractor, "logits")
    return inception_estimate(logits.rows, np.random.RandomState(SET_SEED))


def _too_few(first: Gathered, second: Gathered) -> str:
    """Why a Frechet distance of these sets has no interval; empty where it has one."""
    n, width = min(first.n_clips, second.n_clips), first.rows.shape[1]
    reason = f"n = {n:,} clips in D = {width:,} dimensions: no interval below n > D"
    return reason if n <= width else ""


def _gathered(sides: Iterable[Side], extractor: str, feature: str) -> Gathered:
    """The rows ``[n, D]`` that each clip has of one feature, all in one array."""
    rows = [np.atleast_2d(side[extractor][feature]) for side in sides]
    counts = np.array([len(each) for each in rows])
    return Gathered(np.concatenate(rows), np.cumsum(counts) - counts)
