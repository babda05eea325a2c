"""``bench doctor``: one page about this machine."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import typer
from rich.text import Text

from bench import __version__
from bench.checkpoints.registry import select_weights, weights_directory
from bench.checkpoints.verify import describe_missing, is_verified, missing_weights
from bench.cli.console import console
from bench.cli.weights import presence
from bench.errors import BenchError
from bench.io import bench_home
from bench.judges import has_pyworld
from bench.pipeline.prepare import count_workers
from bench.pipeline.provenance import PACKAGES

GIBIBYTE = 2**30
MIN_FREE_BYTES = 2 * GIBIBYTE
MIN_MEMORY_BYTES = 2 * GIBIBYTE

#: Without pyworld MCD is approximate and says so, without transformers there is no column clap.
OPTIONAL_PACKAGES = frozenset({"pyworld", "transformers"})


@dataclass(frozen=True)
class Check:
    """One line of the page. ``is_fatal``: the main job cannot run until ``advice`` is followed."""

    name: str
    found: str
    is_good: bool = True
    is_fatal: bool = False
    advice: str = ""


def doctor_command() -> None:
    """Print the page; exit 1 when the main job cannot run."""
    checks = list(examine())
    out = console()
    for check in checks:
        line = Text.assemble(_mark(check), f"  {check.name:<12} {check.found}")
        out.print(line, soft_wrap=True)  # so that commands and paths can be copied whole
        if check.advice and not check.is_good:
            out.print(f"      {check.advice}", soft_wrap=True)
    broken = [check.name for check in checks if check.is_fatal and not check.is_good]
    reason = f"cannot run: {', '.join(dict.fromkeys(broken))}" if broken else "can run"
    out.print(f"The main job {reason}.", style="bold")
    raise typer.Exit(1 if broken else 0)


def _mark(check: Check) -> Text:
    if check.is_good:
        return Text("ok", style="green")
    return Text("no", style="red") if check.is_fatal else Text("--", style="yellow")


def examine() -> Iterator[Check]:
    """Look at the machine, from the outside in."""
    yield Check("foley-bench", __version__)
    yield _python()
    yield from _packages()
    yield Check("cores", str(count_workers(None)))
    yield _memory()
    yield _devices()
    yield _home()
    yield _disk("runs", Path.cwd())
    yield _codecs()
    yield _envelope()
    yield _clips()
    yield _weights()


def _python() -> Check:
    version = platform.python_version()
    is_good = tuple(map(int, platform.python_version_tuple()[:2])) >= (3, 11)
    return Check("python", version, is_good, True, "install Python 3.11 or newer")


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
    """Where networks can run; only torch knows, and importing it takes a second or two."""
    try:
        import torch
    except (ImportError, OSError) as error:
        advice = f"torch cannot be imported ({error}): columns that need networks are left out"
        return Check("devices", "unknown", False, False, advice)
    gpus = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    return Check("devices", ", ".join(["cpu", *gpus]))


def _home() -> Check:
    try:
        return _disk("home", bench_home())
    except (BenchError, OSError) as error:
        return Check("home", "cannot be used", False, True, str(error))


def _disk(name: str, path: Path) -> Check:
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    is_writable = _can_write(there)
    text = f"{path}: {free / GIBIBYTE:.1f} GiB free" + ("" if is_writable else ", not writable")
    advice = "set BENCH_HOME to a directory with room" if name == "home" else "use --runs elsewhere"
    return Check(name, text, free > MIN_FREE_BYTES and is_writable, not is_writable, advice)


def _can_write(directory: Path) -> bool:
    """Tried, not asked: the permissions of a directory do not tell of what the disk allows."""
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


def _envelope() -> Check:
    is_world = has_pyworld()
    found = "WORLD (pyworld)" if is_world else "approximate, and marked so (pyworld is missing)"
    return Check("mcd", found, is_world, False, "install pyworld")


def _clips() -> Check:
    from bench.splits import open_split, require_files

    try:
        split = open_split("mini")
        require_files(split, split.clips)
    except (BenchError, OSError) as error:
        return Check("mini clips", "not all there", False, False, str(error))
    return Check("mini clips", f"{len(split.clips)} ready")


def _weights() -> Check:
    rows = select_weights()
    try:
        directory = weights_directory()
        found = "; ".join(f"{row.name} {presence(row, directory)}" for row in rows)
        unread = [row for row in rows if not is_verified(row, directory / row.file)]
    except (BenchError, OSError) as error:
        return Check("weights", "cannot be examined", False, False, str(error))
    if missing := missing_weights(None, directory):
        return Check("weights", found, False, False, describe_missing(missing, directory))
    return Check("weights", found, not unread, False, "check them: bench weights verify")
