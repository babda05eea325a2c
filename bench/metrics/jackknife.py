"""How sure a statistic of a whole set is, such as a Fréchet distance, which has no score per clip.

The statistic is computed again without one group of clips at a time; how much it moves says how
much it would move for other clips (Shao & Tu, "The Jackknife and Bootstrap", 1995, section 2.3).
What leaving clips out adds to every such value alike, the bias of small sets, does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bench.metrics.arrays import IntArray
from bench.metrics.clusters import ClusteredMean

#: More groups cost as many more computations of the statistic, and gain few degrees of freedom.
N_GROUPS = 20
FEWEST_GROUPS = 3


def group_jackknife(
    statistic: Callable[[IntArray], float],
    clusters: Sequence[str],
    rng: np.random.Generator,
    n_groups: int = N_GROUPS,
) -> ClusteredMean:
    """Return a statistic of all N clips, with the standard error that leaving groups out gives.

    ``statistic`` is given the places ``[n]`` of clips; ``clusters`` names the cluster of each of
    the N clips, which stays in one group. Clusters are dealt to at most ``n_groups`` groups at
    random, the largest first, each to the group with the fewest clips. Degrees of freedom:
    groups - 1. ValueError for fewer than three clusters or groups.
    """
    groups = _dealt(clusters, rng, n_groups)
    n, n_found = len(groups), int(groups.max(initial=-1)) + 1
    if n_found < FEWEST_GROUPS:
        raise ValueError(
            f"leaving groups out needs at least {FEWEST_GROUPS} clusters, got {n_found}"
        )
    value = statistic(np.arange(n))
    without = np.array([statistic(np.flatnonzero(groups != group)) for group in range(n_found)])
    variance = (n_found - 1) / n_found * float(np.square(without - without.mean()).sum())
    n_clusters = len(set(clusters))
    return ClusteredMean(value, math.sqrt(variance), n_found - 1.0, n, n_clusters, 0)


def _dealt(clusters: Sequence[str], rng: np.random.Generator, n_groups: int) -> IntArray:
    """The group ``[N]`` of each clip: not by name, for names may follow what the clips show."""
    _, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    sizes = np.bincount(index)
    clips_in = np.zeros(min(n_groups, len(sizes)), dtype=np.int64)
    group_of = np.empty(len(sizes), dtype=np.int64)
    shuffled = rng.permutation(len(sizes))
    for cluster in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        group_of[cluster] = np.argmin(clips_in)
        clips_in[group_of[cluster]] += sizes[cluster]
    groups: IntArray = group_of[index]
    return groups
