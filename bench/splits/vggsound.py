"""``vggsound-test`` and ``vggsound-ib0.3``: the paper's test clips, from the user's files.

Nothing of VGGSound can be downloaded by name: its videos are YouTube's, and many are gone. So they
are expected in ``$BENCH_HOME/data/vggsound``:

    test.csv     the official list: <id>_<start second, six digits>.mp4,<label>; or the rows of
                 vggsound.csv, id,start,label,split, of which those of the test split count
    ib0.3.txt    names of the clips whose ImageBind score is at least 0.3, one per line
    videos/      <id>_<start second, six digits>.mp4 or as another published scheme names them,
                 10 s each, in folders or not, links followed

The paper's list of 8,676 clips is not published, and how its scores were computed is not stated.
``bench run --model ground-truth --split vggsound-test --metrics ib`` scores every clip (times 100);
the published release of V-AURA has another list. A clip of a list without a file is refused by
name, and so is a row of every run.
"""

from __future__ import annotations

from pathlib import Path

from bench.errors import BenchError, MissingError
from bench.inputs import format_paths, list_folder, read_labels, read_table
from bench.io import bench_home
from bench.matching import Matching, make_cluster_name, match, parse_canonical_name
from bench.splits.split import (
    BASE_METRICS,
    NETWORK_METRICS,
    REFERENCE_SECONDS,
    TARGET_SECONDS,
    Refusal,
    Split,
)
from bench.types import Clip, Excerpt

LABELS, FILTERED, VIDEOS = "test.csv", "ib0.3.txt", "videos"


def vggsound_directory() -> Path:
    """Return the folder of lists and videos, ``$BENCH_HOME/data/vggsound``."""
    return bench_home() / "data" / "vggsound"


def open_vggsound_test() -> Split:
    """Return the split of all clips of the official test list.

    Raises:
        MissingError: the list or all videos are missing; the message has their paths.
    """
    return _make_split("vggsound-test", _read_test_labels())


def open_vggsound_filtered() -> Split:
    """Return the split of the test clips whose ImageBind score is at least 0.3.

    Raises:
        MissingError: a list or all videos are missing; the message has their paths.
        BenchError: a list cannot be read, or a name of the filtered one is not in the test list.
    """
    labels, path = _read_test_labels(), vggsound_directory() / FILTERED
    if not path.is_file():
        raise MissingError(
            f"split vggsound-ib0.3 needs {path}: names of the test clips with an ImageBind score "
            "of at least 0.3, one per line (the paper's list of 8,676 is not published)"
        )
    written = [row.cells[0].removesuffix(".mp4") for row in read_table(path)]
    names = [parse_canonical_name(name) or name for name in written]
    # A name that is not in the test list has no prompt; most likely the lists are of two versions.
    if unknown := [name for name in names if name not in labels]:
        raise BenchError(
            f"{path} names {unknown[0]!r}, which {LABELS} beside it does not "
            f"({len(unknown)} of {len(names)} names)"
        )
    return _make_split("vggsound-ib0.3", {name: labels[name] for name in names})


def _read_test_labels() -> dict[str, str]:
    path = vggsound_directory() / LABELS
    if not path.is_file():
        raise MissingError(
            f"VGGSound needs {path}: the official list, rows of <id>_<start>.mp4,<label>, and the "
            f"videos of the same names in {path.parent / VIDEOS}"
        )
    labels = read_labels(path).labels
    # test.csv has no column of splits, vggsound.csv has train and test.
    listed = [label for label in labels if label.split in ("", "test")]
    return {parse_canonical_name(label.name) or label.name: label.prompt for label in listed}


def _make_split(name: str, labels: dict[str, str]) -> Split:
    folder = vggsound_directory() / VIDEOS
    videos = list_folder(folder).videos if folder.is_dir() else ()
    matching = match(list(labels), videos, folder)
    found = matching.found
    clips = [_make_clip(each, found[each], labels[each]) for each in labels if each in found]
    if not clips:
        raise MissingError(
            f"split {name} needs {len(labels)} videos and {folder} has none of them: "
            "put them there as <id>_<start second, six digits>.mp4"
        )
    left = [each for each in labels if each not in found]
    refused = [Refusal(each, _explain_missing(each, matching, folder)) for each in left]
    metrics = (*NETWORK_METRICS, *BASE_METRICS)
    return Split(name, tuple(clips), metrics, tuple(refused), label_file=LABELS)


def _explain_missing(name: str, matching: Matching, folder: Path) -> str:
    """Return the reason why a listed clip has no video."""
    if rivals := matching.ambiguous.get(name):
        named = format_paths(rivals, folder)
        return f"{len(rivals)} videos in {folder} are this clip, keep one: {named}"
    near = matching.missing[name]
    return f"no video in {folder}" + (near and f": {near}")


def _make_clip(name: str, path: Path, label: str) -> Clip:
    target = Excerpt(path, 0.0, TARGET_SECONDS)
    reference = Excerpt(path, TARGET_SECONDS, REFERENCE_SECONDS)
    # Windows of one YouTube video are one cluster: they share its scene and its recorder.
    cluster = make_cluster_name(name) or name
    return Clip(name, target, TARGET_SECONDS, target, reference, label, cluster=cluster)
