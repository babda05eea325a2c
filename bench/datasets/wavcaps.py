"""The five references of the paper's Table 7, drawn from WavCaps or any folder of audio.

The paper takes "five distinct audio clips randomly selected" from WavCaps and the first 2 s of
each, and does not say which. Here they are drawn by a seed from the files of a folder or of zip
archives in it (SoundBible.zip, 1,232 files, is the practical choice), and recorded with their
SHA-256. A drawn file counts if it lasts 2 s, is not silent in them, and is not in the published
blacklist of clips that WavCaps shares with VGGSound; else the next one is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.datasets.index import StageProgress, describe_header
from bench.datasets.vggsound import read_test_ids
from bench.datasets.zips import find_zips, list_members, unpack_members
from bench.digests import file_digest
from bench.errors import BenchError, MediaError, MissingError, format_names
from bench.inputs import list_folder
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, sort_rows, write_manifest
from bench.io import SAFE_NAME, bench_home, read_json, require_folder
from bench.media import read_audio
from bench.seeds import stable_seed
from bench.types import AUDIO_SUFFIXES, Excerpt

if TYPE_CHECKING:
    from bench.engine import Engine

LICENCE = (
    "WavCaps: for academic use only; each source has terms of its own (Mei et al. 2024). The paper "
    "(appendix F) names it CC BY 4.0, as the card on the hub does"
)
BLACKLIST = "blacklist_exclude_ub8k_esc50_vggsound.json"
NAMES = ("ref_a", "ref_b", "ref_c", "ref_d", "ref_e")
SECONDS = 2.0
#: The loudest sample that a reference needs, -40 dB of full scale.
QUIET_PEAK = 0.01
#: So many files in a row that cannot serve are a folder of something else.
MOST_DRAWS = 1_000


class AudioFile(NamedTuple):
    """A file of audio: at ``path``, or the ``member`` of the zip there."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """Its name without the suffix."""
        return Path(self.member or self.path).stem


@dataclass
class _Draw:
    """The references with their SHA-256, and the names of files that could not serve."""

    rows: list[MediaRow] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def describe_others(self) -> Iterator[str]:
        """Yield sentences on the files that could not serve."""
        if self.unfit:
            what = "drawn files are short, silent, damaged or badly named"
            yield f"{len(self.unfit)} {what}: {format_names(self.unfit)}"
        if self.twice:
            yield f"{len(self.twice)} drawn files equal a reference: {format_names(self.twice)}"


def wavcaps_directory() -> Path:
    """Return the folder of the manifest, ``$BENCH_HOME/data/wavcaps``."""
    return bench_home() / "data" / "wavcaps"


def prepare(
    source: Path,
    engine: Engine,
    progress: StageProgress,
    *,
    table: Path | None = None,
    seed: int = 0,
) -> Manifest:
    """Draw five references from ``source``, a folder or a zip, and write their manifest.

    ``table`` is the blacklist, by default looked for in the folder. ``engine`` is not
    used: five short files are read.

    Raises:
        MissingError: ``source`` does not exist or has no audio.
        BenchError: too few files can serve, the blacklist cannot be read, or a zip is in parts.
    """
    directory = require_folder(wavcaps_directory())
    source = source.expanduser().absolute()
    audio_files, blacklist_file = _list_audio(source, table)
    blacklist, notes = read_blacklist(blacklist_file)
    # By name and not by path: the same files in a folder or a zip give the same draw.
    order = sorted(audio_files, key=lambda each: (each.name, str(each)))
    rng = np.random.default_rng(stable_seed("wavcaps-references", seed))
    order = [order[index] for index in rng.permutation(len(order))]
    drawn = _draw(order[:MOST_DRAWS], blacklist, directory, progress)
    if len(drawn.rows) < len(NAMES):
        raise BenchError(
            f"{source} has {len(drawn.rows)} files that can serve as references, of "
            f"{len(audio_files)}, and {len(NAMES)} are needed: at least {SECONDS:g} s, not silent, "
            "not of VGGSound, not equal"
        )
    lists = dict(zip(NAMES, drawn.digests, strict=True))
    if blacklist_file:
        lists[BLACKLIST] = hashlib.sha256(blacklist_file.read_bytes()).hexdigest()
    notes = (f"drawn by the seed {seed}", *notes, *drawn.describe_others())
    manifest = Manifest("wavcaps", sort_rows(drawn.rows), LICENCE, lists, notes)
    write_manifest(directory / MANIFEST, manifest)
    return manifest


def _draw(
    order: Sequence[AudioFile],
    blacklist: frozenset[str],
    directory: Path,
    progress: StageProgress,
) -> _Draw:
    """Return the first files that can serve, five at most."""
    drawn = _Draw()
    for audio_file in order:
        progress("draw", len(drawn.rows), len(NAMES))
        if len(drawn.rows) == len(NAMES):
            break
        if is_shared(audio_file.name, blacklist):
            continue
        taken = {row.path for row in drawn.rows}
        row = _try_reference(audio_file, NAMES[len(drawn.rows)], directory, taken)
        if row is None:
            drawn.unfit.append(audio_file.name)
        elif (digest := file_digest(Path(row.path))) in drawn.digests:
            drawn.twice.append(audio_file.name)  # the paper's are distinct
            if audio_file.member:
                Path(row.path).unlink()
        else:
            drawn.rows.append(row)
            drawn.digests.append(digest)
    progress("draw", len(drawn.rows), len(NAMES))
    return drawn


def _list_audio(source: Path, table: Path | None) -> tuple[list[AudioFile], Path | None]:
    """Return the audio files at ``source``, and the blacklist if it is there."""
    audio_files: list[AudioFile] = []
    others: tuple[Path, ...] = (source,)
    if not source.is_file():
        listing = list_folder(source)
        others = listing.other
        audio_files += [AudioFile(path) for path in listing.audio]
    for path in find_zips(others):
        audio_files += [AudioFile(path, each.name) for each in list_members(path, AUDIO_SUFFIXES)]
    if not audio_files:
        raise MissingError(f"{source} holds no audio file and no zip of them")
    found = next((path for path in others if path.name == BLACKLIST), None)
    return audio_files, table or found


def read_blacklist(path: Path | None) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the names of the clips in a blacklist of WavCaps, and a note where there is none.

    Raises:
        BenchError: the file is no such list.
    """
    if path is None:
        return frozenset(), (
            f"without {BLACKLIST} of WavCaps, only files named by a YouTube id of VGGSound's test "
            "list are left out",
        )
    value: Any = read_json(path)
    if not isinstance(value, dict) or not all(isinstance(each, list) for each in value.values()):
        raise BenchError(f"{path} is no blacklist of WavCaps: expected {{source: [id, ...]}}")
    ids = (str(each) for rows in value.values() for each in rows)
    return frozenset(each.removesuffix(".wav") for each in ids), ()


def is_shared(name: str, blacklist: frozenset[str]) -> bool:
    """Return whether a file is in VGGSound by the blacklist, or by its YouTube id ``Y<id>``."""
    return name in blacklist or name.removeprefix("Y") in read_test_ids()


def _try_reference(
    audio_file: AudioFile, name: str, directory: Path, taken: set[str]
) -> MediaRow | None:
    """Return the row of a reference, None where the file cannot serve."""
    path = audio_file.path
    if audio_file.member:
        suffix = Path(audio_file.member).suffix.lower()
        if not SAFE_NAME.fullmatch(f"{audio_file.name}{suffix}"):
            return None
        path = directory / f"{audio_file.name}{suffix}"
        if str(path) in taken:  # FreeSound and SoundBible number their files alike
            path = directory / f"{name}_{path.name}"
        unpacking = unpack_members(audio_file.path, {audio_file.member: path})
        if any(problem for _, problem in unpacking):
            return None  # damaged, encrypted, or compressed in a way that is not known
    row = None
    try:
        samples = read_audio(Excerpt(path, 0.0, SECONDS)).samples
        if np.abs(samples).max() >= QUIET_PEAK:
            row = MediaRow(name, audio_file.name, "reference", str(path), seconds=SECONDS)
            row = replace(row, **describe_header(Excerpt(path)))
    except MediaError:
        pass  # too short or damaged: the next one is drawn
    if row is None and audio_file.member:
        path.unlink()
    return row


def summarize(manifest: Manifest) -> str:
    """Return one sentence on the references."""
    drawn = ", ".join(f"{row.clip} {row.label}" for row in manifest.rows)
    return f"{len(manifest.rows)} references of {SECONDS:g} s: {drawn}"
