"""``bench doctor``: one page about this machine."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import typer

from bench import __version__
from bench.cli.console import console
from bench.errors import BenchError
from bench.files import bench_home
from bench.judges import has_world
from bench.runs.provenance import PACKAGES

GIBIBYTE = 2**30
MIN_FREE_BYTES = 2 * GIBIBYTE
MIN_MEMORY_BYTES = 2 * GIBIBYTE


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
        mark = (
            "[green]ok[/]" if check.is_good else "[red]no[/]" if check.is_fatal else "[yellow]--[/]"
        )
        out.print(mark, end="  ")
        out.print(f"{check.name:<12} {check.found}", markup=False)
        if check.advice and not check.is_good:
            out.print(f"      {check.advice}", markup=False)
    is_broken = any(check.is_fatal and not check.is_good for check in checks)
    out.print("The main job cannot run." if is_broken else "The main job can run.")
    raise typer.Exit(1 if is_broken else 0)


def examine() -> Iterator[Check]:
    """Look at the machine, from the outside in."""
    yield Check("foley-bench", __version__)
    yield _python()
    yield from _packages()
    yield Check("cores", str(os.cpu_count()))
    yield _memory()
    yield _disk("home", bench_home())
    yield _disk("runs", Path.cwd())
    yield _codecs()
    yield _envelope()
    yield _clips()


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
    if missing:
        yield Check("missing", ", ".join(missing), False, True, "run `make setup`")


def _memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available
    text = f"{free / GIBIBYTE:.1f} GiB available"
    return Check("memory", text, free > MIN_MEMORY_BYTES, False, "use fewer --workers")


def _disk(name: str, path: Path) -> Check:
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    is_writable = os.access(there, os.W_OK)
    text = f"{path}: {free / GIBIBYTE:.1f} GiB free" + ("" if is_writable else ", not writable")
    advice = "set BENCH_HOME to a directory with room" if name == "home" else "use --runs elsewhere"
    return Check(name, text, free > MIN_FREE_BYTES and is_writable, not is_writable, advice)


def _codecs() -> Check:
    import av

    needed = {"h264", "aac", "flac", "mp3", "opus"}
    missing = needed - set(av.codecs_available)
    text = f"av {av.__version__}: " + ", ".join(sorted(needed - missing))
    advice = f"reinstall av: {', '.join(sorted(missing))} cannot be decoded"
    return Check("codecs", text, not missing, True, advice)


def _envelope() -> Check:
    is_world = has_world()
    found = "WORLD (pyworld)" if is_world else "approximate (pyworld is missing)"
    return Check("mcd", found, is_world, True, "pip install pyworld")


def _clips() -> Check:
    from bench.splits import open_split, require_files

    try:
        split = open_split("mini")
        require_files(split, split.clips)
    except BenchError as error:
        return Check("mini clips", "not all there", False, False, str(error))
    return Check("mini clips", f"{len(split.clips)} ready")
