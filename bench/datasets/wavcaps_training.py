"""WavCaps to train on: pieces of 10 s of its FLAC files, with the captions of ``*_final.json``.

The paper cuts "non-overlapping 10-second segments" and states neither where a rest goes nor how
many pieces a file gives. Here all whole pieces count, and what is left after the last does not; of
a file with less than two, the start. Clips that WavCaps shares with VGGSound are refused by name.

Files are read where they are, unpacked or stored in a zip; those that a zip compresses are written
to ``unpacked`` beside the manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.archives import Member
from bench.datasets.audiocaps import find_shortness, is_of_audio
from bench.datasets.disk import require_space
from bench.datasets.index import Facts, Index, StageProgress, open_index
from bench.datasets.wavcaps import BLACKLIST, LICENCE, is_shared, read_blacklist
from bench.datasets.zips import ZipMember, find_zips, list_members, unpack_members
from bench.digests import file_state
from bench.errors import BenchError, MissingError, format_names
from bench.inputs import list_folder
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, sort_rows, write_manifest
from bench.io import SAFE_NAME, bench_home, require_folder
from bench.types import AUDIO_SUFFIXES

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


SHARED = "VGGSound has it too"


class _Captioned(NamedTuple):
    """A file of WavCaps: its part, its name without a suffix, and its caption."""

    part: str
    word: str
    stem: str
    caption: str

    @property
    def name(self) -> str:
        """Its name in the manifest, which is a file name."""
        name = f"{self.part}_{self.stem}"
        if SAFE_NAME.fullmatch(name):
            return name
        return f"{self.part}_{hashlib.sha256(name.encode()).hexdigest()[:16]}"

    def is_shared(self, blacklist: frozenset[str]) -> bool:
        """Whether VGGSound has it too; the published list has ids of AudioSet and of FreeSound."""
        # SoundBible and BBC number their files as FreeSound does: its ids are not theirs.
        own = blacklist if self.part in ("AudioSet_SL", "FreeSound") else frozenset()
        return is_shared(self.stem, own)


class _File(NamedTuple):
    """A file of audio: ``path``, or a member of the zip there that has to be unpacked.

    ``where`` is its place for messages and for the word of its part: a path, which may go on into
    the zip by the names of its folders.
    """

    where: Path
    path: Path
    member: ZipMember | None = None

    @property
    def label(self) -> str:
        """Its name for messages, with that of its folder, or with its place in the zip."""
        parts = self.where.parts
        first = next((i for i, part in enumerate(parts) if part.lower().endswith(".zip")), -2)
        return "/".join(parts[first:])


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
    wanted = [row for row in captioned if not row.is_shared(blacklist)]
    with open_index(directory / "index.sqlite") as index:
        zipped, problems = _list_zips(listing.other, index)
        chosen = _choose_all(wanted, captioned, listing.audio, zipped)
        damaged = _unpack(chosen, directory / "unpacked", progress)
        paths = (found_files[0].path for found_files in chosen.values() if len(found_files) == 1)
        facts = index.describe_files(paths, engine, progress)
    facts |= {path: {"problem": problem} for path, problem in damaged.items()}
    rows = [piece for row in captioned for piece in _describe(row, chosen.get(row), facts)]
    if all(row.problem for row in rows):
        reasons = "; ".join((f"{rows[0].clip}: {rows[0].problem}", *problems))
        raise MissingError(
            f"{listing.folder} has audio of none of the {len(captioned)} captions: put the "
            f"archives of WavCaps there, or unpack them ({reasons})"
        )
    lists = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    if blacklist_file := table or found:
        lists[BLACKLIST] = hashlib.sha256(blacklist_file.read_bytes()).hexdigest()
    if n_shared := len(captioned) - len(wanted):
        problems.append(f"{n_shared} of {len(captioned)} files are left out: VGGSound has them too")
    manifest = Manifest("wavcaps-training", sort_rows(rows), LICENCE, lists, (*notes, *problems))
    write_manifest(directory / MANIFEST, manifest)
    return manifest


def _list_zips(files: Sequence[Path], index: Index) -> tuple[list[_File], list[str]]:
    """Return the audio in the zips among ``files``, and a sentence on each that cannot be read."""
    found_files: list[_File] = []
    problems: list[str] = []
    for path in find_zips(files):
        state = f"zip:{file_state(path)}"
        try:
            members = index.recall_archive(state)
            if members is None:
                members = list_members(path, AUDIO_SUFFIXES)
                index.remember_archive(state, members)
        except BenchError as error:
            problems.append(str(error))
            continue
        for member in (ZipMember(*each) for each in members):
            where = path / member.name
            if member.offset is None:
                found_files.append(_File(where, path, member))
            else:
                inside = Member(path, member.offset, member.size).path(where.name)
                found_files.append(_File(where, inside))
    return found_files, problems


def _choose_all(
    wanted: Sequence[_Captioned],
    captioned: Sequence[_Captioned],
    files: Sequence[Path],
    zipped: Sequence[_File],
) -> dict[_Captioned, list[_File]]:
    """Return the files that may be each of the wanted ones; a file outranks a member of a zip."""
    by_stem: dict[str, tuple[list[_File], list[_File]]] = defaultdict(lambda: ([], []))
    for path in files:
        by_stem[path.stem][0].append(_File(path, path))
    for each in zipped:
        by_stem[each.where.stem][1].append(each)
    stems = Counter(row.stem for row in captioned)
    chosen = {}
    for row in wanted:
        is_unique = stems[row.stem] == 1
        both = (_choose(row, each, is_unique=is_unique) for each in by_stem.get(row.stem, ()))
        chosen[row] = next(filter(None, both), [])
    return chosen


def _unpack(
    chosen: dict[_Captioned, list[_File]], folder: Path, progress: StageProgress
) -> dict[Path, str]:
    """Write what a zip compresses to ``folder``, and put it into ``chosen``; return the damaged.

    Raises:
        BenchError: the disk has not enough space.
    """
    targets: dict[_Captioned, Path] = {}
    todo: dict[Path, dict[str, Path]] = defaultdict(dict)
    needed = 0
    for row, found_files in chosen.items():
        first = found_files[0] if len(found_files) == 1 else None
        if first is None or first.member is None:
            continue
        target = targets[row] = folder / f"{row.name}{first.where.suffix}"
        if not (target.is_file() and target.stat().st_size == first.member.size):
            todo[first.path][first.member.name] = target
            needed += first.member.size
    total, done, damaged = sum(map(len, todo.values())), 0, {}
    require_space(folder, needed, f"{total} files of WavCaps")
    for path, destinations in todo.items():
        for name, problem in unpack_members(path, destinations):
            done += 1
            progress("unpack", done, total)
            if problem:
                damaged[destinations[name]] = problem
    chosen |= {row: [chosen[row][0]._replace(path=path)] for row, path in targets.items()}
    return damaged


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


def _choose(row: _Captioned, found_files: list[_File], *, is_unique: bool) -> list[_File]:
    """Return the files that may be this one: FreeSound and SoundBible number theirs alike."""
    words = {word for _, word in PARTS.values()}
    named = {
        each: {word for word in words if word in str(each.where.parent).lower()}
        for each in found_files
    }
    own = [each for each in found_files if row.word in named[each]]
    # A file in no folder of a part is this one where no other part lists its name.
    return own or [each for each in found_files if not named[each] and is_unique]


def _describe(
    captioned: _Captioned, found_files: list[_File] | None, facts: Mapping[Path, Facts]
) -> Iterator[MediaRow]:
    """Yield the rows of the pieces of a file, or one with the reason why it cannot be used."""
    name = captioned.name
    row = MediaRow(name, captioned.caption, "train", seconds=PIECE_SECONDS)
    if found_files is None:
        yield replace(row, problem=SHARED)
        return
    if len(found_files) != 1:
        named = format_names(each.label for each in found_files)
        yield replace(
            row,
            problem=f"{len(found_files)} files have this name: {named}"
            if found_files
            else "no audio",
        )
        return
    path = found_files[0].path
    row, stated = replace(row, path=str(path)), facts[path]
    if "problem" in stated or "audio_codec" not in stated:
        yield replace(row, problem=stated.get("problem", f"{path.name} has no audio stream"))
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
    shared = reasons.pop(SHARED, 0)
    return (
        f"{here} pieces of {PIECE_SECONDS:g} s; {reasons.total()} files are missing or cannot be "
        f"used, {shared} are left out because VGGSound has them"
    )
