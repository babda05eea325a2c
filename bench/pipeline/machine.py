"""What this machine has and what is missing, for ``bench doctor``."""

from __future__ import annotations

import ctypes
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from bench import __version__
from bench.checkpoints.registry import (
    OFFICIAL_FILES,
    OfficialFile,
    select_weights,
    weights_directory,
)
from bench.checkpoints.verify import (
    describe_missing,
    describe_presence,
    is_verified,
    missing_weights,
)
from bench.engine import core_count
from bench.errors import BenchError
from bench.extras import EXTRAS
from bench.io import bench_home
from bench.judges import has_pyworld
from bench.pipeline.provenance import PACKAGES

GIBIBYTE = 2**30
MIN_FREE_BYTES = 2 * GIBIBYTE
MIN_MEMORY_BYTES = 2 * GIBIBYTE

#: Packages that come with an extra; without them the columns that need them are left out.
OPTIONAL_PACKAGES = frozenset(EXTRAS)


@dataclass(frozen=True)
class Check:
    """One finding. ``is_fatal``: the main job cannot run until ``advice`` is followed."""

    name: str
    found: str
    is_good: bool = True
    is_fatal: bool = False
    advice: str = ""


def examine_machine() -> Iterator[Check]:
    """Check the machine, then this package, then data and weights."""
    yield Check("foley-bench", __version__)
    is_new_enough = sys.version_info >= (3, 11)
    version = platform.python_version()
    yield Check("python", version, is_new_enough, True, "install Python 3.11 or newer")
    yield from _packages()
    yield Check("cores", str(core_count()))
    yield _memory()
    yield _devices()
    yield _home()
    yield _disk("runs", Path.cwd())
    yield _codecs()
    is_world = has_pyworld()
    found = "WORLD (pyworld)" if is_world else "approximate, and marked so (pyworld is missing)"
    yield Check("mcd", found, is_world, False, "install pyworld")
    yield _clips()
    yield _files("weights", select_weights)  # those of the judges' networks
    yield _files("acfoley", _acfoley_files, "acfoley cannot generate", "acfoley fetch")


def _packages() -> Iterator[Check]:
    found, missing = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    yield Check("packages", ", ".join(found))
    if lost := [name for name in missing if name not in OPTIONAL_PACKAGES]:
        yield Check("missing", ", ".join(lost), False, True, "run `make setup`")


def _memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available
    text = f"{free / GIBIBYTE:.1f} GiB available"
    return Check("memory", text, free > MIN_MEMORY_BYTES, False, "use fewer --workers")


def _devices() -> Check:
    """The devices on which networks can run."""
    try:
        # Importing torch takes seconds and 700 MiB. Without a driver it could find no GPU, and then
        # the only question is whether it works at all.
        gpus = _find_gpus() if has_gpu_driver() else _require_torch()
    # OSError: torch is installed, and one of its shared libraries cannot be loaded.
    except (ImportError, OSError) as error:
        advice = f"torch cannot be imported ({error}): columns that need networks are left out"
        return Check("devices", "unknown", False, False, advice)
    return Check("devices", ", ".join(["cpu", *gpus]))


def has_gpu_driver() -> bool:
    """Whether the driver of a GPU that torch could use is installed, be there a GPU or not."""
    if Path("/dev/kfd").exists():  # of AMD, in the kernel
        return True
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _find_gpus() -> list[str]:
    import torch

    return [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]


def _require_torch() -> list[str]:
    """Load the shared libraries of torch, without its Python modules; returns no GPU.

    Raises:
        ImportError: torch is not installed.
        OSError: a library is damaged, or one that it needs is missing.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        raise ImportError("No module named 'torch'")
    library = Path(spec.origin).parent / "lib" / "libtorch_python.so"
    if not library.is_file():  # a build, or a system, that names it otherwise
        return _find_gpus()
    ctypes.CDLL(str(library))
    return []


def _home() -> Check:
    try:
        return _disk("home", bench_home())
    except (BenchError, OSError) as error:
        return Check("home", "cannot be used", False, True, str(error))


def _disk(name: str, path: Path) -> Check:
    # The folder may not exist yet; its disk does.
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    is_writable = _can_write(there)
    text = f"{path}: {free / GIBIBYTE:.1f} GiB free" + ("" if is_writable else ", not writable")
    advice = "set BENCH_HOME to a directory with room" if name == "home" else "use --runs elsewhere"
    return Check(name, text, free > MIN_FREE_BYTES and is_writable, not is_writable, advice)


def _can_write(directory: Path) -> bool:
    """Try to write: the permissions of a directory do not show what the disk allows."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return True
    except OSError:
        return False


def _codecs() -> Check:
    import av

    needed = {"h264", "aac", "flac", "mp3", "opus"}
    missing = needed - set(av.codecs_available)
    text = f"av {av.__version__}: " + ", ".join(sorted(needed - missing))
    advice = f"reinstall av: {', '.join(sorted(missing))} cannot be decoded"
    return Check("codecs", text, not missing, True, advice)


def _clips() -> Check:
    from bench.splits import open_split, require_files

    try:
        split = open_split("mini")
        require_files(split, split.clips)
    except (BenchError, OSError) as error:
        return Check("mini clips", "not all there", False, False, str(error))
    return Check("mini clips", f"{len(split.clips)} ready")


def _acfoley_files() -> list[OfficialFile]:
    """The files that all presets share, with the flow networks that are here or else AC-Foley's."""
    directory = weights_directory()
    rows = [row for row in OFFICIAL_FILES.values() if not row.needed_by]
    flows = [row for row in rows if row.name.endswith("-flow")]
    used = [row for row in flows if (directory / row.file).is_file()] or flows[:1]
    return [row for row in rows if row not in flows or row in used]


def _files(
    name: str,
    choose: Callable[[], Sequence[OfficialFile]],
    consequence: str = "",
    command: str = "",
) -> Check:
    try:
        rows, directory = choose(), weights_directory()
        found = "; ".join(f"{row.name} {describe_presence(row, directory)}" for row in rows)
        missing = missing_weights([row.name for row in rows], directory)
        unread = [row for row in rows if not is_verified(row, directory / row.file)]
    except (BenchError, OSError) as error:
        return Check(name, "cannot be examined", False, False, str(error))
    if missing:
        advice = describe_missing(missing, directory, consequence=consequence, command=command)
        return Check(name, found, False, False, advice)
    return Check(name, found, not unread, False, "check them: bench weights verify")
