"""What a study found: rates by question and pair, strengths, agreement, metrics that agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.extras import describe_missing_module, has_module
from bench.seeds import stable_seed
from bench.study.design import Design, Question
from bench.study.media import PRIVATE
from bench.study.mixed_logit import mixed_logit_interval
from bench.study.scores import Correlation, correlate_scores, read_scores
from bench.study.simulate import TRUTH, Truth, read_truth
from bench.study.statistics import (
    Counts,
    Estimate,
    binomial_interval,
    count_outcomes,
    krippendorff_alpha,
    two_way_bootstrap,
    two_way_interval,
    wilson_interval,
)
from bench.study.store import SIMULATED, open_store
from bench.study.strengths import Strengths, fit_strengths
from bench.study.votes import Checks, Vote, count_votes

#: The outcomes of a vote for the first system, by name.
OUTCOMES = {"win": 1, "tie": 0, "loss": -1}


@dataclass(frozen=True)
class Rate:
    """A share of the votes: the default interval, the paper's, the bootstrap as a check.

    ``mixed`` is that of a mixed logit, None where it was not asked for. ``truth`` is known for
    simulated raters only.
    """

    two_way: Estimate
    binomial: Estimate
    bootstrap: Estimate
    mixed: Estimate | None = None
    truth: float | None = None


@dataclass(frozen=True)
class VideoRow:
    """The votes on one video; ``win`` has Wilson's interval, since each is another rater's."""

    clip: str
    label: str
    counts: Counts
    win: Estimate


@dataclass(frozen=True)
class PairResult:
    """The votes on two systems in one question, as shares for the first."""

    first: str
    second: str
    counts: Counts
    rates: Mapping[str, Rate]
    videos: tuple[VideoRow, ...]


@dataclass(frozen=True)
class QuestionResult:
    """One question: every pair, strengths for more than two systems, agreement of the raters."""

    question: Question
    pairs: tuple[PairResult, ...]
    strengths: Strengths | None
    alpha: Estimate


@dataclass(frozen=True)
class Analysis:
    """Everything that ``bench study analyse`` prints."""

    design: Design
    is_simulated: bool
    n_sessions: int
    n_counted: int
    excluded: Mapping[str, int]
    checks: Checks
    questions: tuple[QuestionResult, ...]
    judge: str
    correlations: tuple[Correlation, ...]

    @property
    def title(self) -> str:
        """What the numbers are of, never without "simulated raters" and "mini" where they are."""
        kinds = ["simulated raters"] if self.is_simulated else []
        kinds += ["mini clips"] if self.design.is_mini else []
        extra = f" ({', '.join(kinds)})" if kinds else ""
        return f"Human study of {' and '.join(self.design.systems)}{extra}"


def analyse_study(study: Path, *, is_mixed: bool = False) -> Analysis:
    """Return what the raters of a study answered; with ``is_mixed`` also by a mixed logit.

    Raises:
        BenchError: no study, no vote, a design that was changed, or a damaged file.
    """
    store = open_store(study, is_new=False)
    design = store.design
    try:
        sessions, answers = store.read_sessions(), store.read_answers()
    finally:
        store.close()
    counted = count_votes(design, sessions, answers)
    if not counted.votes:
        n_excluded = sum(map(len, counted.excluded.values()))
        raise BenchError(
            f"{study} has no votes that count: {len(sessions)} sessions, {n_excluded} of them left "
            "out by the rules of the design"
        )
    is_simulated = any(each.source == SIMULATED for each in sessions)
    truth = read_truth(study / PRIVATE / TRUTH, design) if is_simulated else {}
    scores = read_scores(study, design)
    return Analysis(
        design,
        is_simulated,
        len(sessions),
        len({vote.rater for vote in counted.votes}),
        {rule: len(numbers) for rule, numbers in counted.excluded.items()},
        counted.checks,
        tuple(
            _analyse_question(
                design,
                question,
                [vote for vote in counted.votes if vote.question == question.name],
                truth.get(question.name),
                is_mixed,
            )
            for question in design.questions
        ),
        scores["judge"],
        correlate_scores(design, counted.votes, scores),
    )


def _analyse_question(
    design: Design, question: Question, votes: Sequence[Vote], truth: Truth | None, is_mixed: bool
) -> QuestionResult:
    strengths = None
    if len(design.systems) > 2:
        strengths = fit_strengths(
            [vote.first for vote in votes],
            [vote.second for vote in votes],
            [vote.outcome for vote in votes],
            np.array([vote.rater for vote in votes]),
            [vote.clip for vote in votes],
            len(design.systems),
        )
    pairs = []
    for first, second in design.pairs:
        indices = design.systems.index(first), design.systems.index(second)
        some = [vote for vote in votes if (vote.first, vote.second) == indices]
        if some:
            known = truth.rates(indices[1] - indices[0]) if truth else {}
            pairs.append(_analyse_pair(design, question, (first, second), some, known, is_mixed))
    if missing := None if has_module("krippendorff") else describe_missing_module("krippendorff"):
        alpha = Estimate(math.nan, math.nan, math.nan, len(votes), missing)
    else:
        alpha = krippendorff_alpha(
            [vote.outcome for vote in votes],
            np.array([vote.rater for vote in votes]),
            [f"{vote.clip} {vote.first} {vote.second}" for vote in votes],
        )
    return QuestionResult(question, tuple(pairs), strengths, alpha)


def _analyse_pair(
    design: Design,
    question: Question,
    names: tuple[str, str],
    votes: Sequence[Vote],
    truth: Mapping[str, float],
    is_mixed: bool,
) -> PairResult:
    outcomes = np.array([vote.outcome for vote in votes])
    raters, clips = np.array([vote.rater for vote in votes]), [vote.clip for vote in votes]
    rates = {}
    for name, sign in OUTCOMES.items():
        if name == "tie" and not question.tie:
            continue
        values = outcomes == sign
        seed = stable_seed("study bootstrap", question.name, *names, name)
        rates[name] = Rate(
            two_way_interval(values, raters, clips),
            binomial_interval(int(values.sum()), len(values)),
            two_way_bootstrap(values, raters, clips, np.random.default_rng(seed)),
            mixed_logit_interval(values, raters, clips) if is_mixed else None,
            truth.get(name),
        )
    rows = []
    for clip in design.clips:
        counts = count_outcomes([vote.outcome for vote in votes if vote.clip == clip.name])
        if n := sum(counts):
            rows.append(VideoRow(clip.name, clip.label, counts, wilson_interval(counts.win, n)))
    return PairResult(*names, count_outcomes(outcomes), rates, tuple(rows))


def to_json(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis as plain values; None where a number is missing."""
    values: dict[str, Any] = plain_values(asdict(analysis))
    values["design"] = {
        "sha256": analysis.design.digest,
        "split": analysis.design.split,
        "is_mini": analysis.design.is_mini,
        "systems": list(analysis.design.systems),
        "rules": asdict(analysis.design.rules),
        "power": analysis.design.power,
    }
    return {"title": analysis.title, **values}


def plain_values(value: Any) -> Any:
    """Return nested values as JSON has them: dicts and lists, None where a number is missing."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: plain_values(each) for name, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain_values(value._asdict())
    return [plain_values(each) for each in value] if isinstance(value, (tuple, list)) else value
