"""``bench verify``: whether the scores of a run folder follow from its samples.

First its files are compared with one another (``bench.pipeline.consistency``), then features, rows
and columns are computed again (``bench.pipeline.recompute``), then samples, if that is asked for
(``bench.pipeline.regenerate``). Which clips are chosen a hash of the results decides. Nothing is
written into the folder.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import bench
from bench.engine import open_engine
from bench.errors import BenchError, RunError
from bench.io import read_json
from bench.judges import JUDGES, Judge, open_judge
from bench.pipeline.compare import find_run_folder
from bench.pipeline.consistency import check_files
from bench.pipeline.evaluate import Progress
from bench.pipeline.journal import Journal
from bench.pipeline.recompute import recompute
from bench.pipeline.regenerate import compare_regenerated
from bench.pipeline.submission import (
    Submission,
    find_links,
    read_failures,
    read_table,
    require_current,
    require_extractors,
    require_inputs,
)
from bench.results import Results, load_results
from bench.splits import Split, find_splits, open_split
from bench.splits.references import ORIGINS, draw_references
from bench.splits.split import PROTOCOL_VERSION
from bench.suite import SUITE_VERSION, select
from bench.types import Clip
from bench.verification import Verification, hash_result_files


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """What the user asked of ``bench verify``, under the names of the command line.

    ``sample`` and ``regenerate`` are numbers of clips. ``split`` is written as for ``bench run``;
    None opens it by the name in the results.
    """

    run: Path
    sample: int = 10
    regenerate: int = 0
    split: str | None = None
    weights: Path | None = None
    device: str = "cpu"
    workers: int = 0


def verify_run(options: VerifyOptions, progress: Progress) -> Verification:
    """Check the results in ``options.run``; what is wrong is in the problems of the outcome.

    Raises:
        BenchError: it cannot be checked here: it is no finished run, is of another version, or its
            split, judge or weights are missing.
    """
    directory = options.run.absolute()
    home = find_run_folder(directory)
    links = tuple(find_links(home))
    results = load_results(directory)
    if links:
        return _describe(directory, results, problems=links)
    submission, problems = _open(directory, home, results, options)
    if not problems:
        require_inputs(submission)
        problems += check_files(submission)
    if problems:  # what was scored is not known: nothing to compute
        return _describe(directory, results, problems=problems)
    require_current(results, SUITE_VERSION, PROTOCOL_VERSION)
    require_extractors(submission, sorted(submission.scoring.extractor_names()))
    ordered = _order_by_hash(directory, submission.scored)
    sampled, again = ordered[: options.sample], ordered[: options.regenerate]
    with tempfile.TemporaryDirectory() as folder, open_engine(options.workers) as engine:
        work = Path(folder)
        problems += recompute(submission, sampled, engine, work, progress)
        problems += compare_regenerated(submission, again, work, options.device)
    names = (tuple(clip.name for clip in some) for some in (sampled, again))
    return _describe(directory, results, *names, problems=problems)


def _describe(
    directory: Path,
    results: Results,
    sampled: tuple[str, ...] = (),
    regenerated: tuple[str, ...] = (),
    *,
    problems: Sequence[str],
) -> Verification:
    return Verification(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        version=bench.__version__,
        system=results.system,
        split=results.split,
        n_scored=results.scored,
        files=hash_result_files(directory),
        sampled=sampled,
        regenerated=regenerated,
        problems=tuple(dict.fromkeys(problems)),
    )


def _open(
    directory: Path, home: Path, results: Results, options: VerifyOptions
) -> tuple[Submission, list[str]]:
    """Return the submission, and sentences on files of it that cannot be read."""
    names = [column.name for column in results.columns]
    if not all(isinstance(name, str) for name in names):
        raise RunError(f"{directory / 'scores.json'} is malformed: a column has no name")
    problems = []
    if not (home / "journal.jsonl").is_file():
        problems.append("journal.jsonl is missing, in this folder and the two above it")
    try:
        journal = Journal(home / "journal.jsonl")
    except RunError as error:
        problems.append(f"journal.jsonl cannot be read: {error}")
        journal = Journal(home / "none")  # an empty one: what is wrong is found already
    rows, unreadable = read_table(directory)
    failures, unreadable_failures = read_failures(directory)
    problems += filter(None, (unreadable, unreadable_failures))
    submission = Submission(
        directory=directory,
        home=home,
        results=results,
        split=_open_split(home, results, options.split),
        judge=(judge := _find_judge(results, options)),
        metrics=select(judge.profile, names),
        journal=journal,
        rows=rows,
        failures=failures,
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
    try:
        drawn = read_json(home / "run.json")["configuration"].get("reference_from")
    except (BenchError, KeyError, TypeError, AttributeError):
        drawn = None  # check_files describes what is wrong with the file
    if drawn in ORIGINS and results.condition.endswith(f"reference-{drawn}"):
        return draw_references(split, drawn, results.seed)
    return split


def _find_judge(results: Results, options: VerifyOptions) -> Judge:
    for name in JUDGES:
        judge = open_judge(name, results.profile, options.weights, options.device)
        if judge.name == results.judge:
            return judge
    raise RunError(f"the run was scored by the judge {results.judge!r}, which is not installed")


def _order_by_hash(directory: Path, clips: Iterable[Clip]) -> list[Clip]:
    """Return clips in an order that nobody can choose without changing the results."""
    content = json.dumps(hash_result_files(directory), sort_keys=True)
    return sorted(
        clips, key=lambda clip: hashlib.sha256(f"{content} {clip.name}".encode()).hexdigest()
    )
