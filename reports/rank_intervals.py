"""Ranks of systems with intervals: clips are drawn again and all systems are ranked over the draw.

Systems are compared clip by clip, so only runs that scored the same clips are ranked together. A
draw takes whole clusters of clips, as every interval does. Columns of a whole set (Fréchet
distances) have no score per clip, and so no rank here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.results import Column
from bench.seeds import stable_seed

if TYPE_CHECKING:
    import pandas as pd

N_DRAWS = 1_000
#: Draws at a time: a few MB for any number of clips.
BLOCK = 50
LEVEL = 0.95
#: Ranks over fewer clusters would be those of the clips that happen to be there.
FEWEST_CLUSTERS = 2

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RankInterval:
    """A rank, 1 for the best, with its 95 % interval; the mean of equal ones where systems tie."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranks:
    """The ranks of one system: by column, and the mean over these columns."""

    by_column: Mapping[str, RankInterval] = field(default_factory=dict)
    mean: RankInterval | None = None


def rank_systems(rows: Sequence[pd.DataFrame], columns: Sequence[Column]) -> list[Ranks]:
    """Return the ranks of systems, each given by its scores per clip.

    The frames have the columns ``clip`` and ``cluster`` and the same clips. A column that some
    system does not have is left out, and so is a clip in a column that some system has not scored
    it in. Without two systems or two clusters nobody has a rank.
    """
    frames = [frame.set_index("clip").sort_index() for frame in rows]
    if len(frames) < 2:
        return [Ranks() for _ in frames]
    clusters = frames[0]["cluster"].to_numpy()
    names, index = np.unique(clusters, return_inverse=True)
    ranked = [column for column in columns if all(column.name in frame for frame in frames)]
    if len(names) < FEWEST_CLUSTERS or not ranked:
        return [Ranks() for _ in frames]
    found, kept = [], []
    for column in ranked:
        scores = np.stack([frame[column.name].to_numpy(dtype=float) for frame in frames], axis=1)
        if not np.isnan(scores).any(axis=1).all():
            # One seed for all columns: a draw has the same clips in each, so ranks can be averaged.
            found.append(_draw_ranks(scores, index, len(names), column.better == "higher"))
            kept.append(column.name)
    if not kept:
        return [Ranks() for _ in frames]
    drawn = np.stack(found)  # [columns, 1 + draws, systems]
    return [
        Ranks(
            {name: _interval(drawn[i, :, system]) for i, name in enumerate(kept)},
            _interval(drawn[:, :, system].mean(axis=0)),
        )
        for system in range(len(frames))
    ]


def _draw_ranks(
    scores: FloatArray, index: npt.NDArray[np.intp], n_clusters: int, is_higher_better: bool
) -> FloatArray:
    """Return the ranks ``[1 + draws, systems]`` over all clips, then over each draw of clusters."""
    is_scored = ~np.isnan(scores).any(axis=1)
    sums = np.zeros((n_clusters, scores.shape[1]))
    np.add.at(sums, index[is_scored], scores[is_scored])
    counts = np.bincount(index[is_scored], minlength=n_clusters).astype(float)
    generator = np.random.default_rng(stable_seed("ranks", n_clusters))
    means = [sums.sum(axis=0)[None] / counts.sum()]
    shares = np.full(n_clusters, 1.0 / n_clusters)
    for _ in range(N_DRAWS // BLOCK):
        weights = generator.multinomial(n_clusters, shares, size=BLOCK).astype(float)
        n_clips = weights @ counts
        # A draw of clusters without any score of this column ranks nobody.
        is_drawn = n_clips > 0
        block = np.full((BLOCK, scores.shape[1]), np.nan)
        block[is_drawn] = (weights @ sums)[is_drawn] / n_clips[is_drawn, None]
        means.append(block)
    return _rank(np.concatenate(means) * (-1 if is_higher_better else 1))


def _rank(values: FloatArray) -> FloatArray:
    """Rank each row ``[systems]`` from 1, the smallest; equal values share the mean of theirs."""
    # Rounded: sums of equal scores in another order differ in their last digit.
    rounded = np.round(values, 12)
    first, other = rounded[:, :, None], rounded[:, None, :]
    better, equal = (other < first).sum(axis=2), (other == first).sum(axis=2)
    ranks: FloatArray = better + (equal + 1) / 2
    return ranks


def _interval(ranks: FloatArray) -> RankInterval:
    # Ranks that some draw has, not values between two of them.
    levels = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    low, high = np.quantile(ranks[1:], levels, method="inverted_cdf")
    return RankInterval(float(ranks[0]), float(low), float(high))
