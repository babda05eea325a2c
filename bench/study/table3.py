"""Table 3 of the paper: its values, what its bars are, and the row of a study beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.study.analyse import Analysis, Rate, plain_values
from bench.study.power import find_smallest_effect
from bench.study.statistics import binomial_interval

#: Votes of a rater, and their correlation, for the bars that clustering would give.
PER_RATER, ICC = 16, 0.05

NOTES = (
    "The paper's bars are plain binomials of 496 and 448 votes; ± clustered counts 16 votes of a "
    "rater as dependent, with a correlation of 0.05.",
    "The paper's table has 61.1 for the win rate of temporal alignment, its text 61.6.",
)


@dataclass(frozen=True)
class Published:
    """A value of the paper in percent, with its bar and the votes that give this bar."""

    question: str
    outcome: str
    heading: str
    percent: float
    half_percent: float
    n: int

    @property
    def clustered_half_percent(self) -> float:
        """The bar if votes of a rater were counted as dependent."""
        plain = binomial_interval(round(self.percent / 100 * self.n), self.n)
        return 100 * (plain.high - plain.value) * math.sqrt(1 + (PER_RATER - 1) * ICC)


#: "Ours vs MMAudio-L-V2". 496 votes are 31 raters with 16 videos, 448 are 28.
PUBLISHED = (
    Published("sync", "win", "Temporal alignment, win rate (%)", 61.1, 4.3, 496),
    Published("sync", "tie", "Temporal alignment, tie rate (%)", 21.8, 3.6, 496),
    Published("fidelity", "win", "Acoustic fidelity, win rate (%)", 83.5, 3.4, 448),
)


@dataclass(frozen=True)
class Row:
    """One value of Table 3: the paper's, and that of a study, None where it has no such votes."""

    published: Published
    measured: Rate | None


def make_table(analysis: Analysis) -> tuple[Row, ...]:
    """Return Table 3 with the first system of the study as "ours" and the second as the other.

    Studies of more than two systems have one for their first pair.
    """
    rates: dict[tuple[str, str], Rate] = {}
    for question in analysis.questions:
        for pair in question.pairs:
            if (pair.first, pair.second) == analysis.design.pairs[0]:
                found: Mapping[str, Rate] = pair.rates
                rates |= {(question.question.name, name): rate for name, rate in found.items()}
    return tuple(Row(each, rates.get((each.question, each.outcome))) for each in PUBLISHED)


def describe_rows(analysis: Analysis) -> list[dict[str, Any]]:
    """Return Table 3 as plain values: the paper's value and bar, and the rate of the study."""
    return [
        {
            **asdict(row.published),
            "clustered_half_percent": round(row.published.clustered_half_percent, 2),
            "measured": None if row.measured is None else plain_values(asdict(row.measured)),
        }
        for row in make_table(analysis)
    ]


def describe_resolution(votes: int, design_effect: float) -> str:
    """Return the smallest win rate that so many votes tell from one half, in words."""
    smallest = find_smallest_effect(votes, design_effect)
    return "none" if math.isnan(smallest) else f"{100 * smallest:.1f} %"
