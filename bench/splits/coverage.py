"""How many clips of each list of VGGSound are here, and why a clip of them is not.

A clip is here if its media can be used: the manifest has them with what their headers state, and
``bench data verify`` decodes those of one split. Lists are the official one, those that
``bench data filter`` wrote, VGGSounder's three, VGGSound-TVC's, and any file of names.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from bench.datasets.tvc import read_prepared, tvc_directory
from bench.datasets.vggsound import read_test_list, vggsound_directory
from bench.datasets.vggsounder import Relabels, find_relabels, read_relabels
from bench.errors import MissingError
from bench.io import expand_user
from bench.splits.verify import Findings
from bench.splits.vggsound import KNOWN_LISTS, LABELLED, read_prompts, read_vggsound

HERE = ""
NOT_LISTED = "not in the manifest"
#: The sentence on a clip of which no file is known at all.
ABSENT = "no video"
#: Why a clip is not here, in the order of the table.
REASONS = (
    "not in your copy",
    "several files",
    "damaged",
    "too short",
    "no audio",
    "no video",
    NOT_LISTED,
)


class ClipList(NamedTuple):
    """A list of clips by canonical name."""

    name: str
    clips: tuple[str, ...]


@dataclass(frozen=True)
class ClipState:
    """Whether a clip is here: ``reason`` is one of ``REASONS``, or "" for a clip that is.

    ``detail`` is the whole sentence; of a clip that is here, what is odd in it, such as silence.
    """

    reason: str = HERE
    detail: str = ""


def name_reason(sentence: str) -> str:
    """Return which of ``REASONS`` a sentence on a clip states."""
    if sentence.startswith("cannot read "):
        kinds = {"it has no audio stream": "no audio", "it has no video stream": "no video"}
        return next((kinds[end] for end in kinds if sentence.endswith(end)), "damaged")
    parts = {
        "videos are this clip, keep one": "several files",
        "there is audio of this name and no video": "no video",
        " has no audio stream": "no audio",
        " has no video stream": "no video",
        " lasts ": "too short",
        " is missing": "not in your copy",
    }
    if sentence.partition(":")[0] == ABSENT:
        return "not in your copy"
    return next((parts[part] for part in parts if part in sentence), "damaged")


def list_states(findings: Findings) -> dict[str, ClipState]:
    """Return the state of every clip of the manifest, those in ``findings`` as they decode."""
    states = {
        row.clip: ClipState(name_reason(row.problem), row.problem) if row.problem else ClipState()
        for row in read_vggsound().rows
    }
    for sentences, is_problem in ((findings.remarks, False), (findings.problems, True)):
        for line in sentences:
            name, _, sentence = line.partition(": ")  # no name of a clip has a colon
            if name in states:
                states[name] = ClipState(name_reason(sentence) if is_problem else HERE, sentence)
    return states


def find_lists(files: Iterable[Path]) -> tuple[list[ClipList], list[str]]:
    """Return all lists that are here and those in ``files``, and sentences on lists that are not.

    Raises:
        BenchError: a file cannot be read, or names no clip.
    """
    listed, _ = read_test_list()
    lists = [ClipList("the official test list", tuple(listed))]
    rows = read_vggsound().rows
    lists += [
        ClipList(f"to {split}, by the manifest", tuple(r.clip for r in rows if r.split == split))
        for split in sorted({row.split for row in rows} - {"test"})
    ]
    computed = sorted(vggsound_directory().glob("ib*.txt"))
    lists += [read_list_file(expand_user(path).absolute()) for path in (*files, *computed)]
    notes = []
    if find_relabels(vggsound_directory()):
        relabels = read_relabels(vggsound_directory())
        lists += _list_labelled(relabels, {clip: each.label for clip, each in listed.items()})
    else:
        notes.append(f"{', '.join(LABELLED)} are not counted: the labels of VGGSounder are missing")
    if any(tvc_directory().glob("*.tsv")):
        lists.append(ClipList("vggsound-tvc", tuple(read_prepared().prompts)))
    return lists, notes


def _list_labelled(relabels: Relabels, labels: Mapping[str, str]) -> Iterable[ClipList]:
    for name, is_wanted in LABELLED.items():
        chosen = (
            clip
            for clip, label in labels.items()
            if clip in relabels.clips and is_wanted(relabels.clips[clip], label)
        )
        yield ClipList(name, tuple(chosen))


def read_list_file(path: Path) -> ClipList:
    """Return the list in a file: names of clips in any published scheme, with labels or without.

    Raises:
        MissingError: there is no such file.
        BenchError: it cannot be read.
    """
    if not path.is_file():
        raise MissingError(f"there is no list {path}")
    known = KNOWN_LISTS.get(hashlib.sha256(path.read_bytes()).hexdigest())
    name = f"{path.name} ({known})" if known else path.name
    return ClipList(name, tuple(read_prompts(path)))


def count_reasons(listed: ClipList, reasons: Mapping[str, str]) -> Counter[str]:
    """Return how many clips of a list are here, under "", and how many are not by reason."""
    return Counter(reasons.get(clip, NOT_LISTED) for clip in listed.clips)


def format_states(lists: Sequence[ClipList], states: Mapping[str, ClipState]) -> str:
    """Return CSV of a row per clip: whether it is here, why not, and the lists that have it."""
    belongs: dict[str, list[str]] = {clip: [] for clip in states}
    for each in lists:
        for clip in dict.fromkeys(each.clips):
            belongs.setdefault(clip, []).append(each.name)
    unknown = ClipState(NOT_LISTED, "the manifest of VGGSound does not name it")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("clip", "here", "reason", "detail", "lists"))
    for clip in sorted(belongs):
        state = states.get(clip, unknown)
        here = "yes" if state.reason == HERE else "no"
        writer.writerow((clip, here, state.reason, state.detail, "; ".join(belongs[clip])))
    return text.getvalue()
