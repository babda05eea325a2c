"""The effects that the paper reports, as claims about pairs of runs, with verdicts.

A claim names two runs, the metrics that show it, and the rule that it is judged by; the rules are
``RULES``, in words, and ``verdict``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bench.results import Contrast, Score
from reports.tables import heading

Rule = Literal["apart", "clear", "doubles", "little change", "not worse", "no bar"]
Verdict = Literal["holds", "does not show", "contrary", "reported", "not run"]

#: How far a number may move and still be called the same: a tenth of it, which every change that
#: Table 6 reports without video and without text stays within, or this much where that is less.
BOUND = 0.1
SMALLEST_BOUND = {"desync": 0.05}
DOUBLE = 2.0

_BOUND_IN_WORDS = (
    f"{BOUND:.0%} of the base value ("
    + ", ".join(f"{name}: at least {bound:g}" for name, bound in SMALLEST_BOUND.items())
    + ")"
)

RULES: Mapping[Rule, str] = {
    "apart": "holds where the intervals of the two runs do not overlap, in the direction of the "
    "claim",
    "clear": "holds where the full interval of the difference is in the direction of the claim",
    "doubles": f"holds where the whole interval of the ratio is {DOUBLE:g} or more",
    "little change": f"holds where the whole interval of the difference is within "
    f"{_BOUND_IN_WORDS}, contrary where all of it is outside",
    "not worse": "holds where the whole interval of the difference is better, or worse by less "
    f"than {_BOUND_IN_WORDS}",
    "no bar": "the paper makes no claim: reported",
}


class RunName(NamedTuple):
    """A run by what it is of: the system and the condition."""

    system: str
    condition: str = "full"

    def __str__(self) -> str:
        return self.system if self.condition == "full" else f"{self.system}, {self.condition}"


@dataclass(frozen=True)
class Claim:
    """``new`` against ``base``: the numbers of ``metrics`` are better, or worse, by ``rule``."""

    text: str
    base: RunName
    new: RunName
    metrics: tuple[str, ...]
    rule: Rule
    expects: Literal["better", "worse"] = "better"
    split: str = "mini"
    group: str = ""


@dataclass(frozen=True)
class Effect:
    """What was measured of one metric of a claim; None where runs are ``missing``."""

    claim: Claim
    metric: str
    contrast: Contrast | None
    missing: tuple[RunName, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The claim's verdict by its rule."""
        return verdict(self.claim, self.contrast) if self.contrast else "not run"


FULL = RunName("acfoley-mini")
NO_AUDIO = RunName("acfoley-mini", "no-audio")
NO_SYNC = RunName("acfoley-mini", "no-sync")
OVERLAP = RunName("acfoley-mini-overlap-only")
NON_OVERLAP = RunName("acfoley-mini-non-overlap-only")
ATTENTION = RunName("acfoley-mini-attention-pooling")
CLAP = RunName("acfoley-mini-clap-encoder")
GROUND_TRUTH = RunName("ground-truth")

FDS = ("fd_passt", "fd_panns", "fd_vgg")
#: The columns that masks are judged by.
MASKED = (*FDS, "desync", "onset_acc", "mcd")
REFERENCES = ("ref_a", "ref_b", "ref_c", "ref_d", "ref_e")

CLAIMS: tuple[Claim, ...] = (
    Claim("A reference helps (Table 1)", NO_AUDIO, FULL, ("mcd", *FDS), "apart"),
    Claim("Masking sync doubles DeSync (Table 6)", FULL, NO_SYNC, ("desync",), "doubles", "worse"),
    Claim("Masking sync loses onsets", FULL, NO_SYNC, ("onset_acc",), "clear", "worse"),
    Claim("Masking audio raises MCD (Table 6)", FULL, NO_AUDIO, ("mcd",), "clear", "worse"),
    *(
        Claim(
            f"Masking {component} changes little (Table 6)",
            FULL,
            RunName("acfoley-mini", f"no-{component}"),
            MASKED,
            "little change",
        )
        for component in ("video", "text")
    ),
    Claim("Overlap alone is worse (Table 4)", FULL, OVERLAP, FDS, "clear", "worse"),
    Claim("Two stages lose no sync (Table 4)", NON_OVERLAP, FULL, ("desync",), "not worse"),
    Claim("Latents beat semantics (Table 1)", CLAP, FULL, ("mcd",), "clear"),
    Claim("Average against attention (Table 5)", ATTENTION, FULL, MASKED, "no bar"),
    *(
        Claim(
            f"{name} is followed (Table 7)",
            NO_AUDIO,
            FULL,
            ("mcd_ref",),
            "clear",
            split="mini-references",
            group=name,
        )
        for name in REFERENCES
    ),
    *(
        Claim(f"It beats {name}", RunName(name), FULL, ("desync", *FDS), "clear")
        for name in ("reference-loop", "motion-grains")
    ),
    Claim("The ground truth beats it", FULL, GROUND_TRUTH, ("desync", *FDS), "clear"),
)


def verdict(claim: Claim, found: Contrast) -> Verdict:
    """Judge what was measured by the rule of the claim.

    Unless the rule says otherwise, a claim is ``contrary`` where the whole interval of the paired
    difference is on the other side, and ``does not show`` otherwise.
    """
    if claim.rule == "no bar":
        return "reported"
    # Tests are written for values that should rise; the sign turns the others around.
    rises = (found.column.better == "higher") == (claim.expects == "better")
    holds = _TESTS[claim.rule](found, 1.0 if rises else -1.0)
    if holds is not None:
        return "holds" if holds else "contrary"
    return "does not show"


# Each test returns True where the claim holds, False where its contrary does, None otherwise. A
# missing interval is NaN, for which every comparison is false, so that nothing is claimed from it.


def _clear(found: Contrast, sign: float) -> bool | None:
    low, high = _orient(found.difference, sign)
    return True if low > 0 else False if high < 0 else None


def _apart(found: Contrast, sign: float) -> bool | None:
    (_, base_high), (new_low, _) = _orient(found.base, sign), _orient(found.new, sign)
    return True if new_low > base_high else _only_contrary(_clear(found, sign))


def _doubles(found: Contrast, sign: float) -> bool | None:
    low = found.ratio.low
    return True if low is not None and low >= DOUBLE else _only_contrary(_clear(found, sign))


def _changes_little(found: Contrast, sign: float) -> bool | None:
    (low, high), bound = _orient(found.difference, 1.0), _bound(found)
    if -bound < low and high < bound:
        return True
    return False if high < -bound or low > bound else None


def _not_worse(found: Contrast, sign: float) -> bool | None:
    if _clear(found, sign) is False:
        return False
    low, _ = _orient(found.difference, sign)
    return True if low > -_bound(found) else None


def _bound(found: Contrast) -> float:
    """How far the metric may move and still be called the same; above 0."""
    # A tenth of a value near 0 would be a bound that no measurement can stay within.
    smallest = SMALLEST_BOUND.get(found.column.name, 1e-9)
    return max(BOUND * abs(found.base.value or 0.0), smallest)


def _only_contrary(holds: bool | None) -> bool | None:
    return False if holds is False else None


def _orient(score: Score, sign: float) -> tuple[float, float]:
    """The bounds of an interval, times a sign; NaN, which no rule holds for, where it has none."""
    if score.low is None or score.high is None:
        return float("nan"), float("nan")
    low, high = sorted((sign * score.low, sign * score.high))
    return low, high


_TESTS: Mapping[Rule, Callable[[Contrast, float], bool | None]] = {
    "apart": _apart,
    "clear": _clear,
    "doubles": _doubles,
    "little change": _changes_little,
    "not worse": _not_worse,
}


def describe_effects(effects: Sequence[Effect], command: str) -> str:
    """The page: the numbers behind every claim, the verdicts, and the rules they come from."""
    lines = [
        "# The paper's effects, in miniature",
        "",
        "What the paper reports of AC-Foley, asked of the mini AC-Foley on held-out clips of the "
        "mini world by the mini judge. Mini numbers are not comparable with published ones. Made "
        f"by `{command}`, from the runs that `make effects` makes.",
        "",
        "The mini AC-Foley is conditioned by the same small Synchformer and ImageBind that the "
        "mini judge scores with, which favours it in DeSync and IB.",
        "",
        f"**{summary(effects)}**",
        "",
        "| claim | base | new | metric | n | base value | new value | new - base | new / base "
        "| rule | verdict |",
        "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- | --- |",
        *map(_row, effects),
        "",
        "In brackets, 95 % intervals over clips; clips that share a target count as one, and runs "
        "are compared on the same clips. Those of Fréchet distances come from what each clip "
        "contributes to the distance, on both sides; a single distance has one only where there "
        "are more clips than dimensions.",
        "",
        "## Rules",
        "",
        *(f"- **{rule}**: {text}." for rule, text in RULES.items()),
        "",
        "Where a rule does not define when a claim is contrary: where the full interval of the "
        "difference is in the other direction. What neither holds nor is contrary does not show.",
    ]
    return "\n".join(lines) + "\n"


def summary(effects: Sequence[Effect]) -> str:
    """How many rows have each verdict, in one line."""
    count = Counter(each.verdict for each in effects)
    order: tuple[Verdict, ...] = ("holds", "does not show", "contrary", "reported", "not run")
    return ", ".join(f"{count[name]} {name}" for name in order if count[name])


def run_command(run: RunName, split: str) -> str:
    """The command that makes a run.

    >>> run_command(NO_SYNC, "mini")
    'bench run --model acfoley-mini --split mini --mask sync'
    """
    masked = run.condition.removeprefix("no-").replace("+", ",")
    mask = "" if run.condition == "full" else f" --mask {masked}"
    return f"bench run --model {run.system} --split {split}{mask}"


def _row(effect: Effect) -> str:
    claim = effect.claim
    about = [claim.text, str(claim.base), str(claim.new)]
    marked: str = effect.verdict
    if marked == "not run":
        commands = (f"`{run_command(run, claim.split)}`" for run in effect.missing)
        marked = f"not run: {', '.join(commands)}"
    elif marked in ("holds", "contrary"):
        marked = f"**{marked}**"
    return "| " + " | ".join([*about, *_numbers(effect), claim.rule, marked]) + " |"


def _numbers(effect: Effect) -> list[str]:
    found = effect.contrast
    if found is None:
        return [effect.metric, *["–"] * 5]
    digits = found.column.decimals
    return [
        heading(found.column),
        str(found.difference.n),
        _with_interval(found.base, digits),
        _with_interval(found.new, digits),
        _with_interval(found.difference, digits, "+"),
        _with_interval(found.ratio, 2),
    ]


def _with_interval(score: Score, digits: int, sign: str = "") -> str:
    """A number and its bounds; no number has a negative zero."""
    if score.value is None:
        return "–"
    numbers = (score.value, score.low, score.high)
    value, low, high = (
        "–" if each is None else f"{round(each, digits) + 0.0:{sign}.{digits}f}" for each in numbers
    )
    return f"{value} [{low}, {high}]"
