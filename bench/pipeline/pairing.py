"""Pair the files of two folders: which generated file is compared with which reference."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.errors import BenchError
from bench.inputs import (
    Listing,
    format_paths,
    list_folder,
    natural_sort_key,
    require_folders,
)
from bench.matching import Matching, make_cluster_name, match, normalize_name, to_printable
from bench.pipeline.transfers import BETWEEN, References, Transfer, tried_targets
from bench.results import Failure

#: How files may be paired: by their names, or the first with the first and so on.
MATCHES = ("name", "order")


@dataclass(frozen=True)
class FilePair:
    """A sample, the reference it is compared with, and the video if one was asked for.

    ``cluster`` is shared by pairs that depend on each other, such as transfers of one target.
    """

    name: str
    true: Path
    generated: Path
    video: Path | None = None
    cluster: str = ""


@dataclass(frozen=True)
class Pairing:
    """Pairs by name; ``failures`` are references without one sample, ``notes`` what was left."""

    pairs: tuple[FilePair, ...]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]


def pair_folders(
    reference: Path, generated: Path, videos: Path | None, by: str = "name"
) -> Pairing:
    """Pair the files of two folders, and with ``videos`` each pair with its video there.

    By name: equal paths below the folders, else equal names, else the tolerant rules of
    ``bench.matching``; a sample ``<target>_to_<condition>`` belongs to ``<target>``, which may have
    several (``bench.pipeline.transfers``). By order: the k-th reference with the k-th sample,
    sorted as people count (2 before 10), for samples named by the row of a table, such as
    HunyuanVideo-Foley's ``0000.wav``; right only where the table was sorted like the references.

    Raises:
        BenchError: a folder is missing or empty, no pair is found, or by order there are not as
            many files in one as in the other.
    """
    require_folders(reference, generated, videos)
    true, made = list_folder(reference), list_folder(generated)
    true.require(true.with_audio, "audio or video")
    made.require(made.with_audio, "audio or video")
    found = _by_order(true, made) if by == "order" else _by_name(true, made)
    if not found.pairs:
        first = f"{found.failures[0].clip!r}: {found.failures[0].error}"
        raise BenchError(
            f"no file in {generated} can be paired with one in {reference}, which needs names that "
            f"are equal but for their suffix; {'; '.join((first, *found.notes))}"
        )
    if videos is not None:
        found = _with_videos(found, list_folder(videos), true)
    notes = (*found.notes, *true.audio_notes(), *made.audio_notes())
    ordered = tuple(sorted(found.pairs, key=lambda pair: pair.name))
    return replace(found, pairs=ordered, notes=notes)


def _by_order(true: Listing, made: Listing) -> Pairing:
    sides = [
        # By the paths below the folders, whose own names must not count.
        [
            each.folder / path
            for path in sorted(
                (path.relative_to(each.folder) for path in each.with_audio), key=natural_sort_key
            )
        ]
        for each in (true, made)
    ]
    if len(sides[0]) != len(sides[1]):
        raise BenchError(
            f"{true.folder} holds {len(sides[0])} files and {made.folder} {len(sides[1])}: "
            "--match order pairs the k-th with the k-th and needs as many"
        )
    names = _names(true, sides[0])
    note = (
        "pairs come from the order of the files, not from their names: "
        f"{sides[1][0].name} is for {sides[0][0].name}, {sides[1][-1].name} for {sides[0][-1].name}"
    )
    pairs = tuple(
        FilePair(names[path], path, sample, cluster=make_cluster_name(path.stem) or names[path])
        for path, sample in zip(*sides, strict=True)
    )
    if len(set(names.values())) < len(names):
        twice = Counter(names.values()).most_common(1)[0][0]
        raise BenchError(f"{true.folder} holds several files of the name {twice!r}: keep one")
    return Pairing(pairs, (), (note,))


def _by_name(true: Listing, made: Listing) -> Pairing:
    names = _names(true, true.with_audio)
    claims: dict[str, list[Path]] = defaultdict(list)
    for path in true.with_audio:
        claims[_below(true, path)].append(path)
    single = {key: paths[0] for key, paths in claims.items() if len(paths) == 1}
    matching = match(list(claims), made.with_audio, made.folder)
    pairs = tuple(
        _pair(names[single[key]], single[key], path)
        for key, path in matching.found.items()
        if key in single
    )
    failures = tuple(
        Failure(names[paths[0]], "pair", _claims(paths, true.folder))
        for paths in claims.values()
        if len(paths) > 1
    )
    stems = Counter(normalize_name(path.stem) for path in true.with_audio)
    targets = {
        normalize_name(p.stem): p for p in single.values() if stems[normalize_name(p.stem)] == 1
    }
    read = _read_transfers(matching.unused, targets)
    transfers = _transfers(read, made, targets)
    served = {targets[each.reference] for each in read.values() if each is not None}
    without = tuple(
        Failure(names[single[key]], "pair", reason)
        for key, reason in _unpaired(matching, made.folder, stems, "file")
        if key in single and single[key] not in served
    )
    notes = (*_notes(matching, read), *_transfer_notes(read))
    every_failure = (*failures, *without, *transfers.failures)
    return Pairing((*pairs, *transfers.pairs), every_failure, notes)


def _read_transfers(files: Iterable[Path], targets: Iterable[str]) -> dict[Path, Transfer | None]:
    """What each file that is named like a transfer belongs to."""
    references = References(targets)
    named = (path for path in files if BETWEEN in path.stem)
    return {path: references.find(normalize_name(path.stem)) for path in named}


def _names(listing: Listing, paths: Iterable[Path]) -> dict[Path, str]:
    """What each file is called: by its stem, or by its path where stems repeat in other folders."""
    paths = list(paths)
    keys = {path: _below(listing, path) for path in paths}
    stems = Counter(key.rpartition("/")[2] for key in set(keys.values()))
    ends = {path: key.rpartition("/")[2] for path, key in keys.items()}
    names = {path: ends[path] if stems[ends[path]] == 1 else keys[path] for path in paths}
    return {path: to_printable(name) for path, name in names.items()}


def _below(listing: Listing, path: Path) -> str:
    return normalize_name(path.relative_to(listing.folder).with_suffix("").as_posix())


def _pair(name: str, true: Path, generated: Path) -> FilePair:
    return FilePair(name, true, generated, cluster=make_cluster_name(true.stem) or name)


def _transfers(
    read: Mapping[Path, Transfer | None], made: Listing, targets: Mapping[str, Path]
) -> Pairing:
    """The pairs of samples that are named by their target and a condition."""
    found = {path: each for path, each in read.items() if each is not None}
    claims: dict[str, list[Path]] = defaultdict(list)
    for path, name in _names(made, found).items():
        claims[name].append(path)
    pairs = tuple(
        FilePair(name, targets[found[path].reference], path, cluster=found[path].target)
        for name, (path, *others) in claims.items()
        if not others
    )
    failures = tuple(
        Failure(name, "pair", _claims(paths, made.folder))
        for name, paths in claims.items()
        if len(paths) > 1
    )
    return Pairing(pairs, failures, ())


def _transfer_notes(read: Mapping[Path, Transfer | None]) -> Iterator[str]:
    found = [each for each in read.values() if each is not None]
    extended = [path.name for path, each in read.items() if each is not None and each.has_suffix]
    alone = [path for path, each in read.items() if each is None]
    if found:
        yield f"{len(found)} samples are named <target>_to_<condition> and belong to their target"
    if extended:
        what = "of them by names that differ in a suffix, e.g."
        yield f"{len(extended)} {what} {to_printable(extended[0])}"
    if alone:
        what = "names with _to_ fit no reference, or several alike, e.g."
        tried = to_printable(tried_targets(alone[0].stem))
        yield f"{len(alone)} {what} {to_printable(alone[0].name)} (tried the target {tried})"


def _unpaired(
    matching: Matching, folder: Path, stems: Mapping[str, int], kind: str
) -> Iterable[tuple[str, str]]:
    """The references without one file of a kind in ``folder``, by their path, and why."""
    for key, near in matching.missing.items():
        reason = f"no {kind} for it in {folder}"
        stem = key.rpartition("/")[2]
        if stems[stem] > 1:
            reason += f", where its path counts: {stems[stem]} references are called {stem!r}"
        yield key, f"{reason}; {near}" if near else reason
    for key, paths in matching.ambiguous.items():
        yield key, _claims(paths, folder)


def _with_videos(found: Pairing, videos: Listing, true: Listing) -> Pairing:
    videos.require(videos.videos, "video")
    keys = {pair.true: _below(true, pair.true) for pair in found.pairs}
    matching = match(sorted(set(keys.values())), videos.videos, videos.folder)
    stems = Counter(key.rpartition("/")[2] for key in set(keys.values()))
    reasons = dict(_unpaired(matching, videos.folder, stems, "video"))
    paired, failures = [], list(found.failures)
    for pair in found.pairs:
        key = keys[pair.true]
        if key in matching.found:
            paired.append(replace(pair, video=matching.found[key]))
        else:
            failures.append(Failure(pair.name, "pair", reasons[key]))
    return Pairing(tuple(paired), tuple(failures), (*found.notes, *videos.notes()))


def _notes(matching: Matching, read: Mapping[Path, Transfer | None]) -> tuple[str, ...]:
    n_unused = len(matching.unused) - sum(each is not None for each in read.values())
    n_spare = sum(map(len, matching.spare.values()))
    counts = (
        (n_unused, "generated files belong to no reference"),
        (n_spare, "further samples of the same clips were not scored"),
    )
    return tuple(f"{count} {what}" for count, what in counts if count)


def _claims(paths: Sequence[Path], folder: Path) -> str:
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    is_spelled = len(set(map(normalize_name, names))) < len(set(names))
    why = ", some by the same letters composed otherwise (NFC, NFD)" if is_spelled else ""
    what = f"{len(paths)} files claim it in {folder}{why}"
    return f"{what}: {format_paths(sorted(paths), folder)}; keep one"
