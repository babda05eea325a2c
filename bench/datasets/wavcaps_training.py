"""WavCaps to train on: pieces of 10 s of its FLAC files, with the captions of ``*_final.json``.

The paper cuts "non-overlapping 10-second segments" and states neither where a rest goes nor how
many pieces a file gives. Here all whole pieces count, and what is left after the last does not; of
a file with less than two, the start. Clips that WavCaps shares with VGGSound are refused by name.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.datasets.audiocaps import find_shortness, is_of_audio
from bench.datasets.index import Facts, StageProgress, open_index
from bench.datasets.wavcaps import BLACKLIST, LICENCE, is_shared, read_blacklist
from bench.errors import BenchError, MissingError, format_names
from bench.inputs import list_folder
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, sort_rows, write_manifest
from bench.io import SAFE_NAME, bench_home, require_folder

if TYPE_CHECKING:
    from bench.engine import Engine

__all__ = ["LICENCE", "prepare", "summarize", "training_directory"]

#: The parts of WavCaps by the file of their captions, and the word that names each in a path.
PARTS = {
    "as_final.json": ("AudioSet_SL", "audioset"),
    "bbc_final.json": ("BBC_Sound_Effects", "bbc"),
    "fsd_final.json": ("FreeSound", "freesound"),
    "sb_final.json": ("SoundBible", "soundbible"),
}
PIECE_SECONDS = 10.0


class _Captioned(NamedTuple):
    """A file of WavCaps: its part, its name without a suffix, and its caption."""

    part: str
    word: str
    stem: str
    caption: str


def training_directory() -> Path:
    """Return the folder of the manifest, ``$BENCH_HOME/data/wavcaps-training``."""
    return bench_home() / "data" / "wavcaps-training"


def prepare(
    source: Path, engine: Engine, progress: StageProgress, *, table: Path | None = None
) -> Manifest:
    """Find the captioned audio below ``source``, and write a manifest of its pieces.

    ``table`` is the blacklist, by default looked for below ``source``.

    Raises:
        MissingError: the folder, the captions or all audio are missing.
        BenchError: the captions or the blacklist cannot be read, or a file is listed twice.
    """
    directory = require_folder(training_directory())
    listing = list_folder(source.expanduser())
    files = sorted(path for path in listing.other if path.name in PARTS)
    if not files:
        raise MissingError(
            f"the captions are {', '.join(PARTS)} in json_files of WavCaps, which are not below "
            f"{listing.folder}"
        )
    found = next((path for path in listing.other if path.name == BLACKLIST), None)
    blacklist, notes = read_blacklist(table or found)
    captioned = [row for path in files for row in read_captions(path)]
    counts = Counter((row.part, row.stem) for row in captioned)
    if twice := next((each for each, count in counts.items() if count > 1), None):
        raise BenchError(f"{listing.folder} has the caption of {'/'.join(twice)} more than once")
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in listing.audio:
        by_stem[path.stem].append(path)
    stems = Counter(row.stem for row in captioned)
    chosen = {
        row: _choose(row, by_stem.get(row.stem, []), is_unique=stems[row.stem] == 1)
        for row in captioned
        if not is_shared(row.stem, blacklist)
    }
    with open_index(directory / "index.sqlite") as index:
        paths = (each[0] for each in chosen.values() if len(each) == 1)
        facts = index.describe_files(paths, engine, progress)
    rows = [piece for row in captioned for piece in _describe(row, chosen.get(row), facts)]
    if all(row.problem for row in rows):
        raise MissingError(
            f"{listing.folder} has audio of none of the {len(captioned)} captions: unpack the "
            f"archives of WavCaps there ({rows[0].clip}: {rows[0].problem})"
        )
    lists = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    if blacklist_file := table or found:
        lists[BLACKLIST] = hashlib.sha256(blacklist_file.read_bytes()).hexdigest()
    manifest = Manifest("wavcaps-training", sort_rows(rows), LICENCE, lists, notes)
    write_manifest(directory / MANIFEST, manifest)
    return manifest


def read_captions(path: Path) -> Iterator[_Captioned]:
    """Yield the files of one part with their captions, of several the first.

    Raises:
        BenchError: the file is no list of captions of WavCaps.
    """
    part, word = PARTS[path.name]
    try:
        with path.open("rb") as file:
            rows = json.load(file, object_hook=_keep_caption)["data"]
        for row in rows:
            # Of AudioSet the id is the name of a .wav.
            stem = str(row["id"]).removesuffix(".wav")
            yield _Captioned(part, word, stem, row.get("caption") or row["caption_1"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(
            f"{path} is no list of captions of WavCaps: expected data, a list of rows with id and "
            f"caption ({type(error).__name__}: {error})"
        ) from error


def _keep_caption(row: dict[str, Any]) -> dict[str, Any]:
    """Keep what is read of a row: the list of FreeSound is 147 MB, mostly descriptions."""
    return {name: row[name] for name in ("data", "id", "caption", "caption_1") if name in row}


def _choose(row: _Captioned, paths: list[Path], *, is_unique: bool) -> list[Path]:
    """Return the files that may be this one: FreeSound and SoundBible number theirs alike."""
    words = {word for _, word in PARTS.values()}
    named = {path: {word for word in words if word in str(path.parent).lower()} for path in paths}
    own = [path for path in paths if row.word in named[path]]
    # A file in no folder of a part is this one where no other part lists its name.
    return own or [path for path in paths if not named[path] and is_unique]


def _describe(
    captioned: _Captioned, paths: list[Path] | None, facts: Mapping[Path, Facts]
) -> Iterator[MediaRow]:
    """Yield the rows of the pieces of a file, or one with the reason why it cannot be used."""
    name = f"{captioned.part}_{captioned.stem}"
    if not SAFE_NAME.fullmatch(name):
        name = f"{captioned.part}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    row = MediaRow(name, captioned.caption, "train", seconds=PIECE_SECONDS)
    if paths is None:
        yield replace(row, problem="VGGSound has it too")
        return
    if len(paths) != 1:
        named = format_names(f"{path.parent.name}/{path.name}" for path in paths)
        yield replace(
            row, problem=f"{len(paths)} files have this name: {named}" if paths else "no audio"
        )
        return
    row, stated = replace(row, path=str(paths[0])), facts[paths[0]]
    if "problem" in stated or "audio_codec" not in stated:
        yield replace(row, problem=stated.get("problem", f"{paths[0].name} has no audio stream"))
        return
    row = replace(row, **{key: each for key, each in stated.items() if is_of_audio(key)})
    n_pieces = int((row.audio_s or 0.0) / PIECE_SECONDS)
    if n_pieces < 2:
        yield replace(row, problem=find_shortness(row))
        return
    for number in range(n_pieces):
        start_s = number * PIECE_SECONDS
        yield replace(row, clip=f"{name}_{int(start_s):06d}", start_s=start_s)


def summarize(manifest: Manifest) -> str:
    """Return one sentence on how many pieces there are."""
    here = sum(not row.problem for row in manifest.rows)
    reasons = Counter(row.problem for row in manifest.rows if row.problem)
    shared = reasons.pop("VGGSound has it too", 0)
    return (
        f"{here} pieces of {PIECE_SECONDS:g} s; {reasons.total()} files are missing or cannot be "
        f"used, {shared} are left out because VGGSound has them"
    )
