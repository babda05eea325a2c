"""Which trials a rater is given, in which order, and which system is on which side.

Everything follows from the design and the number of the session, so raters need no plan in advance.
Clips rotate: a rater has ``per_rater`` clips that follow one another in the design's list, the next
rater those after them, so that after every block of raters all clips were judged equally often; the
next block begins one clip later. The order in a session is a Williams sequence (a Latin square
over the raters: every clip is in every place equally often, and, for an even number, follows every
other one equally often). Pairs and sides alternate each time a clip comes back.

Source: Williams, "Experimental designs balanced for the estimation of residual effects of
treatments", 1949.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from bench.seeds import stable_seed
from bench.study.design import IDENTICAL, MAIN, OTHER, PRACTICE, TRUE, Check, Design


@dataclass(frozen=True)
class Trial:
    """The true clip beside the sides ``a`` and ``b``: a system, or ``true`` or ``other``."""

    position: int
    kind: str
    clip: str
    a: str
    b: str


def assign_trials(design: Design, number: int) -> tuple[Trial, ...]:
    """Return the trials of session ``number``, from 0: practice first, checks in between."""
    generator = random.Random(stable_seed("study", design.seed, number))  # noqa: S311 - no secret
    trials = [(MAIN, clip, *sides) for clip, sides in _main_trials(design, number)]
    checks = [check for check in design.checks if check.kind != PRACTICE]
    # Never at the very start, and not two in a row unless there are few trials.
    places = generator.sample(range(1, len(trials) + 1), min(len(checks), len(trials)))
    places += [len(trials)] * (len(checks) - len(places))
    for place, check in sorted(zip(places, checks, strict=True), key=lambda each: -each[0]):
        trials.insert(place, _check_trial(check, generator))
    practice = [_check_trial(check, generator) for check in design.checks if check.kind == PRACTICE]
    return tuple(Trial(place, *trial) for place, trial in enumerate([*practice, *trials]))


def _main_trials(design: Design, number: int) -> list[tuple[str, tuple[str, str]]]:
    """Return clips with the systems on side a and b, in the order of the session."""
    n_clips, n_pairs, per_rater = len(design.clips), len(design.pairs), design.per_rater
    common = math.gcd(n_clips, per_rater)
    block, place = divmod(number, n_clips // common)
    found = []
    for step in _williams(per_rater):
        start = place * per_rater + step
        index = (start + block) % n_clips
        # How often the clip was given before.
        earlier = block * (per_rater // common) + start // n_clips
        pair = design.pairs[(earlier + index) % n_pairs]
        # The last term keeps the side of a place in the session from being the same for all.
        is_swapped = (earlier // n_pairs + index // n_pairs + block // (2 * n_pairs)) % 2
        found.append((design.clips[index].name, pair[::-1] if is_swapped else pair))
    return found


def _williams(n: int) -> list[int]:
    """Return 0, n - 1, 1, n - 2, ...: neighbours have all differences."""
    return [step // 2 if step % 2 == 0 else n - 1 - step // 2 for step in range(n)]


def _check_trial(check: Check, generator: random.Random) -> tuple[str, str, str, str]:
    if check.kind == IDENTICAL:
        return check.kind, check.clip, check.system, check.system
    sides = [TRUE, OTHER]
    generator.shuffle(sides)
    return check.kind, check.clip, sides[0], sides[1]
