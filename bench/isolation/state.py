"""What is known on this machine of an isolated system, in ``$BENCH_HOME/systems/<name>``.

    system.json       checkout, Python, the licence that was accepted, what was measured
    environment/      made from the lock, unless the user brought an interpreter
    home/             HOME of the system
    work/             inputs and outputs of chunks in work, deleted after each
    logs/             what it printed, by chunk

The checkout with its weights is the user's, and stays where it is.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, format_names
from bench.io import bench_home, read_json, write_json
from bench.system import SecondsPerClip

if TYPE_CHECKING:
    from bench.isolation.adapter import Adapter

GIT_LIMIT_S = 60
SOURCE_SUFFIXES = (".py", ".yaml", ".yml", ".json", ".ini", ".toml", ".sh")


@dataclass(frozen=True)
class SystemState:
    """The contents of ``system.json``.

    ``python`` is "" while the environment is made. ``packages`` are those that the last set-up or
    check found. ``measured`` is by kind of device ("cpu", "cuda").
    """

    checkout: str
    python: str
    licence: str
    lock: str = ""
    packages: list[str] = field(default_factory=list)
    measured: dict[str, dict[str, float]] = field(default_factory=dict)


def system_folder(name: str) -> Path:
    """Return the folder of an isolated system."""
    return bench_home() / "systems" / name


def read_state(name: str) -> SystemState | None:
    """Return what is known of a system; None where it is not set up.

    Raises:
        BenchError: its file was damaged.
    """
    path = system_folder(name) / "system.json"
    if not path.is_file():
        return None
    try:
        return SystemState(**read_json(path))
    except TypeError as error:
        raise BenchError(
            f"{path} is not of this version ({error}): bench systems remove {name}, then set it up "
            "again"
        ) from error


def write_state(name: str, state: SystemState) -> None:
    """Store what is known of a system."""
    write_json(system_folder(name) / "system.json", asdict(state))


def setup_command(adapter: Adapter) -> str:
    """Return the command that sets a system up."""
    return f"bench systems setup {adapter.name} --checkout DIR"


def describe_missing_environment(adapter: Adapter) -> str:
    """Return why a system has no environment or checkout, with the command; "" if it has both."""
    folder = system_folder(adapter.name)
    if adapter.splits_paths and re.search(r"[^\w./@%+=:,-]", str(folder)):
        return f"another BENCH_HOME: its scripts do not quote {folder}"
    state = read_state(adapter.name)
    if state is None:
        return f"its own environment: {setup_command(adapter)}"
    if not Path(state.python).is_file():
        why = f"{state.python} is gone" if state.python else "its set-up was stopped"
        return f"its environment, {why}: {setup_command(adapter)}"
    checkout = Path(state.checkout)
    if missing := [name for name in adapter.entry if not (checkout / name).is_file()]:
        return f"its checkout, {checkout} has no {format_names(missing)}: {setup_command(adapter)}"
    return ""


def describe_missing(adapter: Adapter) -> str:
    """Return what is missing before the system can generate, with the command; "" if nothing."""
    state = read_state(adapter.name)
    if (missing := describe_missing_environment(adapter)) or state is None:
        return missing
    checkout = Path(state.checkout)
    lost = [weight for weight in adapter.weights if not weight.find(checkout)]
    if lost:
        named = format_names(f"{each.path} ({each.source})" for each in lost)
        return f"weights in {checkout}: {named}; then bench systems check {adapter.name}"
    return ""


def describe_version(adapter: Adapter) -> str:
    """Return what decides the samples beside weights and our code: commit, changes, environment.

    A checkout that was changed since makes samples stale, and so does an environment in which the
    last check has found other packages.
    """
    state = read_state(adapter.name)
    if state is None:
        return adapter.version
    found = describe_checkout(Path(state.checkout))
    packages = hashlib.sha256(json.dumps([state.packages, dict(adapter.options)]).encode())
    parts = {
        "commit": found["commit"][:12] or "unknown",
        "changes": found["changes"][:12] or "none",
        "lock": state.lock[:12] or "none",
        "packages": packages.hexdigest()[:12],
    }
    return ", ".join([adapter.version, *(f"{name} {value}" for name, value in parts.items())])


def weight_files(adapter: Adapter) -> tuple[Path, ...]:
    """Return the checkpoints of a system that is set up."""
    state = read_state(adapter.name)
    checkout = Path(state.checkout) if state else Path()
    found = adapter.weights if state else ()
    return tuple(file for weight in found for file in weight.find(checkout))


def describe_checkout(checkout: Path) -> dict[str, str]:
    """Return the ``commit`` of a checkout and a digest of its ``changes``; "" for none.

    A folder that is no git repository has a digest of its source files instead of a commit.
    """
    commit = _git(checkout, "rev-parse", "HEAD")
    root = _git(checkout, "rev-parse", "--show-toplevel")
    # A folder that was copied into some other repository is not a checkout of its own.
    if commit is None or root is None or Path(root.strip()).resolve() != checkout.resolve():
        return {"commit": "", "changes": _hash_sources(checkout)}
    # Neither does a program run that its configuration names for showing differences.
    changes = (_git(checkout, "diff", "--no-ext-diff", "--no-textconv", "HEAD") or "").encode()
    added = (_git(checkout, "ls-files", "--others", "--exclude-standard", "-z") or "").split("\0")
    scripts = (each for each in added if each.endswith(".py"))
    for name in sorted(each for each in scripts if (checkout / each).is_file()):
        changes += name.encode() + hashlib.sha256((checkout / name).read_bytes()).digest()
    return {
        "commit": commit.strip(),
        "changes": hashlib.sha256(changes).hexdigest() if changes else "",
    }


def compare_commit(adapter: Adapter, checkout: Path) -> str:
    """Return how a checkout differs from the commit of the adapter; "" where it does not."""
    found = describe_checkout(checkout)
    if not found["commit"]:
        return f"{checkout} is no git checkout, so its version is unknown"
    if not found["commit"].startswith(adapter.commit):
        return (
            f"{checkout} is at commit {found['commit'][:12]}, this adapter was written for "
            f"{adapter.commit}"
        )
    return f"{checkout} has uncommitted changes" if found["changes"] else ""


def _git(checkout: Path, *arguments: str) -> str | None:
    # A checkout is foreign: its hooks and file-system monitors shall not run.
    command = ["git", "-C", str(checkout), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments and a folder
            command, capture_output=True, timeout=GIT_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


def _hash_sources(checkout: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(checkout.rglob("*")):
        if path.suffix in SOURCE_SUFFIXES and path.is_file():
            total.update(f"{path.relative_to(checkout)}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def measured_seconds(adapter: Adapter) -> SecondsPerClip:
    """Return the time per clip that ``bench systems check`` has measured, else the guess."""
    measured = _measured(adapter, "seconds_per_clip")
    guess = adapter.seconds_per_clip
    return SecondsPerClip(measured.get("cpu", guess.cpu), measured.get("cuda", guess.gpu))


def measured_memory_gib(adapter: Adapter) -> float | None:
    """Return the memory of a GPU that was measured, else what the adapter declares."""
    return _measured(adapter, "device_memory_gib").get("cuda", adapter.device_memory_gib)


def _measured(adapter: Adapter, what: str) -> dict[str, float]:
    state = read_state(adapter.name)
    found: dict[str, Any] = state.measured if state else {}
    return {device: float(each[what]) for device, each in found.items() if each.get(what)}
