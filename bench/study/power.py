"""How many votes, raters and videos a study needs to find a preference.

Votes are tested against 1/2 by a two-sided test at 5 %. Correlated votes count less, by the design
effect ``1 + (m - 1) icc`` for m votes of a rater (Kish, "Survey Sampling", 1965), and likewise for
the votes on a video: with few videos, no number of raters is enough.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

LEVEL = 0.05


class Plan(NamedTuple):
    """Votes and raters for one pair of systems; ``raters`` is None where no number is enough."""

    independent_votes: int
    design_effect: float
    votes: int | None
    raters: int | None


def count_independent_votes(effect: float, power: float = 0.8) -> int:
    """Return the votes needed to tell a win rate of ``effect`` from 1/2, if they are independent.

    ValueError for an effect that is 1/2 or outside (0, 1), or a power outside (0.05, 1).

    >>> [count_independent_votes(effect) for effect in (0.53, 0.55, 0.6, 0.7)]
    [2178, 783, 194, 47]
    """
    return math.ceil(_independent_votes(effect, power))


def plan_raters(
    effect: float,
    per_rater: int,
    icc: float,
    *,
    power: float = 0.8,
    videos: int = 16,
    video_icc: float = 0.0,
) -> Plan:
    """Return the votes and raters needed when a rater gives ``per_rater`` votes.

    ``icc`` is the correlation of two votes of a rater, ``video_icc`` of two votes on a video, each
    in [0, 1). With N votes on V videos the design effect is
    ``1 + (per_rater - 1) icc + (N / V - 1) video_icc``, which is solved for N.

    >>> plan = plan_raters(0.6, 16, 0.05)
    >>> plan.independent_votes, round(plan.design_effect, 2), plan.votes, plan.raters
    (194, 1.75, 340, 22)
    """
    if per_rater < 1 or videos < 1 or not 0 <= icc < 1 or not 0 <= video_icc < 1:
        raise ValueError(
            "expected at least one vote per rater and one video, and correlations in [0, 1), got "
            f"{per_rater}, {videos}, {icc:g} and {video_icc:g}"
        )
    exact = _independent_votes(effect, power)
    of_raters = 1 + (per_rater - 1) * icc - video_icc
    left = 1 - exact * video_icc / videos
    if left <= 0:
        return Plan(math.ceil(exact), math.inf, None, None)
    votes = max(exact, exact * of_raters / left)
    return Plan(
        math.ceil(exact), votes / exact, math.ceil(votes), math.ceil(math.ceil(votes) / per_rater)
    )


def find_smallest_effect(votes: int, design_effect: float = 1.0, power: float = 0.8) -> float:
    """Return the win rate above 1/2 that this many votes tell from 1/2; NaN where there is none.

    >>> round(find_smallest_effect(496), 3), round(find_smallest_effect(496, 1.75), 3)
    (0.563, 0.583)
    """
    low, high = 0.5, 1.0
    for _ in range(60):  # votes fall with the effect, so halving finds it
        middle = (low + high) / 2
        if middle >= 1.0 or middle <= 0.5:
            break
        is_enough = _independent_votes(middle, power) * design_effect <= votes
        low, high = (low, middle) if is_enough else (middle, high)
    return high if high < 1.0 else math.nan


def _independent_votes(effect: float, power: float) -> float:
    if not 0 < effect < 1 or effect == 0.5:
        raise ValueError(f"expected a win rate in (0, 1) other than 0.5, got {effect:g}")
    if not LEVEL < power < 1:
        raise ValueError(f"expected a power above {LEVEL:g} and below 1, got {power:g}")
    normal = NormalDist()
    null = normal.inv_cdf(1 - LEVEL / 2) * 0.5
    other = normal.inv_cdf(power) * math.sqrt(effect * (1 - effect))
    return float(((null + other) / (effect - 0.5)) ** 2)
