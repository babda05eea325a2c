"""Load librosa and numba so that several processes can start at once.

numba stores machine code on disk and finds it by an index that it reads, extends and writes back.
Two processes that compile several signatures of one function at the same time, as importing
librosa does, leave an index that assigns one signature's file to another's code; every process that
loads it from then on crashes or computes wrong numbers. So the first process compiles everything
that the metrics use while the others wait for its lock, and later ones only read. No other module
imports librosa, or a package that imports it, before ``load_librosa``.

This is the one module of the package with side effects: it sets ``$NUMBA_CACHE_DIR`` for this
process and those that it starts, and numba's configuration to the same folder; without a home
directory it also sets ``$XDG_CACHE_HOME``. The folder is ``$NUMBA_CACHE_DIR`` if that was set, else
``var/cache/foley-bench`` of the installation (``sys.prefix``), so that compiling, some 20 s, is
paid once for every ``$BENCH_HOME``; where the installation is read-only, ``compiled`` in
``$BENCH_HOME``. It is not beside librosa's sources, numba's default, where other programs write
without a lock.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

CACHE_VARIABLE = "NUMBA_CACHE_DIR"


@functools.cache
def load_numba() -> Any:
    """Return numba, with its cache in the folder of the module's description.

    No lock is needed for a function with one signature: processes that compile it at once write the
    same file.
    """
    numba: Any = import_module("numba")
    folder = os.environ.get(CACHE_VARIABLE) or str(_choose_folder())
    # numba reads its configuration from the environment whenever that changes, so both must agree.
    os.environ[CACHE_VARIABLE] = folder
    numba.config.CACHE_DIR = folder
    return numba


@functools.cache
def load_librosa() -> ModuleType:
    """Return librosa, with everything compiled that onset detection and spectra call."""
    folder = Path(load_numba().config.CACHE_DIR)
    ready = folder / f"librosa-{_fingerprint()}.ready"
    if ready.exists():
        return _compile_librosa()
    folder.mkdir(parents=True, exist_ok=True)
    with _hold_lock(folder / "librosa.lock"):
        librosa = _compile_librosa()
        # Only now: a process that is killed while it compiles leaves no marker of a complete cache.
        ready.touch()
    return librosa


@contextmanager
def _hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file, for which other processes wait.

    It is ``flock`` of the standard library, so that metrics need no package for it; the system
    releases it however the process ends. Windows has no ``flock``: there it is filelock's.
    """
    if sys.platform == "win32":
        from filelock import FileLock

        with FileLock(path):
            yield
    else:
        import fcntl

        with path.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                # Closing does not release it while a process that was forked has the file open.
                fcntl.flock(file, fcntl.LOCK_UN)


def _compile_librosa() -> ModuleType:
    """Use librosa once for each type of samples: its modules load and compile on first use."""
    _set_cache_home()
    import librosa

    noise = np.random.default_rng(0).standard_normal(22_050).astype(np.float32)
    for samples in (noise, noise.astype(np.float64)):
        librosa.onset.onset_detect(y=samples, sr=22_050)
        librosa.stft(samples)
    return librosa


def _set_cache_home() -> None:
    """Set ``$XDG_CACHE_HOME`` if no home directory is known: importing librosa needs either."""
    try:
        is_known = Path(os.environ.get("HOME", Path.home())).is_absolute()
    except RuntimeError:
        is_known = False
    if not is_known:
        os.environ.setdefault("XDG_CACHE_HOME", str(_home()))


def _choose_folder() -> Path:
    """Return the cache of the installation, or that of the user where it cannot be written."""
    folder = Path(sys.prefix, "var", "cache", "foley-bench")
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    # numba does not read a folder that it cannot write: it would compile beside librosa's sources.
    return folder if os.access(nearest, os.W_OK) else _home() / "compiled"


def _home() -> Path:
    # As bench.io.bench_home, which the metrics, and so this module, must not import.
    try:
        return Path(os.environ.get("BENCH_HOME") or "~/.cache/foley-bench").expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(
            f"no home directory is known here: set BENCH_HOME or {CACHE_VARIABLE} to a folder"
        ) from error


def _fingerprint() -> str:
    """Return a hash of what compiled code depends on: sources, compiler and processor."""
    from numba.core.registry import cpu_target

    spec = find_spec("librosa")
    parts = (
        spec.origin if spec else "",
        version("librosa"),
        version("numba"),
        cpu_target.target_context.codegen().magic_tuple(),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
