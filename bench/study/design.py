"""The design of a study, frozen in ``design.toml`` before the first vote.

Its SHA-256 is in every session and every result: after the first session, a changed file is
refused. It names no media file, so that it can be published while the study runs.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Any

from bench.errors import BenchError, describe_cause

FILE = "design.toml"
FORMAT = 1

#: Sources of audio that are no systems: that of the clip itself, and that of another clip.
TRUE, OTHER = "true", "other"

#: Kinds of trials: what is evaluated; one side has the audio of another clip; both sides are the
#: same; the first one of a session, which is never evaluated.
MAIN, MISMATCH, IDENTICAL, PRACTICE = "main", "mismatch", "identical", "practice"
KINDS = (MAIN, MISMATCH, IDENTICAL, PRACTICE)


@dataclass(frozen=True)
class Question:
    """What is asked in every trial; ``tie`` is the text of the third choice, "" for none."""

    name: str
    text: str
    tie: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The answers: the side, or neither."""
        return ("a", "b", "tie") if self.tie else ("a", "b")


@dataclass(frozen=True)
class Rules:
    """Whose votes are left out: raters beyond one of these limits (``bench.study.votes``)."""

    max_failed_checks: int = 0
    min_answered: float = 0.5
    min_median_s: float = 8.0
    max_same_side: float = 0.9


@dataclass(frozen=True)
class StudyClip:
    """A clip of the study; ``clarity`` is how sharp its onsets are (``bench.study.clips``)."""

    name: str
    label: str
    seconds: float
    clarity: float


@dataclass(frozen=True)
class Check:
    """A trial that every rater has beside the others; for ``identical`` a system's sample twice.

    For the other kinds one side has the true audio and the other side that of the clip ``other``.
    """

    kind: str
    clip: str
    other: str = ""
    system: str = ""


@dataclass(frozen=True)
class Loudness:
    """How audio was prepared: mono at ``sample_rate_hz``, to one loudness per clip.

    ``target_lufs`` by ITU-R BS.1770-4, lower for a clip where the peak of one of its versions
    would exceed ``peak_dbfs``.
    """

    target_lufs: float = -23.0
    peak_dbfs: float = -1.0
    sample_rate_hz: int = 48_000


@dataclass(frozen=True)
class Design:
    """A study of ``systems`` on ``clips``: every rater has ``per_rater`` trials, and the checks.

    ``min_play_s`` is how long each video must play before a vote counts, or to its end.
    ``digest`` is the SHA-256 of the file.
    """

    format: int
    split: str
    is_mini: bool
    seed: int
    per_rater: int
    min_play_s: float
    asks_panel_id: bool
    systems: tuple[str, ...]
    power: str
    rules: Rules
    loudness: Loudness
    questions: tuple[Question, ...]
    clips: tuple[StudyClip, ...]
    checks: tuple[Check, ...]
    digest: str = ""

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every two systems, in their order."""
        return tuple(itertools.combinations(self.systems, 2))

    def question(self, name: str) -> Question | None:
        """Return the question of this name; None if there is none."""
        return next((each for each in self.questions if each.name == name), None)


def read_design(study: Path) -> Design:
    """Return the design in the folder of a study.

    Raises:
        BenchError: the file is missing, is not TOML, or is not a design.
    """
    path = study / FILE
    if study.is_file():
        raise BenchError(f"{study} is a file: name the folder of a study, which has {FILE}")
    try:
        content = path.read_bytes()
        values = tomllib.loads(content.decode("utf-8"))
    except FileNotFoundError as error:
        raise BenchError(
            f"{study} holds no study: there is no {FILE}; `bench study design` creates one"
        ) from error
    except (OSError, ValueError) as error:
        raise BenchError(f"cannot read {path} as TOML: {describe_cause(error)}") from error
    if values.get("format") != FORMAT:
        raise BenchError(f"{path} has format {values.get('format')!r}, expected {FORMAT}")
    values["digest"] = hashlib.sha256(content).hexdigest()
    design: Design = _build(Design, values, path, "")
    check_design(design, path)
    return design


def required_play_s(design: Design, clip: str) -> float:
    """Return how long each video of a clip must play: to its end, but for the last 5 %, at most."""
    seconds = {each.name: each.seconds for each in design.clips}
    longest = seconds.get(clip, max(seconds.values()))
    return min(design.min_play_s, 0.95 * longest)


def format_design(design: Design) -> str:
    """Return the design as TOML, without its digest."""
    import tomli_w

    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(each) for each in value]
        if hasattr(value, "__dataclass_fields__"):
            named = {each.name: plain(getattr(value, each.name)) for each in fields(value)}
            return {name: each for name, each in named.items() if name != "digest"}
        return value

    return tomli_w.dumps(plain(design))


#: The tables of a design, by field: a table, or a list of them.
TABLES: Mapping[str, type] = {"rules": Rules, "loudness": Loudness}
LISTS: Mapping[str, type] = {"questions": Question, "clips": StudyClip, "checks": Check}


def _build(kind: type, values: Any, path: Path, where: str) -> Any:
    """Make a dataclass of a TOML table: all fields, no others, of the right types."""
    if not isinstance(values, dict):
        raise BenchError(f"{path}: {where} is {values!r}, expected a table")
    known = {each.name: each for each in fields(kind)}
    place = f"{where}." if where else ""
    if extra := sorted(set(values) - set(known)):
        raise BenchError(f"{path}: there is no {place}{extra[0]}; known are {', '.join(known)}")
    required = [name for name, each in known.items() if each.default is MISSING]
    if missing := [name for name in required if name not in values]:
        raise BenchError(f"{path}: {place}{missing[0]} is missing")
    return kind(
        **{name: _read(known[name], value, path, place + name) for name, value in values.items()}
    )


def _read(each: Field[Any], value: Any, path: Path, where: str) -> Any:
    if each.name in TABLES:
        return _build(TABLES[each.name], value, path, where)
    if each.name in LISTS or each.name == "systems":
        if not isinstance(value, list):
            raise BenchError(f"{path}: {where} is {value!r}, expected a list")
        if each.name == "systems":
            return tuple(_scalar("str", one, path, where) for one in value)
        kind = LISTS[each.name]
        return tuple(_build(kind, one, path, f"{where}[{i}]") for i, one in enumerate(value))
    return _scalar(str(each.type), value, path, where)


def _scalar(expected: str, value: Any, path: Path, where: str) -> Any:
    kinds = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
    is_wrong_bool = isinstance(value, bool) != (expected == "bool")
    if not isinstance(value, kinds[expected]) or is_wrong_bool:
        raise BenchError(f"{path}: {where} is {value!r}, expected {expected}")
    if expected != "float":
        return value
    if not math.isfinite(float(value)):
        raise BenchError(f"{path}: {where} is {value!r}, expected a finite number")
    return float(value)


def check_design(design: Design, path: Path) -> None:
    """Refuse a design that cannot be carried out; ``path`` is the file that it is of.

    Raises:
        BenchError: what is wrong.
    """
    names = [clip.name for clip in design.clips]
    questions = [question.name for question in design.questions]
    problems = {
        "systems must be two or more different ones, none called true or other": (
            len(set(design.systems)) < max(2, len(design.systems))
            or bool({TRUE, OTHER} & set(design.systems))
        ),
        "clips must be one or more different ones": not names or len(set(names)) < len(names),
        "questions must be one or more different ones": (
            not questions or len(set(questions)) < len(questions)
        ),
        f"per_rater must be 1 to {len(names)}, one trial per clip at most": (
            not 1 <= design.per_rater <= len(names)
        ),
        "checks must be of kind practice, mismatch or identical": any(
            check.kind not in (PRACTICE, MISMATCH, IDENTICAL) for check in design.checks
        ),
        "min_play_s and the seconds of clips must be above 0": (
            design.min_play_s <= 0 or any(clip.seconds <= 0 for clip in design.clips)
        ),
        "names and texts of questions must not be empty": any(
            not question.name or not question.text for question in design.questions
        ),
        "checks of kind practice and mismatch must name the clip of their other audio": any(
            check.kind != IDENTICAL and not check.other for check in design.checks
        ),
        "rules must have shares from 0 to 1, and no limit below 0": _are_impossible(design.rules),
        "checks of kind identical must name a system of the study": any(
            check.kind == IDENTICAL and check.system not in design.systems
            for check in design.checks
        ),
    }
    for problem, is_found in problems.items():
        if is_found:
            raise BenchError(f"{path}: {problem}")


def _are_impossible(rules: Rules) -> bool:
    shares = rules.min_answered, rules.max_same_side
    limits = rules.max_failed_checks, rules.min_median_s
    return not all(0 <= share <= 1 for share in shares) or min(limits) < 0
