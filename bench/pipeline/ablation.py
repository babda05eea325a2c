"""Ablations: a system beside itself without a component, trained otherwise, or under conflict.

Conflict is between inputs: the prompt, or the reference, is from true to unrelated to the video.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from bench.errors import BenchError
from bench.pipeline.columns import JudgeOptions, Notify, split_names
from bench.pipeline.plan import RunPlan
from bench.pipeline.prepare import RunOptions, choose_split, default_model, plan_run
from bench.splits import Split
from bench.splits.references import ORIGINS
from bench.synthetic.protocols import CONFLICT_LEVELS
from bench.types import COMPONENTS, parse_condition

#: The row in which nothing is masked.
UNMASKED = "none"

#: The inputs that ``--conflict`` sets against the video, and the levels of each.
CONFLICTS: Mapping[str, tuple[str, ...]] = {"text": CONFLICT_LEVELS, "reference": ORIGINS}
#: The same inputs as systems declare them.
USES: Mapping[str, str] = {"text": "prompt", "reference": "reference"}
#: The splits with a prompt of every level; the first is the default where it is prepared.
TEXT_SPLITS = ("vggsound-tvc", "mini-conflict")


class Variant(NamedTuple):
    """A trained variant: its name on the command line and in the paper's table, and its system."""

    name: str
    label: str
    system: str


#: The variants that Tables 4 (stage) and 5 (pooling) of the paper compare, by model and option;
#: the model itself is the last of each.
ABLATIONS: Mapping[str, Mapping[str, tuple[Variant, ...]]] = {
    "acfoley": {
        "stage": (
            Variant("overlap-only", "Overlap", "acfoley-overlap-only"),
            Variant("non-overlap-only", "Non-overlap", "acfoley-non-overlap-only"),
            Variant("two-stage", "Two-stage w/o ft.", "acfoley-two-stage"),
            Variant("full", "Two-stage", "acfoley"),
        ),
        "pooling": (
            Variant("attention", "Attention-Based", "acfoley-attention-pooling"),
            Variant("average", "Average", "acfoley"),
        ),
    },
    "acfoley-mini": {
        "stage": (
            Variant("overlap-only", "Overlap", "acfoley-mini-overlap-only"),
            Variant("non-overlap-only", "Non-overlap", "acfoley-mini-non-overlap-only"),
            Variant("two-stage", "Two-stage", "acfoley-mini"),
        ),
        "pooling": (
            Variant("attention", "Attention-Based", "acfoley-mini-attention-pooling"),
            Variant("average", "Average", "acfoley-mini"),
        ),
    },
}


@dataclass(frozen=True)
class Ablation:
    """What to vary, as the user wrote it: components, stages of training, pooling, or conflict.

    Exactly one of them is given: names between commas or ``all``, or one of ``CONFLICTS``.
    """

    mask: str | None = None
    stage: str | None = None
    pooling: str | None = None
    scope: str = "whole"
    conflict: str | None = None

    def choose_option(self) -> tuple[str, str]:
        """Return the one option that was given, and its names.

        Raises:
            BenchError: none or several were given, or a scope without a mask.
        """
        options = {
            "mask": self.mask,
            "stage": self.stage,
            "pooling": self.pooling,
            "conflict": self.conflict,
        }
        given = [(name, text) for name, text in options.items() if text is not None]
        if len(given) != 1:
            found = ", ".join(f"--{name}" for name, _ in given) or "none of them"
            raise BenchError(f"give one of --mask, --stage, --pooling and --conflict, not {found}")
        if self.mask is None and self.scope != "whole":
            raise BenchError(f"--mask-scope {self.scope} says how to --mask, which was not given")
        return given[0]


class AblationRow(NamedTuple):
    """One run of an ablation and its label in the table; None: the system and its condition."""

    name: str
    plan: RunPlan
    label: str | None = None


def plan_ablation(
    ablation: Ablation, options: RunOptions, judging: JudgeOptions, notify: Notify
) -> list[AblationRow]:
    """Return the runs of an ablation, in the order of its table. The split is opened once.

    Raises:
        BenchError: as ``plan_run``, or no such component or variant.
    """
    option, text = ablation.choose_option()
    masks = _read_names("mask", text, COMPONENTS) if option == "mask" else []
    for name in masks:
        parse_condition(name, ablation.scope)  # refused before the files of the split are missed
    if option == "conflict":
        _check_conflict(text, options)
    split = options.split
    if not isinstance(split, Split):
        usual = TEXT_SPLITS if text == "text" else ()
        split = choose_split(split, notify, *usual)
    model = options.model or default_model(split)
    options = replace(options, split=split, model=model)
    notes: dict[str, None] = {}  # every row has the same columns, and so the same notes
    if option == "mask":
        rows = _plan_masks(masks, ablation.scope, options, judging, notes)
    elif option == "conflict":
        rows = _plan_conflict(text, options, judging, notes)
    else:
        rows = [
            AblationRow(
                each.label,
                plan_run(replace(options, model=each.system), judging, _collect(notes)),
                each.label,
            )
            for each in _choose_variants(model, option, text)
        ]
    for note in notes:
        notify(note)
    return rows


def _collect(notes: dict[str, None]) -> Notify:
    return lambda note: notes.setdefault(note)


def _plan_masks(
    names: list[str],
    scope: str,
    options: RunOptions,
    judging: JudgeOptions,
    notes: dict[str, None],
) -> list[AblationRow]:
    """The unmasked run, and one for each component."""
    rows = [AblationRow(UNMASKED, plan_run(options, judging, _collect(notes)))]
    for name in names:
        masked = replace(options, mask=name, mask_scope=scope)
        rows.append(AblationRow(name, plan_run(masked, judging, _collect(notes))))
    return rows


def _check_conflict(text: str, options: RunOptions) -> None:
    """Refuse a conflict that does not exist, or that the other options contradict."""
    if text not in CONFLICTS:
        raise BenchError(f"no conflict of {text!r}; there is one of: {', '.join(CONFLICTS)}")
    if text == "reference" and options.reference_from is not None:
        raise BenchError("--conflict reference runs every --reference-from: leave that out")
    split = options.split.name if isinstance(options.split, Split) else options.split
    if text == "text" and split is not None and split not in TEXT_SPLITS:
        raise BenchError(
            f"--conflict text needs a split with prompts in conflict, {' or '.join(TEXT_SPLITS)}, "
            f"not {split}"
        )


def _plan_conflict(
    text: str, options: RunOptions, judging: JudgeOptions, notes: dict[str, None]
) -> list[AblationRow]:
    """A run for each origin of the references; of prompts one, whose groups are the levels."""
    if text == "text":
        rows = [AblationRow("text", plan_run(options, judging, _collect(notes)))]
        return _note_unused(rows, text, notes)
    rows = [
        AblationRow(
            origin,
            plan_run(replace(options, reference_from=origin), judging, _collect(notes)),
            origin,
        )
        for origin in ORIGINS
    ]
    return _note_unused(rows, text, notes)


def _note_unused(rows: list[AblationRow], text: str, notes: dict[str, None]) -> list[AblationRow]:
    """Return the rows, with a note if their system does not read the input in conflict."""
    system = rows[0].plan.system
    if not {USES[text], "truth"} & system.uses:
        notes.setdefault(f"{system.name} reads no {USES[text]}: no level changes what it is given")
    return rows


def _choose_variants(model: str, option: str, text: str) -> list[Variant]:
    """The variants of a model that are named, and the model itself, as the paper orders them."""
    if model not in ABLATIONS:
        models = " and ".join(ABLATIONS)
        raise BenchError(f"--{option} compares trained variants, which {models} have, not {model}")
    variants = ABLATIONS[model][option]
    known = [each.name for each in variants]
    names = _read_names(option, text, known)
    if unknown := [name for name in names if name not in known]:
        raise BenchError(f"no {option} {unknown[0]!r} of {model}; there are: {_list_names(known)}")
    return [each for each in variants if each.name in names or each.system == model]


def _read_names(option: str, text: str, known: Iterable[str]) -> list[str]:
    """Names between commas; all that are known for ``all``."""
    names = list(known) if text.strip() == "all" else split_names(text)
    if not names:
        raise BenchError(f"--{option} names nothing; there are: {_list_names(known)}")
    return names


def _list_names(known: Iterable[str]) -> str:
    return ", ".join((*known, "all"))
