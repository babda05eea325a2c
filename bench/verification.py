"""What ``bench verify`` found of a run, as a file that a leaderboard reads.

It names the files that it is about by their hashes: a run whose scores change afterwards is not
verified any more. A submission could bring such a file of its own, so a board trusts only those
that were written by the people who run it (docs/leaderboard.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.digests import read_checksums
from bench.errors import BenchError
from bench.io import write_json
from bench.untrusted import build, read_json_strictly

#: The name of the file beside the scores of a run.
VERIFICATION_FILE = "verify.json"
#: The files that all numbers and names of a board come from.
RESULT_FILES = ("scores.json", "scores.parquet", "failures.jsonl", "provenance.json")

#: What "verified" means; printed by the command and on every board.
MEANING = (
    "verified means that the scores follow from the samples in the folder, as far as they were "
    "checked; it does not prove who or what made those samples"
)


@dataclass(frozen=True)
class Verification:
    """The outcome of a check, with what was checked.

    ``files`` are the SHA-256 of ``RESULT_FILES``, None for one that is missing; ``date`` is in UTC.
    ``sampled`` are the clips whose features were extracted again, ``regenerated`` those whose
    samples were made again; the verifier's random ``salt`` chose them, and chooses them again.
    ``problems`` has one sentence each; () if the run is verified.
    """

    date: str
    version: str
    system: str
    split: str
    n_scored: int
    files: Mapping[str, str | None]
    sampled: tuple[str, ...]
    regenerated: tuple[str, ...]
    problems: tuple[str, ...]
    # Checks of earlier versions had none.
    salt: str = ""

    @property
    def is_verified(self) -> bool:
        """Whether nothing was found."""
        return not self.problems


def hash_result_files(directory: Path) -> dict[str, str | None]:
    """Return the SHA-256 of each of ``RESULT_FILES`` in a folder of scores, None if missing.

    Raises:
        BenchError: one is no file; opening a pipe would wait for ever.
    """
    return {name: hash_file(directory / name) for name in RESULT_FILES}


def hash_file(path: Path) -> str | None:
    """Return the SHA-256 of a file, None if it is missing; raises the same."""
    if path.exists() and not path.is_file():
        raise BenchError(f"{path} is no file: leave the run out")
    # Not from the memory of digests: an edit within its resolution would go unnoticed.
    return read_checksums(path).sha256 if path.is_file() else None


def write_verification(path: Path, found: Verification) -> None:
    """Write a verification as JSON."""
    value = {"verified": found.is_verified, "meaning": MEANING, **asdict(found)}
    write_json(path, value)


def find_verification(
    directory: Path, known: Mapping[str, Verification] | None
) -> Verification | None:
    """Return the verification of the scores in a folder; None if none is of these very files.

    ``known`` are those of a folder by ``read_verifications``; None reads the one beside the scores.
    """
    files = hash_result_files(directory)
    if known is not None:
        return known.get(_key(files))
    path = directory / VERIFICATION_FILE
    if not path.is_file():
        return None
    found = _read(path)
    return found if found is not None and dict(found.files) == files else None


def read_verifications(folder: Path) -> dict[str, Verification]:
    """Return the newest verification of each set of files, of all JSON files in or below a folder.

    Raises:
        BenchError: there is no such folder, or a file in it cannot be read.
    """
    if not folder.is_dir():
        raise BenchError(f"there is no folder {folder} of results of bench verify --json")
    found: dict[str, Verification] = {}
    for each in sorted(_read_all(folder), key=lambda each: each.date):
        found[_key(each.files)] = each
    return found


def _read_all(folder: Path) -> Iterator[Verification]:
    for path in sorted(folder.rglob("*.json")):
        if found := _read(path):
            yield found


def _read(path: Path) -> Verification | None:
    """The verification in a file; None where it is something else."""
    value = read_json_strictly(path)
    if not isinstance(value, dict) or not isinstance(value.get("files"), dict):
        return None
    value = {key: each for key, each in value.items() if key not in ("verified", "meaning")}
    try:
        found: Verification = build(Verification, value, path.name)
    except TypeError:
        return None
    return found


def _key(files: Mapping[str, str | None]) -> str:
    return " ".join(str(files.get(name)) for name in RESULT_FILES)
