"""Ranks of systems with intervals by a bootstrap over clips."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.results import Column
from reports.rank_intervals import rank_systems

MCD = Column("mcd", "MCD", "lower", 2, "dB")
IB = Column("ib", "IB", "higher", 1)


def frame(clusters: list[str] | None = None, **scores: np.ndarray) -> pd.DataFrame:
    """Scores of one system by column."""
    n = len(next(iter(scores.values())))
    names = [f"clip_{i:03}" for i in range(n)]
    return pd.DataFrame({"clip": names, "cluster": clusters or names, **scores})


def test_a_system_that_is_better_on_every_clip_is_first_in_every_draw(rng):
    hard = rng.normal(10, 5, 40)
    rows = [frame(mcd=hard + 0.1, ib=-hard), frame(mcd=hard, ib=1 - hard)]
    worse, better = rank_systems(rows, [MCD, IB])
    for found, place in ((worse, 2.0), (better, 1.0)):
        every = (*found.by_column.values(), found.mean)
        assert all((each.value, each.low, each.high) == (place,) * 3 for each in every)


def test_systems_that_do_not_differ_have_wide_intervals_and_equal_ones_share_a_rank(rng):
    scores = rng.normal(0, 1, (3, 40))
    for found in rank_systems([frame(mcd=each) for each in scores], [MCD]):
        assert found.by_column["mcd"].high - found.by_column["mcd"].low >= 1
    same = rank_systems([frame(mcd=scores[0]), frame(mcd=scores[0].copy())], [MCD])
    assert [each.mean.value for each in same] == [1.5, 1.5]
    assert [each.mean.high for each in same] == [1.5, 1.5]


def test_ranks_do_not_depend_on_the_order_of_rows_and_are_the_same_again(rng):
    rows = [frame(mcd=rng.normal(0, 1, 30)) for _ in range(3)]
    turned = [each.sample(frac=1, random_state=i) for i, each in enumerate(rows)]
    assert rank_systems(rows, [MCD]) == rank_systems(turned, [MCD])


def test_clusters_are_drawn_whole(rng):
    gaps = np.repeat(rng.normal(0.3, 1, 10), 10)
    clusters = [f"target_{i // 10}" for i in range(100)]
    other = np.zeros(100)
    alone = rank_systems([frame(mcd=gaps), frame(mcd=other)], [MCD])
    together = rank_systems([frame(clusters, mcd=gaps), frame(clusters, mcd=other)], [MCD])
    assert together[0].mean.high - together[0].mean.low > alone[0].mean.high - alone[0].mean.low


def test_a_clip_without_a_score_counts_for_nobody(rng):
    first, second = rng.normal(0, 1, 20), rng.normal(1, 1, 20)
    missing = first.copy()
    missing[3] = np.nan
    kept = np.arange(20) != 3
    whole = rank_systems([frame(mcd=missing), frame(mcd=second)], [MCD])
    part = rank_systems([frame(mcd=first[kept]), frame(mcd=second[kept])], [MCD])
    assert [each.mean.value for each in whole] == [each.mean.value for each in part]


@pytest.mark.parametrize("n", [1, 2])
def test_nobody_has_a_rank_without_two_systems_two_clusters_and_a_common_column(rng, n):
    one = frame(["a"] * 5, mcd=rng.normal(0, 1, 5))
    assert all(each.mean is None for each in rank_systems([one] * n, [MCD]))
    other = [frame(mcd=rng.normal(0, 1, 5)), frame(ib=rng.normal(0, 1, 5))]
    assert all(each.mean is None for each in rank_systems(other, [MCD, IB]))
