"""What a number was made with: versions, commit, device, profile."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import bench
from bench.judges import Judge
from bench.suite import SUITE_VERSION

#: Packages whose version can move a number.
PACKAGES = (
    "numpy",
    "scipy",
    "librosa",
    "numba",
    "soxr",
    "av",
    "pysptk",
    "pyworld",
    "soundfile",
    "torch",
    "transformers",
)


def provenance(judge: Judge, device: str) -> dict[str, Any]:
    """Facts to store beside every result; ``device`` is the system's, the judge knows its own."""
    return {
        "suite_version": SUITE_VERSION,
        "judge": judge.name,
        "profile": judge.profile,
        "extractors": {each.name: each.version for each in judge.extractors},
        "foley_bench": bench.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device,
        "judge_device": judge.device,
        "packages": {name: _version(name) for name in PACKAGES},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def commit() -> str | None:
    """The commit of the checkout that the code runs from; None where it is not a checkout."""
    root = Path(bench.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
