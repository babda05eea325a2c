"""Table 3 of the paper: its values, what its bars are, and the row of a study beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.errors import BenchError
from bench.results import Results, Score, none_if_nan
from bench.study.analyse import Analysis, Rate, plain_values
from bench.study.power import find_smallest_effect
from bench.study.statistics import Estimate, binomial_interval

#: Votes of a rater, and their correlation, for the bars that clustering would give.
PER_RATER, ICC = 16, 0.05

#: Who judged, as the results of a study name their judge.
RATERS, SIMULATED_RATERS = "raters", "simulated raters"

#: What the columns of the table are, by the names that ``reports/published.toml`` has for them:
#: question, outcome, and the same seen from the other system.
COLUMNS = {
    "temporal_win": ("sync", "win", "loss"),
    "temporal_tie": ("sync", "tie", "tie"),
    "fidelity_win": ("fidelity", "win", "loss"),
}

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


def as_results(analysis: Analysis, ours: str, other: str) -> tuple[Results, dict[str, Score]]:
    """Return Table 3 of a study as the results of a run, in percent, and with the paper's bars.

    The intervals of the results are two-way; those of the scores beside them are plain binomials.
    ``ours`` and ``other`` are two systems of the study, in any order; n is the number of votes.

    Raises:
        BenchError: the study does not compare these systems.
    """
    rates: dict[str, Rate] = {}
    for name, (question, outcome, reverse) in COLUMNS.items():
        for each in analysis.questions:
            for pair in each.pairs if each.question.name == question else ():
                asked = outcome if pair.first == ours else reverse
                if {pair.first, pair.second} == {ours, other} and asked in pair.rates:
                    rates[name] = pair.rates[asked]
    if not rates:
        raise BenchError(
            f"the study compares {' and '.join(analysis.design.systems)}, not {ours} and {other}"
        )
    design, n_votes = analysis.design, max(rate.two_way.n for rate in rates.values())
    results = Results(
        system=ours,
        split=design.split,
        condition="full",
        seed=design.seed,
        judge=SIMULATED_RATERS if analysis.is_simulated else RATERS,
        profile="",
        suite_version=0,
        is_mini=design.is_mini,
        is_anchor=False,
        expected=n_votes,
        scored=n_votes,
        failed=0,
        columns=(),
        metrics={name: _as_score(rate.two_way) for name, rate in rates.items()},
        notes=tuple(_describe_study(analysis, ours, other, rates)),
        clips=design.digest[:12],
        protocol_version=0,
    )
    return results, {name: _as_score(rate.binomial) for name, rate in rates.items()}


def _as_score(estimate: Estimate) -> Score:
    value, low, high = (none_if_nan(100 * each) for each in estimate[:3])
    return Score(value, low, high, estimate.n, reason=estimate.reason)


def _describe_study(
    analysis: Analysis, ours: str, other: str, rates: Mapping[str, Rate]
) -> list[str]:
    """What the numbers of Table 3 are of, a sentence each."""
    design, excluded = analysis.design, sum(analysis.excluded.values())
    kind = SIMULATED_RATERS if analysis.is_simulated else RATERS
    notes = [
        f"{ours} against {other}, {kind}: {analysis.n_counted} of {analysis.n_sessions} sessions "
        f"count, {len(design.clips)} videos of {design.split}; n is the number of votes; "
        f"{excluded} sessions left out by the rules of design.toml (SHA-256 {design.digest[:12]})",
        "± is half of the 95 % interval over raters and videos; a plain binomial takes all votes "
        "as independent, as the paper's bars do",
    ]
    known = {name: rate.truth for name, rate in rates.items() if rate.truth is not None}
    if analysis.is_simulated:
        set_to = ", ".join(f"{name} {100 * truth:.1f} %" for name, truth in known.items())
        notes.append(
            "simulated raters have preferences that were set"
            + (f" ({set_to.replace('_', ' ')})" if set_to else "")
            + ", whatever the audio is: their votes state nothing about the systems"
        )
    reasons = {name: rate.two_way.reason for name, rate in rates.items() if rate.two_way.reason}
    return notes + [f"{name.replace('_', ' ')}: {reason}" for name, reason in reasons.items()]
