"""Samples that were made elsewhere: a directory of published files, or the files a split names.

A file is read whole, at its own rate: whether it is long enough, and what it lacks, is for the
runner to judge and to remember.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from baselines import Family
from baselines.opening import nothing_to_load
from bench.errors import BenchError
from bench.matching import Catalogue, audio_files
from bench.media import read_audio
from bench.system import Generate, System
from bench.types import Audio, Excerpt, Request


def precomputed(directory: str) -> System:
    """Return the system that reads samples from ``directory``; from the split itself for "".

    Raises BenchError where there is no such directory.
    """
    if not directory:
        summary = "The samples that the split itself names"
        return System("precomputed", summary, frozenset({"truth"}), nothing_to_load(named_sample))
    path = Path(directory).expanduser().absolute()
    if not path.is_dir():
        raise BenchError(f"precomputed needs a directory after the colon; {path} is none")
    name = "precomputed=" + re.sub(r"[^A-Za-z0-9._+@=,-]", "_", path.resolve().name)
    return System(name, f"Samples from {path.name}", frozenset(), partial(open_directory, path))


def named_sample(request: Request) -> Audio:
    """Return the sample that the clip names."""
    if request.clip is None or request.clip.generated is None:
        raise BenchError(
            f"clip {request.name!r} names no sample of its own: "
            "ask for precomputed:DIRECTORY to take it from a directory"
        )
    return read_audio(Excerpt(request.clip.generated))


def open_directory(directory: Path, device: str) -> Generate:
    """Return a function that finds and reads the sample of a clip; the directory is read once."""
    return partial(_matched_sample, directory, Catalogue(audio_files(directory)))


def _matched_sample(directory: Path, catalogue: Catalogue, request: Request) -> Audio:
    best = catalogue.choose(request.name).best
    if not best:
        n_files, example = len(catalogue.files), catalogue.files[0].name
        raise BenchError(
            f"no file for clip {request.name!r} in {directory}: {n_files} files, e.g. {example!r}"
        )
    if len(best) > 1:
        rivals = ", ".join(str(path.relative_to(directory)) for path in best)
        raise BenchError(
            f"{len(best)} files in {directory} could be clip {request.name!r}, keep one: {rivals}"
        )
    return read_audio(Excerpt(best[0]))


PRECOMPUTED = Family(
    "DIRECTORY",
    "Samples from a directory, found by name; without one, those that the split itself names",
    frozenset(),
    precomputed,
)
