"""VGGSound: find its clips in any form that people have them in, and write the manifest.

Nothing of VGGSound can be downloaded by name: its videos are YouTube's, and many are gone. What
people have is a flat folder, the trees of a mirror, .tar or .tar.gz shards, Parquet files with
bytes, audio beside video, or full videos, named by seconds or milliseconds. All give one manifest.

    from bench.datasets.vggsound import prepare

The official test list comes with the package (15,446 clips; CC BY 4.0, Chen et al. 2020). Clips to
train on need the official table ``vggsound.csv``, which mirrors hold beside the videos.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from bench.archives import describe_path, is_file
from bench.datasets.index import Facts, Index, StageProgress, open_index
from bench.datasets.scan import Scan, scan
from bench.errors import BenchError, MissingError, format_names
from bench.inputs import read_labels
from bench.inputs.manifest import (
    MANIFEST,
    Manifest,
    MediaRow,
    read_manifest,
    sort_rows,
    write_manifest,
)
from bench.io import bench_home, require_folder
from bench.matching import Matching, match, parse_canonical_name, parse_youtube_id
from bench.types import MAX_SHORTFALL_S

if TYPE_CHECKING:
    from bench.engine import Engine

LICENCE = "VGGSound: CC BY 4.0 (Chen et al. 2020); the footage belongs to its uploaders"
TABLE = "vggsound.csv"
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
SECONDS = 10.0
#: What the protocol needs: 8 s of target; the reference after it may be missing.
SHORTEST_S = 8.0


@dataclass(frozen=True)
class Listed:
    """A clip of a list."""

    label: str
    split: str


def vggsound_directory() -> Path:
    """Return the folder of the manifest, ``$BENCH_HOME/data/vggsound``."""
    return bench_home() / "data" / "vggsound"


def prepare(
    source: Path, engine: Engine, progress: StageProgress, *, table: Path | None = None
) -> Manifest:
    """Find the clips at ``source``, a folder or an archive, and write their manifest.

    ``table`` is ``vggsound.csv`` for clips to train on; by default it is looked for in ``source``,
    and without it the official test list of the package counts. Clips that an earlier call found
    elsewhere are kept, so that data on several disks make one manifest.

    Raises:
        MissingError: ``source`` does not exist, or has no clip of the list.
        BenchError: the list cannot be read or is no table, or unpacking needs more space than there
            is.
    """
    directory = require_folder(vggsound_directory())
    source = source.expanduser().absolute()
    listed, lists = read_list(source) if table is None else _read_table(table)
    with open_index(directory / "index.sqlite") as index:
        found = scan(
            source,
            lambda stem: (parse_canonical_name(stem) or stem) in listed,
            len(listed),
            directory / "unpacked",
            index,
            lambda done, total: progress("unpack", done, total),
        )
        rows, notes = _assign(listed, found, index, engine, progress)
    if all(row.problem for row in rows.values()):
        example = "; ".join([*found.problems, *notes])
        raise MissingError(
            f"{source} has none of the {len(listed)} clips of the list: expected files named "
            f"<id>_<start second, six digits>.mp4{example and f' ({example})'}"
        )
    rows = _keep_earlier(rows, directory / MANIFEST)
    manifest = Manifest(
        "vggsound", sort_rows(rows.values()), LICENCE, lists, tuple([*found.problems, *notes])
    )
    write_manifest(directory / MANIFEST, manifest)
    return manifest


def read_list(source: Path) -> tuple[dict[str, Listed], dict[str, str]]:
    """Return the clips of the table at or in ``source``, else of the official test list.

    With them comes the SHA-256 of the list by its name.
    """
    path = source / TABLE if source.is_dir() else source
    is_table = path.suffix.lower() in TABLE_SUFFIXES and path.is_file()
    return _read_listed(path) if is_table else read_test_list()


def _read_table(path: Path) -> tuple[dict[str, Listed], dict[str, str]]:
    """Return the clips of a table that the user named, which has to be one."""
    if not path.is_file():
        raise MissingError(f"there is no table {path}")
    if path.suffix.lower() not in TABLE_SUFFIXES:
        raise BenchError(f"{path} is no table: expected {TABLE} ({', '.join(TABLE_SUFFIXES)})")
    return _read_listed(path)


def read_test_list() -> tuple[dict[str, Listed], dict[str, str]]:
    """Return the clips of the official test list, which the package has, and its SHA-256."""
    return _read_listed(Path(str(files("bench.datasets") / "lists" / "vggsound_test.csv")))


@cache
def read_test_ids() -> frozenset[str]:
    """Return the YouTube ids of the official test list."""
    listed, _ = read_test_list()
    return frozenset(filter(None, map(parse_youtube_id, listed)))


def _read_listed(path: Path) -> tuple[dict[str, Listed], dict[str, str]]:
    labels = read_labels(path).labels
    listed = {
        parse_canonical_name(label.name) or label.name: Listed(label.prompt, label.split or "test")
        for label in labels
    }
    return listed, {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}


def _assign(
    listed: Mapping[str, Listed], found: Scan, index: Index, engine: Engine, progress: StageProgress
) -> tuple[dict[str, MediaRow], list[str]]:
    """Return one row per listed clip, and notes on the files that belong to none."""
    videos = match(list(listed), found.videos)
    audio = match(list(listed), found.audio)
    whole = _find_whole_videos(videos)
    paths = {**videos.found, **{clip: path for clip, (path, _) in whole.items()}}
    facts = index.describe_files([*paths.values(), *audio.found.values()], engine, progress)
    rows = {}
    for clip, each in listed.items():
        row = MediaRow(clip, each.label, each.split)
        start_s = whole[clip][1] if clip in whole else 0.0
        if clip in paths:
            row = _describe_clip(row, paths[clip], audio.found.get(clip), start_s, facts)
        else:
            row = replace(row, problem=_explain_missing(clip, videos, clip in audio.found))
        rows[clip] = row
    used = {path for path, _ in whole.values()}
    unused = [path for path in videos.unused if path not in used]
    notes = []
    if unused:
        named = format_names(sorted(path.name for path in unused))
        notes.append(f"{len(unused)} videos are no clips of the list: {named}")
    return rows, [*notes, *_note_mislabelled(rows.values())]


def _note_mislabelled(rows: Iterable[MediaRow]) -> Iterator[str]:
    """Yield a sentence on clips in the folder of another class than the list states."""
    rows = list(rows)
    classes = {_fold(row.label) for row in rows if row.label}
    wrong = [
        f"{describe_path(Path(row.path))} ({row.label})"
        for row in rows
        if (folder := _fold(Path(row.path).parent.name)) in classes and folder != _fold(row.label)
    ]
    if wrong:
        what = "clips are in the folder of another class, and the label of the list counts"
        yield f"{len(wrong)} {what}: {format_names(wrong)}"


def _fold(label: str) -> str:
    """A label without what folders replace: blanks, commas, capitals."""
    return " ".join(re.findall(r"[a-z0-9]+", label.casefold()))


def _find_whole_videos(videos: Matching) -> dict[str, tuple[Path, float]]:
    """Return for clips without a file of their own the full video, and where the clip starts."""
    by_id = {path.stem: path for path in videos.unused}
    found = {}
    for clip in videos.missing:
        video_id = parse_youtube_id(clip)
        # youtube-dl's own scheme puts the title before the id; downloaders of VGGSound use the id.
        path = video_id and (by_id.get(video_id) or by_id.get(f"Y{video_id}"))
        if path:
            found[clip] = (path, float(clip[-6:]))
    return found


def _describe_clip(
    row: MediaRow, path: Path, audio: Path | None, start_s: float, facts: Mapping[Path, Facts]
) -> MediaRow:
    """Return the row of a clip that has a file, with the reason if it cannot be used."""
    stated = facts[path]
    row = replace(row, path=str(path), start_s=start_s, seconds=SECONDS)
    if "problem" in stated:
        return replace(row, problem=stated["problem"])
    row = replace(row, **stated)
    if not row.audio_codec and audio is not None:
        beside = {name: value for name, value in facts[audio].items() if name.startswith("audio")}
        row = replace(row, audio_path=str(audio), problem=facts[audio].get("problem", ""), **beside)
    return replace(row, problem=row.problem or find_problem(row))


def find_problem(row: MediaRow) -> str:
    """Return why the media that a row describes cannot be used, "" where they can."""
    if not row.video_codec:
        return f"{Path(row.path).name} has no video stream"
    if not row.audio_codec:
        return f"{Path(row.path).name} has no audio stream, and no audio file is beside it"
    for kind, ends_s in (("audio", row.audio_s), ("video", row.video_s)):
        if ends_s is not None and ends_s - row.start_s < SHORTEST_S - MAX_SHORTFALL_S:
            left_s = max(ends_s - row.start_s, 0.0)
            return f"its {kind} lasts {left_s:.2f} s, the protocol needs {SHORTEST_S:g} s"
    return ""


def _explain_missing(clip: str, videos: Matching, has_audio: bool) -> str:
    if rivals := videos.ambiguous.get(clip):
        # Names, and not paths: the sentence is part of the manifest, which can be moved.
        named = format_names(map(describe_path, rivals))
        return f"{len(rivals)} videos are this clip, keep one: {named}"
    if has_audio:
        return "there is audio of this name and no video"
    near = videos.missing[clip]
    return "no video" + (near and f": {near}")


def _keep_earlier(rows: dict[str, MediaRow], path: Path) -> dict[str, MediaRow]:
    """Return ``rows``, with those of an earlier manifest where the new one has no usable file."""
    if not path.is_file():
        return rows
    try:
        earlier = read_manifest(path).rows
    except BenchError:
        return rows  # of another version: what it knew is found again by naming its folder
    kept = dict(rows)
    for row in earlier:
        usable = not row.problem and is_file(Path(row.path))
        new = kept.get(row.clip)
        # The same path is the same file, which has changed since.
        if usable and new is not None and new.problem and new.path != row.path:
            kept[row.clip] = replace(row, label=kept[row.clip].label, split=kept[row.clip].split)
    return kept


def summarize(manifest: Manifest) -> str:
    """Return one sentence on how many clips are here, and why others are not."""
    problems = [row for row in manifest.rows if row.problem]
    n_missing = sum(not row.path for row in problems)
    here = len(manifest.rows) - len(problems)
    return (
        f"{here} of {len(manifest.rows)} clips are here; {n_missing} are missing, "
        f"{len(problems) - n_missing} cannot be used"
    )
