"""``bench verify``: whether the scores of a run folder follow from its samples.

First its folder is looked at (``bench.pipeline.survey``), then its files are compared with one
another (``bench.pipeline.consistency``, ``claims``), then features, rows and columns are computed
again (``bench.pipeline.recompute``), then samples, if that is asked for
(``bench.pipeline.regenerate``). A random salt, drawn for each check, decides which clips are
chosen: an author who knew it could try files until honest clips are. Nothing is written into the
folder.
"""

from __future__ import annotations

import hashlib
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from string import hexdigits
from typing import TypeVar

import bench
from bench.archives import parse_member
from bench.engine import open_engine
from bench.errors import BenchError, RunError
from bench.judges import JUDGES, Judge, open_judge
from bench.pipeline.claims import check_texts
from bench.pipeline.compare import find_run_folder
from bench.pipeline.consistency import check_files
from bench.pipeline.evaluate import Progress
from bench.pipeline.journal import Journal
from bench.pipeline.recompute import recompute
from bench.pipeline.regenerate import compare_regenerated
from bench.pipeline.submission import (
    Submission,
    read_configuration,
    read_failures,
    read_journal,
    read_table,
    require_current,
    require_extractors,
    require_inputs,
)
from bench.pipeline.survey import Survey, require_unchanged, survey_folder
from bench.results import Results, load_results
from bench.results_store import require_digests
from bench.splits import Split, find_splits, open_split
from bench.splits.references import ORIGINS, draw_references
from bench.splits.split import PROTOCOL_VERSION
from bench.suite import SUITE_VERSION, select
from bench.types import Clip
from bench.untrusted import make_printable
from bench.verification import RESULT_FILES, Verification, hash_file, hash_result_files

#: Nobody guesses so many random bytes.
SALT_BYTES = 16

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """What the user asked of ``bench verify``, under the names of the command line.

    ``sample`` and ``regenerate`` are numbers of clips. ``salt`` repeats the choice of an earlier
    check; None draws one. ``split`` is written as for ``bench run``; None opens it by the name in
    the results.
    """

    run: Path
    sample: int = 10
    regenerate: int = 0
    salt: str | None = None
    split: str | None = None
    weights: Path | None = None
    device: str = "cpu"
    workers: int = 0


@dataclass
class _Outcome:
    """What was checked, and what is wrong."""

    sampled: list[Clip] = field(default_factory=list)
    regenerated: list[Clip] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def verify_run(options: VerifyOptions, progress: Progress) -> Verification:
    """Check the results in ``options.run``; what is wrong is in the problems of the outcome.

    Raises:
        BenchError: it cannot be checked here: it is no finished run, is of another version, its
            split, judge or weights are missing, or it changed meanwhile.
    """
    directory, salt = options.run.absolute(), options.salt or secrets.token_hex(SALT_BYTES)
    if len(salt) != 2 * SALT_BYTES or not set(salt) <= set(hexdigits):
        raise BenchError(f"the salt {salt!r} is none: take that of verify.json, 32 digits of 0-f")
    if not directory.is_dir():
        raise RunError(f"{directory} holds no finished run: it is no folder")
    if parse_member(directory / "scores.json"):
        raise RunError(f"{directory} reads as a path into an archive: move the run elsewhere")
    home = find_run_folder(directory)
    before = survey_folder(home)
    if before.problems:  # nothing of it is read
        files = _hash_listed(directory, home, before)
        return _describe(None, files, _Outcome(problems=[*before.problems]), salt)
    files, results = hash_result_files(directory), load_results(directory)
    outcome = _check(directory, home, results, options, salt, progress)
    require_unchanged(before, home)
    if hash_result_files(directory) != files:
        raise RunError(f"{directory} changed while it was checked: check a copy")
    return _describe(results, files, outcome, salt)


def _hash_listed(directory: Path, home: Path, survey: Survey) -> dict[str, str | None]:
    """Return the hashes of the result files that are files, so that a board knows the run."""
    place, root = directory.resolve(), home.resolve()
    if not place.is_relative_to(root):  # it is a link itself
        return {}
    inside = place.relative_to(root)
    names = [name for name in RESULT_FILES if (inside / name).as_posix() in survey.states]
    return dict.fromkeys(RESULT_FILES) | {name: hash_file(place / name) for name in names}


def _describe(
    results: Results | None, files: Mapping[str, str | None], outcome: _Outcome, salt: str
) -> Verification:
    return Verification(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=bench.__version__,
        system=make_printable(results.system) if results else "",
        split=make_printable(results.split) if results else "",
        n_scored=results.scored if results else 0,
        files=files,
        sampled=tuple(clip.name for clip in outcome.sampled),
        regenerated=tuple(clip.name for clip in outcome.regenerated),
        problems=tuple(dict.fromkeys(map(make_printable, outcome.problems))),
        salt=salt,
    )


def _check(
    directory: Path,
    home: Path,
    results: Results,
    options: VerifyOptions,
    salt: str,
    progress: Progress,
) -> _Outcome:
    if problems := [*check_texts(results)]:
        return _Outcome(problems=problems)  # no error names what should not be printed
    submission, problems = _open(directory, home, results, options)
    if not problems:
        require_inputs(submission)
        problems += check_files(submission)
    if problems:  # what was scored is not known: nothing to compute
        return _Outcome(problems=[*problems, *_check_digests(directory)])
    require_current(results, SUITE_VERSION, PROTOCOL_VERSION)
    require_extractors(submission, sorted(submission.scoring.extractor_names()))
    ordered = _order_by_salt(salt, submission.scored)
    sampled, again = ordered[: options.sample], ordered[: options.regenerate]
    with tempfile.TemporaryDirectory() as folder, open_engine(options.workers) as engine:
        work = Path(folder)
        problems += recompute(submission, sampled, engine, work, progress)
        problems += compare_regenerated(submission, again, work, options.device)
    return _Outcome(sampled, again, [*problems, *_check_digests(directory)])


def _check_digests(directory: Path) -> Iterator[str]:
    """The results are those that one call of ``bench run`` wrote together."""
    try:
        require_digests(directory)
    except BenchError as error:
        yield f"digests.json: {error}"


def _open(
    directory: Path, home: Path, results: Results, options: VerifyOptions
) -> tuple[Submission, list[str]]:
    """Return the submission, and sentences on files of it that cannot be read."""
    split, judge = _open_split(home, results, options.split), _find_judge(results, options)
    metrics = select(judge.profile, [column.name for column in results.columns])
    problems: list[str] = []

    def read(default: T, function: Callable[[], T]) -> T:
        try:
            return function()
        except RunError as error:
            problems.append(str(error))
            return default

    submission = Submission(
        directory=directory,
        home=home,
        results=results,
        split=split,
        judge=judge,
        metrics=metrics,
        # Where it cannot be read an empty one: what is wrong is known then.
        journal=read(Journal(home / "none"), lambda: read_journal(home / "journal.jsonl", split)),
        rows=read((), lambda: read_table(directory / "scores.parquet", split, metrics)),
        failures=read((), lambda: read_failures(directory / "failures.jsonl")),
    )
    return submission, problems


def _open_split(home: Path, results: Results, spec: str | None) -> Split:
    """Open the split of a run as the protocol here has it, with the references of the run.

    Raises:
        RunError: it needs an argument and none is given, or is another one.
        BenchError: its clips are not here.
    """
    splits = find_splits()
    if spec is None and results.split not in splits:
        raise RunError(
            f"the run is of {results.split}, expected a split that is opened by name: name it "
            "with --split as it was for bench run"
        )
    split = open_split(spec or results.split)
    if split.name != results.split:
        raise RunError(f"the run is of the split {results.split}, --split opens {split.name}")
    drawn = read_configuration(home).get("reference_from")
    if drawn in ORIGINS and results.condition.endswith(f"reference-{drawn}"):
        return draw_references(split, drawn, results.seed)
    return split


def _find_judge(results: Results, options: VerifyOptions) -> Judge:
    for name in JUDGES:
        judge = open_judge(name, results.profile, options.weights, options.device)
        if judge.name == results.judge:
            return judge
    raise RunError(f"the run was scored by the judge {results.judge!r}, which is not installed")


def _order_by_salt(salt: str, clips: Iterable[Clip]) -> list[Clip]:
    """Return clips in an order that nobody knows before the salt is drawn."""
    return sorted(clips, key=lambda clip: hashlib.sha256(f"{salt} {clip.name}".encode()).digest())
