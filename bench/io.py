"""Paths, atomic writes and JSON.

Every file is written to a temporary name beside its destination and renamed, so that a killed
process leaves either the old file or the new one. The umask decides who may read it.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.errors import BenchError, describe_cause

SAFE_NAME = re.compile(r"[A-Za-z0-9._+@=,-]{1,200}")


def bench_home() -> Path:
    """Return the folder of weights, data and shared features.

    It is ``$BENCH_HOME``, or ``~/.cache/foley-bench``.

    Raises:
        BenchError: neither BENCH_HOME nor a home directory is known.
    """
    return expand_user(Path(os.environ.get("BENCH_HOME") or "~/.cache/foley-bench")).absolute()


def expand_user(path: Path) -> Path:
    """Return ``path`` with a leading ``~`` or ``~name`` replaced by that user's home directory.

    Raises:
        BenchError: the user has no home directory, as a user id without an account in a container.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise BenchError(
            f"cannot expand {path}: no home directory is known here; set BENCH_HOME to a writable "
            "folder, and write paths without ~"
        ) from error


def require_safe_name(name: str) -> str:
    """Return ``name`` if it is safe as one path component.

    Raises:
        BenchError: it is too long, has other characters than letters, digits and ._+@=,- or is a
            path.
    """
    if not SAFE_NAME.fullmatch(name) or set(name) == {"."}:
        raise BenchError(
            f"the name {name!r} cannot be a file name: use up to 200 letters, digits and ._+@=,-"
        )
    return name


def require_folder(path: Path) -> Path:
    """Create the folder ``path`` where it is missing, and check that it is writable.

    Raises:
        BenchError: it is a file, cannot be created, or is not writable.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        file = next((each for each in (path, *path.parents) if each.is_file()), None)
        reason = f"{file} is a file" if file else error.strerror
        raise BenchError(
            f"cannot create the folder {path} ({reason}): choose another one by BENCH_HOME "
            "or the option for it"
        ) from error
    if not os.access(path, os.W_OK):
        raise BenchError(
            f"cannot write to the folder {path}: choose another one by BENCH_HOME or the option "
            "for it"
        )
    return path


def require_target(path: Path) -> Path:
    """Check that a file can be written at ``path``, before the work that produces it.

    Raises:
        BenchError: it is a folder, or its folder is not writable.
    """
    if path.is_dir():
        raise BenchError(f"{path} is a folder; name a file")
    require_folder(path.absolute().parent)
    return path


@contextmanager
def atomic_path(destination: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``destination``; move it there if the block succeeds.

    The temporary file keeps the suffix, so that encoders can tell the format from it.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    # Hidden, so that no listing takes an unfinished file for media, and unique, so that two
    # processes with one destination do not write into each other's file.
    name = f".{destination.stem[:40]}-{secrets.token_hex(8)}{destination.suffix}"
    temporary = destination.with_name(name)
    # Not tempfile: its files are private whatever the umask, and reading the umask means setting
    # it for all threads.
    temporary.touch(exist_ok=False)
    mode = stat.S_IMODE(temporary.stat().st_mode)
    try:
        yield temporary
        temporary.chmod(mode)  # safetensors replaces it by a private file
        temporary.replace(destination)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(destination: Path, value: Any) -> None:
    """Write ``value`` as indented JSON in UTF-8, atomically; NaN is refused (store null).

    A file name that is not UTF-8 (a lone surrogate in Python) becomes the escape that JSON has.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic_path(destination) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_script(destination: Path, name: str, value: Any, comment: str = "") -> None:
    """Write ``value`` as a script that calls ``report.add(name, value)``, atomically.

    A page that is opened from a folder may not read files, but may add scripts. The text is ASCII
    without ``<``, so that no string of the data can end a script or begin another element; NaN is
    refused (store null).
    """
    texts = (json.dumps(each, allow_nan=False, separators=(",", ":")) for each in (name, value))
    name, text = (each.replace("<", "\\u003c") for each in texts)
    with atomic_path(destination) as temporary:
        temporary.write_text(f"// {comment}\nreport.add({name},{text});\n", encoding="ascii")


def read_json(path: Path) -> Any:
    """Return the value in a JSON file.

    Raises:
        BenchError: the file cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"cannot read {path} as JSON: {describe_cause(error)}") from error
