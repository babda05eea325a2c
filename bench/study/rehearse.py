"""A study of two runs that simulated raters answered: made as a whole, and again for other runs."""

from __future__ import annotations

import secrets
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bench.errors import BenchError
from bench.io import read_json
from bench.study.clips import open_runs
from bench.study.create import OnProgress, StudyOptions, create_study
from bench.study.media import PRIVATE
from bench.study.scores import SCORES, collect_scores
from bench.study.simulate import PAPER_TRUTH, Raters, simulate_study
from bench.study.store import SIMULATED, open_store


def rehearse_study(options: StudyOptions, raters: Raters, progress: OnProgress) -> list[str]:
    """Create a study and let raters with the paper's preferences answer it; return its notes.

    It appears as a whole. One that is there already is kept where ``is_rehearsed`` holds, else
    replaced, but never if people answered it.

    Raises:
        BenchError: as of ``create_study``; ``options.out`` is a study of people, or another folder.
        OSError: as of a full disk; then nothing is left behind.
    """
    out = options.out.absolute()
    if out.exists() and not _is_simulated(out):
        raise BenchError(
            f"{options.out} is no study of simulated raters: it is not replaced, name another "
            "folder or move it"
        )
    temporary = out.parent / f".{out.name[:40]}-{secrets.token_hex(8)}"
    try:
        _, notes = create_study(replace(options, out=temporary), progress)
        simulate_study(
            temporary, raters, PAPER_TRUTH, lambda done, total: progress("raters", done, total)
        )
        if out.exists():
            shutil.rmtree(out)
        temporary.replace(out)
    finally:
        with suppress(FileNotFoundError):
            shutil.rmtree(temporary)
    return notes


def is_rehearsed(options: StudyOptions, n_raters: int) -> bool:
    """Whether so many simulated raters answered a study of these very runs at ``options.out``.

    Raises:
        BenchError: a run that is not finished.
    """
    try:
        store = open_store(options.out, is_new=False)
    except BenchError:
        return False
    try:
        sessions, design = store.read_sessions(), store.design
    finally:
        store.close()
    are_done = all(s.source == SIMULATED and s.n_answered == s.n_trials for s in sessions)
    if len(sessions) != n_raters or not are_done:
        return False
    runs = open_runs(options.runs)
    labels = tuple(run.label for run in runs)
    if design.systems != labels or len(design.clips) != options.videos:
        return False
    try:
        stored = read_json(options.out / PRIVATE / SCORES)
        return bool(stored == collect_scores(design, runs, options.runs))
    except (BenchError, KeyError):  # a file or a clip that is missing
        return False


def _is_simulated(study: Path) -> bool:
    try:
        store = open_store(study, is_new=False)
    except BenchError:
        return False
    try:
        sources = {each.source for each in store.read_sessions()}
    finally:
        store.close()
    return sources == {SIMULATED}
