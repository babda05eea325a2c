"""Which generated file is compared with which true one, for two folders of anybody's files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.matching import Matching, audio_files, match, other_files
from bench.results import Failure

#: Timbre transfer names a sample by its target and its condition (CondFoley).
TRANSFER = "_to_"


@dataclass(frozen=True)
class FilePair:
    """A sample, the true sound it is compared with, and the picture if one was asked for."""

    name: str
    true: Path
    generated: Path
    picture: Path | None = None


@dataclass(frozen=True)
class Pairing:
    """Pairs by name; ``failures`` are true sounds without one sample, ``notes`` what was left."""

    pairs: tuple[FilePair, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]


def pair_folders(reference: Path, generated: Path, videos: Path | None) -> Pairing:
    """Pair by the tolerant rules of ``bench.matching``, and by target where samples are transfers.

    A sample ``<target>_to_<condition>`` belongs to ``<target>``, which may have several of them.

    Raises:
        BenchError: a folder is missing or empty, or no file of one is named like one of the other.
    """
    true, doubled = _by_stem(audio_files(reference))
    matching = match(list(true), audio_files(generated))
    transfers = _transfers(matching, true)
    pairs = [FilePair(name, true[name], path) for name, path in matching.found.items()]
    pairs += [FilePair(path.stem, true[target], path) for path, target in transfers.items()]
    if not pairs:
        raise BenchError(
            f"no file in {generated} is named like one in {reference}: "
            f"pairs need the same stem, e.g. {next(iter(true), 'a')}"
        )
    failures = [*doubled, *_without_sample(matching, set(transfers.values()), generated)]
    if videos is not None:
        pairs, unseen = _with_pictures(pairs, videos)
        failures += unseen
    ordered = tuple(sorted(pairs, key=lambda pair: pair.name))
    n_other = len(other_files(reference)) + len(other_files(generated))
    other = (f"{n_other} files are neither sound nor video",) if n_other else ()
    return Pairing(ordered, tuple(failures), (*_notes(matching, transfers), *other))


def _by_stem(files: Iterable[Path]) -> tuple[dict[str, Path], list[Failure]]:
    """True sounds by name, and those that cannot be told apart."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        found[path.stem].append(path)
    doubled = [
        Failure(name, "pair", f"{len(paths)} true sounds have this name: {_list(paths)}")
        for name, paths in found.items()
        if len(paths) > 1
    ]
    return {name: paths[0] for name, paths in found.items() if len(paths) == 1}, doubled


def _transfers(matching: Matching, true: Mapping[str, Path]) -> dict[Path, str]:
    """Samples that are named by their target and a condition, with their target."""
    found = {}
    for path in matching.unused:
        cuts = [i for i in range(len(path.stem)) if path.stem.startswith(TRANSFER, i)]
        targets = [path.stem[:cut] for cut in cuts if path.stem[:cut] in true]
        if targets:
            found[path] = targets[-1]
    return found


def _without_sample(matching: Matching, transferred: set[str], folder: Path) -> list[Failure]:
    missing = [
        Failure(name, "pair", f"no file for it in {folder}")
        for name in matching.missing
        if name not in transferred
    ]
    return missing + [
        Failure(name, "pair", f"{len(paths)} files claim it in {folder}: {_list(paths)}")
        for name, paths in matching.ambiguous.items()
    ]


def _with_pictures(pairs: Iterable[FilePair], videos: Path) -> tuple[list[FilePair], list[Failure]]:
    pairs = list(pairs)
    pictures = match(sorted({pair.true.stem for pair in pairs}), audio_files(videos)).found
    seen = [
        FilePair(pair.name, pair.true, pair.generated, pictures[pair.true.stem])
        for pair in pairs
        if pair.true.stem in pictures
    ]
    unseen = [
        Failure(pair.name, "pair", f"no video for it in {videos}")
        for pair in pairs
        if pair.true.stem not in pictures
    ]
    return seen, unseen


def _notes(matching: Matching, transfers: Mapping[Path, str]) -> tuple[str, ...]:
    n_unused = len(matching.unused) - len(transfers)
    n_spare = sum(map(len, matching.spare.values()))
    counts = (
        (n_unused, "generated files belong to no reference"),
        (n_spare, "further samples of the same clips were not scored"),
    )
    return tuple(f"{count} {what}" for count, what in counts if count)


def _list(paths: Iterable[Path]) -> str:
    return ", ".join(sorted(path.name for path in paths)[:3])
