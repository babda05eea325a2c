"""``bench score``: any two folders of sound, paired by name and compared over the same window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine import open_engine
from bench.errors import BenchError, MediaError
from bench.features import MAX_SHORTFALL_S
from bench.matching import Matching, audio_files, match
from bench.results import Failure, Results
from bench.runs.evaluate import Identity, Ledger, Progress, Row, evaluate, summarise
from bench.runs.provenance import provenance
from bench.runs.score import Pair, Stores
from bench.suite import Metric
from bench.types import Clip, Excerpt

#: The longest window that is compared where the user names none: the paper's.
LONGEST_SECONDS = 8.0
SHORTEST_SECONDS = 0.1


@dataclass(frozen=True)
class FolderPlan:
    """What to compare. With ``seconds``, shorter files fail; without, pairs meet at the shorter."""

    generated: Path
    reference: Path
    videos: Path | None
    seconds: float | None
    profile: str
    metrics: tuple[Metric, ...]
    workers: int


@dataclass(frozen=True)
class FolderResult:
    """What the comparison found."""

    results: Results
    rows: tuple[Mapping[str, Any], ...]
    failures: tuple[Failure, ...]
    provenance: Mapping[str, Any]


def score_folders(plan: FolderPlan, progress: Progress) -> FolderResult:
    """Score every sound in ``plan.generated`` against its namesake in ``plan.reference``.

    Raises:
        BenchError: a folder is missing, or nothing in one can be paired with the other.
    """
    true = _by_stem(audio_files(plan.reference), plan.reference)
    matching = match(list(true), audio_files(plan.generated))
    if not matching.found:
        raise BenchError(
            f"no file in {plan.generated} is named like one in {plan.reference}: "
            f"pairs need the same stem, e.g. {next(iter(true))}"
        )
    ledger = Ledger(progress)
    ledger.failures += _unpaired(matching, plan.generated)
    pictures = match(list(true), audio_files(plan.videos)).found if plan.videos else {}
    if plan.videos:
        ledger.failures += _without_picture(matching, pictures, plan.videos)
    pairs, shortened = [], 0
    for name in sorted(set(matching.found) - ledger.failed_clips()):
        try:
            seconds, is_cut = _window(true[name], matching.found[name], plan.seconds)
        except MediaError as error:
            ledger.failures.append(Failure(name, "pair", str(error)))
            continue
        shortened += is_cut
        pairs.append(_pair(name, true[name], matching.found[name], pictures.get(name), seconds))
    return _finish(plan, pairs, ledger, _notes(matching, shortened, len(pairs)), len(true))


def _finish(
    plan: FolderPlan, pairs: Sequence[Pair], ledger: Ledger, notes: tuple[str, ...], expected: int
) -> FolderResult:
    stores, engine = Stores.beside(None), open_engine(plan.workers)
    rows: list[Row] = list(evaluate(pairs, plan.metrics, plan.profile, stores, engine, ledger))
    rows.sort(key=lambda row: row.pair.clip.name)
    identity = Identity(plan.generated.absolute().name, plan.reference.absolute().name, "full", 0)
    results = summarise(
        identity, rows, plan.metrics, plan.profile, stores, expected=expected, notes=notes
    )
    failures = tuple(sorted(ledger.failures, key=lambda failure: failure.clip))
    facts = provenance(plan.profile, "cpu")
    return FolderResult(results, tuple(row.flat() for row in rows), failures, facts)


def _by_stem(files: Iterable[Path], folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in files:
        if path.stem in found:
            raise BenchError(
                f"{folder} holds {path.stem!r} twice: {found[path.stem].name} and {path.name}"
            )
        found[path.stem] = path
    return found


def _unpaired(matching: Matching, folder: Path) -> list[Failure]:
    missing = [Failure(name, "pair", f"no file for it in {folder}") for name in matching.missing]
    for name, paths in matching.ambiguous.items():
        files = ", ".join(path.name for path in paths[:3])
        missing.append(Failure(name, "pair", f"{len(paths)} files claim it in {folder}: {files}"))
    return missing


def _without_picture(
    matching: Matching, pictures: Mapping[str, Path], folder: Path
) -> list[Failure]:
    names = [name for name in matching.found if name not in pictures]
    return [Failure(name, "pair", f"no video for it in {folder}") for name in names]


def _window(true: Path, generated: Path, seconds: float | None) -> tuple[float, bool]:
    """How many seconds to compare, and whether the sample forced the window to be shorter."""
    if seconds is not None:
        return seconds, False
    from bench.media.length import sound_seconds

    true_s, generated_s = sound_seconds(true), sound_seconds(generated)
    wanted = min(LONGEST_SECONDS, true_s)
    window = min(wanted, generated_s)
    if window < SHORTEST_SECONDS:
        shorter = generated if generated_s < true_s else true
        raise MediaError(f"{shorter} lasts {window:.3f} s, which is too short to compare")
    return window, generated_s < wanted - MAX_SHORTFALL_S


def _pair(name: str, true: Path, generated: Path, picture: Path | None, seconds: float) -> Pair:
    window = Excerpt(true.absolute(), 0.0, seconds)
    shown = Excerpt(picture.absolute(), 0.0, seconds) if picture else None
    clip = Clip(name, window, seconds, picture=shown)
    return Pair(clip, Excerpt(generated.absolute(), 0.0, seconds))


def _notes(matching: Matching, shortened: int, n_pairs: int) -> tuple[str, ...]:
    notes = []
    if shortened:
        notes.append(
            f"{shortened} of {n_pairs} samples end before their reference and were compared "
            "over their own length; --seconds N requires one"
        )
    if matching.unused:
        notes.append(f"{len(matching.unused)} generated files belong to no reference")
    return tuple(notes)
