"""``vggsound-test``, ``-ib0.3``, ``-clean``, ``-foley``, ``-onscreen``: from the user's files.

``bench data prepare vggsound --from PATH`` finds the clips and writes their manifest. The paper's
list of 8,676 clips with an ImageBind score of at least 0.3 is not published, and how its scores
were computed is not stated: ``ib0.3.txt`` beside the manifest has the names, one per line, that
``bench data filter`` computes or that somebody publishes. A clip of a list that cannot be used is
refused by name, with the reason, and so is a row of every run.

The last three are chosen by people instead of a network (``bench.datasets.vggsounder``): the label
is audible and visible, and there is no music, voice-over or still image; of these, those without
speech; and those in which all labels are both audible and visible.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from bench.datasets.vggsound import vggsound_directory
from bench.datasets.vggsound_groups import ClipGroups, read_groups
from bench.datasets.vggsounder import Relabelled, read_relabels
from bench.errors import BenchError, MissingError
from bench.inputs import read_labels, read_lines
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, read_manifest
from bench.io import expand_user
from bench.matching import make_cluster_name, parse_canonical_name
from bench.splits.split import (
    BASE_METRICS,
    NETWORK_METRICS,
    REFERENCE_SECONDS,
    TARGET_SECONDS,
    Refusal,
    Split,
    slugify_path,
)
from bench.types import MAX_SHORTFALL_S, Clip, Excerpt

FILTERED = "ib0.3.txt"
PREPARATION = "bench data prepare vggsound --from PATH"
#: Rows of the official test list.
OFFICIAL_CLIPS = 15_446
FILTERING = "bench data filter vggsound"
#: The paper's number of clips with a score of at least 0.3 (section 4.1).
PAPER_CLIPS = 8_676
#: Published lists of test clips, by the SHA-256 of their files.
KNOWN_LISTS = {
    "0b2215dc3786fbb223aa06a2162491099d89cf080ac31b16bb3a72368fbaa24d": "the official test list",
    "f07c41656e3e4498a9c7a483ec4f055d81b0f7d25b414a90078925663fc87519": "MMAudio's test list",
}


def open_vggsound_test() -> Split:
    """Return the split of all clips of the official test list.

    Raises:
        MissingError: there is no manifest; the message has the command that writes it.
    """
    manifest = read_vggsound()
    rows = [row for row in manifest.rows if row.split == "test"]
    # Known by their number: the list of a table has the official clips in another order.
    lists = " and ".join(manifest.lists) or "the manifest"
    differs = f"{lists} has {len(rows):,} test clips"
    note = (f"{differs}, the official list {OFFICIAL_CLIPS:,}",) * (len(rows) != OFFICIAL_CLIPS)
    return _make_split("vggsound-test", rows, note)


def open_vggsound_filtered() -> Split:
    """Return the split of the test clips whose ImageBind score is at least 0.3.

    Raises:
        MissingError: the manifest or the list of names is missing; the message has its path.
        BenchError: a list cannot be read, or has a name that the test list has not.
    """
    path = vggsound_directory() / FILTERED
    lacking = (
        f"split vggsound-ib0.3 needs {path}: names of the test clips with an ImageBind score of at "
        f"least 0.3, one per line (the paper's list of {PAPER_CLIPS:,} is not published; "
        f"`{FILTERING}` computes one)"
    )
    try:
        rows = {row.clip: row for row in _read_test_rows()}
    except MissingError as error:
        raise MissingError(str(error) if path.is_file() else f"{error}; then {lacking}") from error
    if not path.is_file():
        raise MissingError(lacking)
    written = [line.removesuffix(".mp4") for _, line in read_lines(path, "the names of clips in")]
    names = [parse_canonical_name(name) or name for name in written]
    # A name that is not in the test list has no prompt; most likely the lists are of two versions.
    if unknown := [name for name in names if name not in rows]:
        raise BenchError(
            f"{path} names {unknown[0]!r}, which the test list does not "
            f"({len(unknown)} of {len(names)} names)"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    paper = "" if len(names) == PAPER_CLIPS else f", the paper has {PAPER_CLIPS:,}"
    note = f"{FILTERED} names {len(names):,} clips{paper} (SHA-256 {digest})"
    return _make_split("vggsound-ib0.3", [rows[name] for name in names], (note,))


def open_vggsound_list(file: Path) -> Split:
    """Return the split of the clips that a list of the user's names, with the prompts in it.

    The list has any form of ``bench.inputs.labels``, or one name a line; published ones are known
    by their SHA-256.

    Raises:
        MissingError: the manifest or the list is missing, or no clip of it is here.
        BenchError: the list cannot be read, or names a clip that the manifest does not.
    """
    path = expand_user(file).absolute()
    if not path.is_file():
        raise MissingError(f"there is no list {path}")
    rows = {row.clip: row for row in read_vggsound().rows}
    prompts = read_prompts(path)
    if unknown := [name for name in prompts if name not in rows]:
        raise BenchError(
            f"{path} names {unknown[0]!r}, which the manifest does not "
            f"({len(unknown)} of {len(prompts)} names)"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    published = f", {KNOWN_LISTS[digest]}" if digest in KNOWN_LISTS else ""
    note = f"{path.name} names {len(prompts):,} clips{published} (SHA-256 {digest[:12]})"
    wanted = [
        replace(rows[name], label=label or rows[name].label) for name, label in prompts.items()
    ]
    return _make_split(f"vggsound-{slugify_path(path)}", wanted, (note,))


def read_prompts(path: Path) -> dict[str, str]:
    """Return the prompts of a list by canonical name, "" where it has names alone."""
    lines = [line for _, line in read_lines(path, "the names of clips in")]
    if all(parse_canonical_name(line.removesuffix(".mp4")) for line in lines):
        labels = [(line.removesuffix(".mp4"), "") for line in lines]
    else:
        labels = [(label.name, label.prompt) for label in read_labels(path).labels]
    return {parse_canonical_name(name) or name: prompt for name, prompt in labels}


def open_vggsound_clean() -> Split:
    """Return the split of the test clips whose label is audible and visible, without a flag.

    Raises:
        MissingError: the manifest or the labels are missing; the message has the command.
    """
    return _open_labelled("vggsound-clean")


def open_vggsound_foley() -> Split:
    """Return the clips of ``vggsound-clean`` without speech; raises as it does."""
    return _open_labelled("vggsound-foley")


def open_vggsound_onscreen() -> Split:
    """Return the test clips whose labels are all both audible and visible; raises as above."""
    return _open_labelled("vggsound-onscreen")


#: The splits that people's labels choose: whether a clip with its own label is in one.
LABELLED: dict[str, Callable[[Relabelled, str], bool]] = {
    "vggsound-clean": lambda each, label: each.is_clean(label),
    "vggsound-foley": lambda each, label: each.is_clean(label) and not each.has_speech,
    "vggsound-onscreen": lambda each, label: each.is_onscreen,
}


def _open_labelled(name: str) -> Split:
    rows, relabels = _read_test_rows(), read_relabels(vggsound_directory())
    is_wanted = LABELLED[name]
    wanted = [
        row
        for row in rows
        if row.clip in relabels.clips and is_wanted(relabels.clips[row.clip], row.label)
    ]
    return _make_split(name, wanted, (relabels.note,))


def read_vggsound() -> Manifest:
    """Return the manifest of VGGSound.

    Raises:
        MissingError: there is none; the message has the command that writes it.
    """
    path = vggsound_directory() / MANIFEST
    if not path.is_file():
        raise MissingError(
            f"VGGSound is not prepared: run `{PREPARATION}` with the folder of your copy, in any "
            "form (YouTube has deleted many of its videos; mirrors are listed in docs/datasets.md)"
        )
    return read_manifest(path)


def _read_test_rows() -> list[MediaRow]:
    return [row for row in read_vggsound().rows if row.split == "test"]


def _make_split(name: str, rows: Iterable[MediaRow], notes: tuple[str, ...]) -> Split:
    rows, groups = list(rows), read_groups(vggsound_directory())
    clips = [make_clip(row, groups) for row in rows if not row.problem]
    if not clips:
        raise MissingError(
            f"split {name} has {len(rows)} clips and none is here: run `{PREPARATION}`"
        )
    refused = [Refusal(row.clip, row.problem) for row in rows if row.problem]
    metrics = (*NETWORK_METRICS, *BASE_METRICS)
    return Split(name, tuple(clips), metrics, tuple(refused), notes=notes)


def make_clip(row: MediaRow, groups: ClipGroups | None = None) -> Clip:
    """Return the clip of a row under the paper's protocol: 8 s, and the 2 s after them."""
    video, audio = Path(row.path), Path(row.audio_path or row.path)
    ends_s = row.audio_s
    reference_s = row.start_s + TARGET_SECONDS
    has_reference = ends_s is None or ends_s >= reference_s + REFERENCE_SECONDS - MAX_SHORTFALL_S
    return Clip(
        row.clip,
        Excerpt(audio, row.start_s, TARGET_SECONDS),
        TARGET_SECONDS,
        Excerpt(video, row.start_s, TARGET_SECONDS),
        Excerpt(audio, reference_s, REFERENCE_SECONDS) if has_reference else None,
        row.label,
        # Windows of one YouTube video are one cluster: they share its scene and its recorder.
        cluster=make_cluster_name(row.clip) or row.clip,
        groups={} if groups is None else groups.of(row.clip, row.label),
    )
