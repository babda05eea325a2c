"""Where samples and numbers come from: code, weights, device, versions and commit.

An edited adapter, another checkpoint or another device makes other samples under the same name. So
every sample in a run's journal names its origin, and a run compares it with what is installed now.
Every result states its provenance: the versions of the packages that can move a number.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import bench
from bench.digests import file_digest, file_identity
from bench.errors import BenchError
from bench.judges import Judge
from bench.pipeline.journal import fingerprint
from bench.splits.split import PROTOCOL_VERSION
from bench.suite import SUITE_VERSION
from bench.system import System, opening_packages

#: Files that decide what a system does, beside its weights: code, and the usual configurations.
SOURCE_SUFFIXES = frozenset(
    {".py", ".pyx", ".pxd", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".so", ".pyd"}
    | {".yaml", ".yml", ".toml"}
)
#: Folders that hold other people's code or none, whatever folder they are in.
SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages"})
MAX_SOURCE_FILES = 20_000

#: How samples relate to what is installed: the same made them, other code or weights did, or the
#: same code and weights on another kind of device or in another precision.
Kinship = Literal["same", "changed", "elsewhere"]


@dataclass(frozen=True)
class SampleOrigin:
    """What made a sample. ``code`` and the values of ``weights`` are SHA-256 in hexadecimal.

    ``device`` is a kind, such as ``cpu`` or ``cuda``, and ``any`` for systems that use none. The
    weights are None by file name where a file is missing.
    """

    version: str
    code: str
    weights: Mapping[str, str | None] = field(default_factory=dict)
    device: str = "any"
    dtype: str = ""

    @cached_property
    def key(self) -> str:
        """A short name of this origin, equal for equal origins."""
        return fingerprint(asdict(self))

    def compare(self, now: SampleOrigin) -> Kinship:
        """Return how samples of this origin relate to those that ``now`` would make."""
        if self.describe_changes(now):
            return "changed"
        return "same" if (self.device, self.dtype) == (now.device, now.dtype) else "elsewhere"

    def describe_changes(self, now: SampleOrigin) -> list[str]:
        """Return what differs in version, code and weights, in words.

        A file of weights that is missing now does not count as changed.
        """
        changes = []
        if self.version != now.version:
            changes.append(f"version {self.version} is now {now.version}")
        if self.code != now.code:
            changes.append("its code has changed")
        changes += [
            f"the weights {name} have changed"
            for name in sorted({*self.weights, *now.weights})
            if self.weights.get(name) != now.weights.get(name)
            and not (name in now.weights and now.weights[name] is None)
        ]
        return changes


#: The origin of samples whose journal names none.
UNKNOWN = SampleOrigin("unknown", "unknown")


def origin_of(system: System, device: str) -> SampleOrigin:
    """Return the origin of samples that ``system`` would make on ``device`` now.

    Raises:
        BenchError: the code of the system cannot be found, or is one of too many files.
    """
    kind = device.partition(":")[0] if system.uses_device else "any"
    return SampleOrigin(
        version=system.version() if callable(system.version) else system.version,
        code=hash_code(system.code or opening_packages(system)),
        weights=_hash_weights(system),
        device=kind,
        dtype=system.dtypes.get(kind, "float32") if system.uses_device else "",
    )


def _hash_weights(system: System) -> dict[str, str | None]:
    paths = system.weights() if callable(system.weights) else system.weights
    names = [path.name for path in paths]
    return {
        path.name if names.count(path.name) == 1 else str(path): file_identity(path)
        for path in paths
    }


def hash_code(names: tuple[str, ...]) -> str:
    """Return one digest of all source files, by their paths below the package or folder.

    Raises:
        BenchError: a package or module cannot be found, or has too many files.
    """
    total = hashlib.sha256()
    for name in dict.fromkeys(names):
        for relative, path in _source_files(name):
            # Zero bytes between the parts, so that no two lists of files are the same bytes.
            total.update(f"{name}\0{relative}\0{file_digest(path)}\n".encode())
    return total.hexdigest()


def _source_files(name: str) -> list[tuple[str, Path]]:
    """The source files of ``name`` with their relative paths, sorted.

    They are all below a package, the file of a module inside a package, and all below the folder of
    a module that is in no package (its helpers are beside it), unless that is a folder of installed
    packages.
    """
    roots, file = _locate(name)
    if file is not None and ("." in name or _is_installed(file.parent)):
        return [(file.name, file)]
    roots = roots or ([file.parent] if file else [])
    found = []
    for root in roots:
        found += [(path.relative_to(root).as_posix(), path) for path in _walk(root)]
        if len(found) > MAX_SOURCE_FILES:
            raise BenchError(
                f"the folder {root} of the system in {name!r} holds more than "
                f"{MAX_SOURCE_FILES:,} source files: move its module into a package of its own, or "
                "declare what its code is (System.code)"
            )
    return sorted(found)


def _locate(name: str) -> tuple[list[Path], Path | None]:
    """The folders of a package, or the file of a module."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # ValueError: a module that was run as a script
        spec = None
    if spec is not None and spec.submodule_search_locations:
        # A package without __init__.py lists its folder once for each entry of sys.path.
        folders = dict.fromkeys(Path(each).resolve() for each in spec.submodule_search_locations)
        return list(folders), None
    origin = spec.origin if spec else getattr(sys.modules.get(name), "__file__", None)
    if origin is None or not Path(origin).is_file():
        raise BenchError(f"cannot find the source of {name!r}, whose samples must name their code")
    return [], Path(origin)


def _is_installed(folder: Path) -> bool:
    paths = sysconfig.get_paths()
    return folder.resolve() in {Path(paths[key]).resolve() for key in ("purelib", "stdlib")}


def _walk(root: Path) -> Iterator[Path]:
    """The source files below a folder, links followed; each folder once, none that holds it."""
    visited: set[Path] = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        here = Path(folder)
        visited.add(here.resolve())
        # ``os.walk`` descends into what is left in this very list.
        folders[:] = sorted(name for name in folders if _is_own(here / name, root, visited))
        for path in (here / name for name in files):
            # A link to nothing is what an editor leaves while a file is open.
            if path.suffix in SOURCE_SUFFIXES and path.is_file():
                yield path


def _is_own(folder: Path, root: Path, visited: set[Path]) -> bool:
    if folder.name.startswith(".") or folder.name in SKIPPED_FOLDERS:
        return False
    path = folder.resolve()
    return (
        path not in visited
        and not root.resolve().is_relative_to(path)
        and not (folder / "pyvenv.cfg").exists()
    )


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


def provenance(judge: Judge, device: str, engine: str = "local") -> dict[str, Any]:
    """Facts to store beside every result; ``device`` is the system's, the judge knows its own.

    ``engine`` is where the workers ran, which changes no number.
    """
    return {
        "suite_version": SUITE_VERSION,
        "protocol_version": PROTOCOL_VERSION,
        "judge": judge.name,
        "profile": judge.profile,
        "extractors": {each.name: each.version for each in judge.extractors},
        "foley_bench": bench.__version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": device,
        "judge_device": judge.device,
        "engine": engine,
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
