"""AudioCaps: audio with captions to train on, found by its tables in a folder of audio files.

``train.csv``, ``val.csv`` and ``test.csv`` of its repository (1.0 or 2.0) have ``audiocap_id``,
``youtube_id``, ``start_time`` and ``caption``: one row of the manifest per caption. The audio has
other sources, and its files have one of the names ``Y<id>``, ``<id>``, ``<id>_<start>`` or
``<audiocap_id>``. A file much longer than a clip is the audio of the whole video, and is cut.
Captions to train on are left out where VGGSound's test list has a clip of their video.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench.datasets.index import Facts, StageProgress, open_index
from bench.datasets.vggsound import read_test_ids
from bench.errors import BenchError, MissingError, format_names
from bench.inputs import list_folder, read_records
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, sort_rows, write_manifest
from bench.io import bench_home, require_folder
from bench.types import MAX_SHORTFALL_S

if TYPE_CHECKING:
    from bench.engine import Engine

LICENCE = (
    "AudioCaps: its captions are under the MIT licence; the audio is that of YouTube videos and "
    "belongs to their uploaders. The paper (appendix F) names the MIT licence"
)
TABLES = ("train.csv", "val.csv", "test.csv")
COLUMNS = {"audiocap_id", "youtube_id", "start_time", "caption"}
SECONDS = 10.0
#: What a target of training needs.
SHORTEST_S = 8.0
#: A clip of 10 s may be a little longer; a file longer than this is a whole video.
LONGEST_CLIP_S = 12.0
SHARED = "VGGSound's test list has its video"


class _Caption(NamedTuple):
    """A row of a table."""

    number: str
    video: str
    start_s: int
    caption: str
    split: str

    @property
    def clip(self) -> str:
        """The name of its row in the manifest: several captions may describe one clip."""
        return f"{self.video}_{self.start_s:06d}_{self.number}"

    @property
    def is_shared(self) -> bool:
        """Whether training on it would show what VGGSound tests."""
        return self.split != "test" and self.video in read_test_ids()

    @property
    def specific_names(self) -> tuple[str, ...]:
        """Names of files that can only be this clip."""
        starts = (str(self.start_s), f"{self.start_s:06d}")
        named = (f"{prefix}{self.video}_{start}" for prefix in ("", "Y") for start in starts)
        return (*named, self.number)

    @property
    def video_names(self) -> tuple[str, ...]:
        """Names of files of its video."""
        return f"Y{self.video}", self.video


def audiocaps_directory() -> Path:
    """Return the folder of the manifest, ``$BENCH_HOME/data/audiocaps``."""
    return bench_home() / "data" / "audiocaps"


def prepare(
    source: Path, engine: Engine, progress: StageProgress, *, table: Path | None = None
) -> Manifest:
    """Find the audio of the captions below ``source``, and write their manifest.

    ``table`` is one of the tables, whose name is the split; by default all of them are looked for
    below ``source``.

    Raises:
        MissingError: the folder, the tables or all audio are missing.
        BenchError: a table cannot be read or is no table of AudioCaps.
    """
    directory = require_folder(audiocaps_directory())
    listing = list_folder(source.expanduser())
    tables = [table] if table else _find_tables(listing.folder, listing.other)
    captions = [row for path in tables for row in read_captions(path)]
    counts = Counter(row.clip for row in captions)
    if twice := next((name for name, count in counts.items() if count > 1), None):
        raise BenchError(f"{tables[0]}: the caption {twice} is listed more than once")
    by_stem: dict[str, Path] = {path.stem: path for path in listing.audio}
    starts = Counter(video for video, _ in {(row.video, row.start_s) for row in captions})
    chosen = {row.clip: None if row.is_shared else _choose(row, by_stem) for row in captions}
    with open_index(directory / "index.sqlite") as index:
        facts = index.describe_files(filter(None, chosen.values()), engine, progress)
    rows = [_describe(row, chosen[row.clip], facts, starts[row.video]) for row in captions]
    if all(row.problem for row in rows):
        example = captions[0]
        raise MissingError(
            f"{listing.folder} has audio of none of the {len(rows)} captions: expected files named "
            f"such as {' or '.join((*example.video_names, example.specific_names[0]))}.wav "
            f"({rows[0].clip}: {rows[0].problem})"
        )
    lists = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in tables}
    manifest = Manifest("audiocaps", sort_rows(rows), LICENCE, lists, _note_shared(captions))
    write_manifest(directory / MANIFEST, manifest)
    return manifest


def _find_tables(folder: Path, files: tuple[Path, ...]) -> list[Path]:
    """Return the tables below a folder; of both versions, those of 2.0."""
    found = []
    for name in TABLES:
        paths = [path for path in files if path.name == name]
        if len(paths) > 1:
            paths = [path for path in paths if "2.0" in str(path.relative_to(folder))] or paths
        if len(paths) > 1:
            named = format_names(str(path.relative_to(folder)) for path in paths)
            raise BenchError(f"{folder} has several tables {name}: {named}; name one by --table")
        found += paths
    if not found:
        raise MissingError(
            f"the captions are {', '.join(TABLES)} of the repository of AudioCaps, which are not "
            f"below {folder}: name one by --table"
        )
    return found


def read_captions(path: Path) -> Iterator[_Caption]:
    """Yield the captions of a table; its name is their split.

    Raises:
        BenchError: it cannot be read, or a column or start is missing; the message has the line.
    """
    columns, records = read_records(path)
    if not set(columns) >= COLUMNS:
        raise BenchError(
            f"{path} has the columns {', '.join(columns)}, a table of AudioCaps has "
            f"{', '.join(sorted(COLUMNS))}"
        )
    for line, row in records:
        try:
            start_s = int(row["start_time"])
        except ValueError as error:
            raise BenchError(
                f"{path}, line {line}: start_time is {row['start_time']!r}, expected seconds"
            ) from error
        yield _Caption(row["audiocap_id"], row["youtube_id"], start_s, row["caption"], path.stem)


def _note_shared(captions: list[_Caption]) -> tuple[str, ...]:
    shared = [row for row in captions if row.is_shared]
    if not shared:
        return ()
    videos = {row.video for row in shared}
    return (
        f"{len(shared)} of {len(captions)} captions are left out, of {len(videos)} videos that "
        "VGGSound's test list has",
    )


def _choose(row: _Caption, by_stem: Mapping[str, Path]) -> Path | None:
    names = (*row.specific_names, *row.video_names)
    return next((by_stem[name] for name in names if name in by_stem), None)


def _describe(
    caption: _Caption, path: Path | None, facts: Mapping[Path, Facts], n_starts: int
) -> MediaRow:
    """Return the row of a caption, with the reason if its audio cannot be used."""
    row = MediaRow(caption.clip, caption.caption, caption.split, seconds=SECONDS)
    if path is None:
        return replace(row, problem=SHARED if caption.is_shared else "no audio")
    row = replace(row, path=str(path))
    stated = facts[path]
    if "problem" in stated or "audio_codec" not in stated:
        return replace(row, problem=stated.get("problem", f"{path.name} has no audio stream"))
    # A video is read for its audio alone.
    row = replace(row, **{name: each for name, each in stated.items() if is_of_audio(name)})
    ends_s = row.audio_s or SECONDS
    if path.stem in caption.video_names:
        if ends_s > LONGEST_CLIP_S:
            row = replace(row, start_s=float(caption.start_s))
        elif n_starts > 1:
            what = f"{n_starts} clips of this video are listed, and {path.name} may be any of them"
            return replace(row, problem=f"{what}: name it {caption.specific_names[0]}")
    return replace(row, problem=find_shortness(row))


def is_of_audio(name: str) -> bool:
    """Return whether a field of ``MediaRow`` describes a file or its audio."""
    return name.startswith("audio") or name in ("container", "n_bytes")


def find_shortness(row: MediaRow) -> str:
    """Return why the audio of a row is too short to train on, "" where it is not."""
    left_s = max((row.audio_s or row.start_s + row.seconds) - row.start_s, 0.0)
    if left_s < SHORTEST_S - MAX_SHORTFALL_S:
        return f"its audio lasts {left_s:.2f} s, a target needs {SHORTEST_S:g} s"
    return ""


def summarize(manifest: Manifest) -> str:
    """Return one sentence on how many captions have audio."""
    here = Counter(row.split for row in manifest.rows if not row.problem)
    parts = ", ".join(f"{split} {count}" for split, count in sorted(here.items()))
    return f"{here.total()} of {len(manifest.rows)} captions have audio: {parts}"
