"""MultiFoley, of which only samples are published: its row of Table 1, read where they are put.

Its authors have no code or weights; the dataset czyang/MultiFoley-VGGSound-Test-Audio has samples
for the test clips of VGGSound. Any of the forms that ``precomputed:`` reads will do.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from baselines.precomputed import CODE, Samples
from bench.errors import MissingError
from bench.io import bench_home
from bench.system import Generate, System

SOURCE = "https://huggingface.co/datasets/czyang/MultiFoley-VGGSound-Test-Audio"


def samples_folder() -> Path:
    """Return the folder that its archives belong into."""
    return bench_home() / "samples" / "multifoley"


def describe_missing() -> str:
    """Return what is missing, and where it belongs; "" where nothing is."""
    folder = samples_folder()
    return "" if folder.is_dir() else f"its published samples, {SOURCE}, in {folder}"


def open_samples(device: str) -> Generate:
    """Return the function that reads the sample of a clip.

    Raises:
        MissingError: the samples are not here.
    """
    if missing := describe_missing():
        raise MissingError(f"multifoley cannot be scored, it needs {missing}")
    return Samples(samples_folder()).open(device)


def with_clips(names: tuple[str, ...]) -> System:
    """Return the system for a split whose clips are ``names``."""
    if describe_missing():
        return MULTIFOLEY
    found = Samples(samples_folder(), names).system()
    return replace(MULTIFOLEY, open=found.open, inputs=found.inputs, notes=found.notes)


MULTIFOLEY = System(
    "multifoley",
    "MultiFoley, by the samples that its authors publish",
    frozenset({"video", "prompt"}),
    open_samples,
    licence="MIT (samples)",
    with_clips=with_clips,
    lacks=describe_missing,
    code=("baselines.multifoley", *CODE),
    uses_device=False,
    trained_on=("VGGSound train",),
    caveat="read from published samples, whose prompts and candidates per clip are not stated",
)
