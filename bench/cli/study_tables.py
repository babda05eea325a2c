"""How ``bench study`` prints what a study found, and what one needs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.study.analyse import Analysis, QuestionResult
    from bench.study.power import Plan
    from bench.study.scores import Correlation
    from bench.study.statistics import Estimate

#: What the rules of a design leave out, in words.
RULES = {
    "max_failed_checks": "chose another clip's audio in a check",
    "min_answered": "answered too few trials",
    "min_median_s": "were too fast",
    "max_same_side": "chose almost always the same side",
}
#: Of the agreement of simulated raters with metrics.
ONLY_CHANCE = (
    "simulated raters play no audio: their preferences were set, and vary at random from clip to "
    "clip, so that any agreement with a metric is chance, and no finding"
)


def print_analysis(analysis: Analysis) -> None:
    """Print all tables of a study."""
    _print_rates(analysis)
    for question in analysis.questions:
        if question.strengths is not None:
            _print_strengths(analysis, question)
    _print_table3(analysis)
    _print_correlations(analysis)


def _print_rates(analysis: Analysis) -> None:
    from bench.cli.console import new_table, print_titled

    drawn = new_table()
    drawn.add_column("question")
    drawn.add_column("first against second")
    has_mixed = _has_mixed(analysis)
    headings = ["outcome", "votes", "%", "95 % interval", "± as in the paper", "bootstrap"]
    headings += ["mixed logit"] if has_mixed else []
    for heading in [*headings, *(["truth"] if analysis.is_simulated else [])]:
        drawn.add_column(heading, justify="right")
    for question in analysis.questions:
        for pair in question.pairs:
            for name, rate in pair.rates.items():
                truth = "" if rate.truth is None else f"{100 * rate.truth:.1f}"
                drawn.add_row(
                    question.question.name,
                    f"{pair.first} against {pair.second}",
                    name,
                    f"{getattr(pair.counts, name)} of {sum(pair.counts)}",
                    f"{100 * rate.two_way.value:.1f}",
                    _interval(rate.two_way),
                    f"{100 * (rate.binomial.high - rate.binomial.value):.1f}",
                    _interval(rate.bootstrap),
                    *([_interval(rate.mixed)] if has_mixed and rate.mixed else []),
                    *([truth] if analysis.is_simulated else []),
                )
    print_titled(analysis.title, drawn, notes=_notes(analysis))


def _has_mixed(analysis: Analysis) -> bool:
    """Whether some rate has an interval by the mixed logit."""
    pairs = [pair for question in analysis.questions for pair in question.pairs]
    found = [rate.mixed for pair in pairs for rate in pair.rates.values()]
    return any(each is not None and not each.reason for each in found)


def _notes(analysis: Analysis) -> list[str]:
    checks = analysis.checks
    left_out = ", ".join(f"{n} {RULES[rule]}" for rule, n in analysis.excluded.items()) or "none"
    notes = [
        f"{analysis.n_sessions} sessions, {analysis.n_counted} raters count; left out: {left_out}",
        f"checks: {checks.failed} of {checks.mismatch} chose another clip's audio; of "
        f"{checks.identical} answers on identical audio {checks.ties} were ties and "
        f"{checks.side_a} side A",
        "intervals: two-way clusters of raters and videos, Student's t; ±: plain binomial, which "
        "takes all votes as independent"
        + ("; mixed logit: raters and videos are normal variables" if _has_mixed(analysis) else ""),
    ]
    notes += [
        f"agreement in {each.question.name}: "
        + (each.alpha.reason or f"Krippendorff's alpha {each.alpha.value:.2f}")
        for each in analysis.questions
    ]
    missing = {
        f"{each.question.name}, {name}: {rate.two_way.reason}"
        for each in analysis.questions
        for pair in each.pairs
        for name, rate in pair.rates.items()
        if rate.two_way.reason
    }
    missing |= {
        rate.mixed.reason
        for each in analysis.questions
        for pair in each.pairs
        for rate in pair.rates.values()
        if rate.mixed and rate.mixed.reason and not rate.two_way.reason
    }
    return [*notes, *sorted(missing), f"design.toml has SHA-256 {analysis.design.digest[:12]}"]


def _print_strengths(analysis: Analysis, question: QuestionResult) -> None:
    from bench.cli.console import new_table, print_titled

    drawn = new_table()
    drawn.add_column("system")
    for heading in ("strength", "95 % interval", "votes"):
        drawn.add_column(heading, justify="right")
    assert question.strengths is not None  # noqa: S101 - asked by the caller
    rows = zip(analysis.design.systems, question.strengths.systems, strict=True)
    for system, estimate in sorted(rows, key=lambda row: -row[1].value):
        value = "" if math.isnan(estimate.value) else f"{estimate.value:+.2f}"
        drawn.add_row(system, value, _interval(estimate, 1.0, 2), str(estimate.n))
    model = "Bradley-Terry" if question.strengths.tie is None else "Bradley-Terry with ties"
    notes = ["a difference d means odds of e^d to 1; the mean is 0"]
    if question.strengths.reason:
        notes = [question.strengths.reason]
    print_titled(f"Strengths in {question.question.name} ({model})", drawn, notes=notes)


def _print_table3(analysis: Analysis) -> None:
    from bench.cli.console import new_table, print_titled
    from bench.study.table3 import NOTES, make_table

    rows = make_table(analysis)
    if not any(row.measured for row in rows):
        return
    ours, other = analysis.design.pairs[0]
    drawn = new_table()
    drawn.add_column("Table 3")
    for heading in (f"{ours} against {other}", "95 % interval", "paper", "± clustered"):
        drawn.add_column(heading, justify="right")
    for row in rows:
        published, rate = row.published, row.measured
        drawn.add_row(
            published.heading,
            "" if rate is None else _as_paper(rate.binomial),
            "" if rate is None else _interval(rate.two_way),
            f"{published.percent:.1f} (±{published.half_percent:.1f})",
            f"{published.clustered_half_percent:.1f}",
        )
    kinds = "simulated raters" if analysis.is_simulated else "raters of this study"
    mini = ", mini clips" if analysis.design.is_mini else ""
    title = f"Table 3: {kinds}{mini}; the paper compares AC-Foley with MMAudio-L-V2"
    print_titled(title, drawn, notes=NOTES)


def _print_correlations(analysis: Analysis) -> None:
    from bench.cli.console import new_table, print_titled

    if not analysis.correlations:
        return
    drawn = new_table()
    drawn.add_column("column")
    by_column: dict[str, dict[str, Correlation]] = {}
    for each in analysis.correlations:
        by_column.setdefault(each.label, {})[each.question] = each
    names = [question.question.name for question in analysis.questions]
    for name in names:
        drawn.add_column(f"{name}", justify="right")
        drawn.add_column("95 % interval", justify="right")
    for label, found in by_column.items():
        cells: list[str] = []
        for name in names:
            estimate = found[name].spearman
            value = "" if math.isnan(estimate.value) else f"{estimate.value:+.2f}"
            cells += [value, _interval(estimate, 1.0, 2) or estimate.reason]
        drawn.add_row(label, *cells)
    n = len(analysis.correlations)
    notes = [
        "Spearman's correlation of votes and differences of scores, clip by clip; above 0 raters "
        "prefer what the column calls better",
        f"of {n} such intervals about {n / 20:.1f} exclude 0 by chance alone, often several at a "
        "time: columns depend on one another",
    ]
    judge = f"judge {analysis.judge}"
    if analysis.is_simulated:
        notes.insert(0, ONLY_CHANCE)
        judge = f"simulated raters, {judge}"
    title = f"Which metric do raters agree with? ({judge})"
    print_titled(title, drawn, notes=notes)


def print_power(plan: Plan, effect: float, power: float, videos: int, video_icc: float) -> None:
    """Print how many raters are needed, and what a study of the paper's size can find."""
    from bench.cli.console import console
    from bench.study.table3 import describe_resolution

    out = console()
    out.print(f"{plan.independent_votes} votes, if all were independent")
    if plan.raters is None:
        out.print(
            f"no number of raters is enough: with {videos} videos whose votes correlate by "
            f"{video_icc:g}, take more videos"
        )
    else:
        out.print(
            f"{plan.raters} raters ({plan.votes} votes, design effect {plan.design_effect:.2f}) "
            f"for each pair of systems tell {100 * effect:g} % from 50 % with a power of "
            f"{100 * power:g} %"
        )
    out.print(
        "the paper's 496 votes resolve "
        f"{describe_resolution(496, 1.0)} if independent"
        + (
            f", {describe_resolution(496, plan.design_effect)} with this design effect"
            if plan.raters is not None
            else ""
        )
    )


def _interval(estimate: Estimate, scale: float = 100.0, decimals: int = 1) -> str:
    if math.isnan(estimate.low):
        return ""
    return f"{scale * estimate.low:.{decimals}f} – {scale * estimate.high:.{decimals}f}"


def _as_paper(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} (±{100 * (estimate.high - estimate.value):.1f})"
