"""Raters with known preferences, who answer through the store, or the server, as people would.

A vote is a normal variable, to which the rater and the video contribute a share of the variance
each; cut at two quantiles, it is a win, a tie or a loss. So the rates over all raters and videos
are exactly the truth, while votes of a rater, and on a video, depend on one another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import BenchError
from bench.io import read_json, write_json
from bench.seeds import stable_seed
from bench.study.assignment import Trial
from bench.study.design import MAIN, OTHER, Design, Question
from bench.study.media import PRIVATE
from bench.study.store import FILE, SIDES, SIMULATED, Store, open_store
from bench.study.strengths import outcome_odds

if TYPE_CHECKING:
    from bench.study.server.client import ServedStudy

#: The file of the preferences, in the private folder.
TRUTH = "truth.json"


@dataclass(frozen=True)
class Truth:
    """How often a system is preferred to the next one of the design, and how often neither is."""

    win: float
    tie: float

    def rates(self, distance: int) -> dict[str, float]:
        """Return the rates of two systems that are so many places apart, by equal strengths."""
        loss = 1 - self.win - self.tie
        tie = math.log(self.tie / math.sqrt(self.win * loss)) if self.tie else None
        shares = outcome_odds(distance * math.log(self.win / loss), tie)
        return dict(zip(("win", "tie", "loss"), shares, strict=True))


#: The paper's Table 3.
PAPER_TRUTH = {"fidelity": Truth(0.835, 0.0), "sync": Truth(0.611, 0.218)}


@dataclass(frozen=True)
class Raters:
    """Who answers: ``careless`` raters choose at random, all others know the checks.

    ``rater_share`` and ``video_share`` are the shares of the variance of a vote.
    """

    number: int
    rater_share: float = 0.1
    video_share: float = 0.1
    careless: float = 0.0
    seed: int = 0


def simulate_study(
    study: Path,
    raters: Raters,
    truth: Mapping[str, Truth],
    progress: Callable[[int, int], None] = lambda done, total: None,
    url: str = "",
) -> int:
    """Answer the study as so many raters, and record the truth beside it; return the votes.

    With ``url``, where ``bench study serve --simulated`` serves it, answers are sent there. What is
    stopped before the end leaves no session.

    Raises:
        BenchError: the study has sessions already, a truth that no rates can have, or no answer
            of the server.
    """
    store = open_store(study)
    try:
        _check(store, raters, truth)
        write_json(study / PRIVATE / TRUTH, {name: asdict(each) for name, each in truth.items()})
        generator = np.random.default_rng(stable_seed("study raters", raters.seed))
        videos = {
            (question.name, clip.name): generator.normal()
            for question in store.design.questions
            for clip in store.design.clips
        }
        n_votes = 0
        with (
            _leaving_nothing(store),
            closing(_connect(study, url)) if url else nullcontext(store) as target,
        ):
            for done in range(raters.number):
                n_votes += _answer(target, raters, truth, videos, generator)
                progress(done + 1, raters.number)
    finally:
        store.close()
    return n_votes


def read_truth(path: Path, design: Design) -> dict[str, Truth]:
    """Return the preferences that simulated raters had; nothing where they are not known.

    Raises:
        BenchError: the file is damaged, or of another design.
    """
    if not path.is_file():
        return {}
    found = read_json(path)
    try:
        truth = {name: Truth(float(v["win"]), float(v["tie"])) for name, v in found.items()}
        check_truth(design, truth)
    except (BenchError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BenchError(
            f"{path} does not have the preferences of simulated raters ({error}): it was edited or "
            "is damaged, restore a copy of it"
        ) from error
    return truth


@contextmanager
def _leaving_nothing(store: Store) -> Iterator[None]:
    """Remove all sessions where the block is stopped, by Ctrl-C too."""
    try:
        yield
    except BaseException:
        with suppress(BenchError):  # as of a full disk: the first error is the one to report
            store.remove_simulated()
        raise


def _connect(study: Path, url: str) -> ServedStudy:
    from bench.study.server.client import ServedStudy

    return ServedStudy(study, url)


def _check(store: Store, raters: Raters, truth: Mapping[str, Truth]) -> None:
    if sessions := store.read_sessions():
        of_simulated = sessions[0].source == SIMULATED
        again = f", or delete the files {FILE}* of this one" if of_simulated else ""
        raise BenchError(
            f"the study has {len(sessions)} sessions already: raters are simulated in a study "
            f"without any; create another study{again}"
        )
    if (
        raters.rater_share + raters.video_share >= 1
        or min(raters.rater_share, raters.video_share) < 0
    ):
        raise BenchError(
            "the shares of the variance of raters and videos must be 0 or more and sum to less "
            f"than 1, got {raters.rater_share:g} and {raters.video_share:g}"
        )
    check_truth(store.design, truth)


def check_truth(design: Design, truth: Mapping[str, Truth]) -> None:
    """Refuse preferences that votes cannot have.

    Raises:
        BenchError: other questions than those of the design, or impossible rates.
    """
    expected = {question.name for question in design.questions}
    if set(truth) != expected:
        raise BenchError(
            f"expected a truth for each question of {', '.join(sorted(expected))}, got "
            f"{', '.join(sorted(truth)) or 'none'}"
        )
    for question in design.questions:
        rates = truth[question.name]
        if not (rates.win > 0 and rates.tie >= 0 and rates.win + rates.tie < 1):
            raise BenchError(
                f"the truth of {question.name} must have a win rate above 0, and wins and ties "
                f"below 1 together, got {rates.win:g} and {rates.tie:g}"
            )
        if bool(rates.tie) > bool(question.tie):
            raise BenchError(f"the question {question.name} has no choice for a tie")


def _answer(
    store: Store | ServedStudy,
    raters: Raters,
    truth: Mapping[str, Truth],
    videos: Mapping[tuple[str, str], float],
    generator: np.random.Generator,
) -> int:
    """Create one session and answer all of it; return the number of votes."""
    design, token = store.design, store.create_session(SIMULATED).token
    own = {question.name: generator.normal() for question in design.questions}
    is_careless = generator.random() < raters.careless
    n_votes = 0
    while trial := store.find_session(token).next_trial:
        answers = {}
        for question in design.questions:
            if is_careless:
                answers[question.name] = str(generator.choice(question.choices))
            elif trial.kind == MAIN:
                common = (own[question.name], videos[question.name, trial.clip])
                latent = _draw(raters, common, generator)
                answers[question.name] = _vote(design, trial, truth[question.name], latent)
            else:
                answers[question.name] = _pass_check(trial, question, generator)
        seconds = design.rules.min_median_s + float(generator.exponential(20.0))
        store.record_plays(token, trial.position, dict.fromkeys(SIDES, 3600.0))
        n_votes += store.record_vote(token, trial.position, answers, f"{trial.position}", seconds)
    return n_votes


def _draw(raters: Raters, common: tuple[float, float], generator: np.random.Generator) -> float:
    """Return a standard normal variable with the parts of rater and video."""
    rest = 1 - raters.rater_share - raters.video_share
    of_rater, of_video = common
    return float(
        math.sqrt(raters.rater_share) * of_rater
        + math.sqrt(raters.video_share) * of_video
        + math.sqrt(rest) * generator.normal()
    )


def _vote(design: Design, trial: Trial, truth: Truth, latent: float) -> str:
    """Return the side of the system that the latent variable prefers, or a tie."""
    from scipy.special import ndtr

    first, second = sorted(design.systems.index(each) for each in (trial.a, trial.b))
    rates, quantile = truth.rates(second - first), float(ndtr(latent))
    if rates["win"] <= quantile < rates["win"] + rates["tie"]:
        return "tie"
    chosen = first if quantile < rates["win"] else second
    return "a" if trial.a == design.systems[chosen] else "b"


def _pass_check(trial: Trial, question: Question, generator: np.random.Generator) -> str:
    if OTHER in (trial.a, trial.b):
        return "b" if trial.a == OTHER else "a"
    return "tie" if question.tie else str(generator.choice(question.choices))
