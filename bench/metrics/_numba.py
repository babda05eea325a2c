"""librosa and numba, safe where several processes start at once.

numba keeps machine code on disk and finds it by an index that it reads, extends and writes back.
Two processes that compile several signatures of one function at the same time, as importing
librosa does, leave an index that names one signature's file for another's code; every process that
loads it from then on crashes or computes nonsense. So here the first process compiles all that the
metrics use while the others wait, and the later ones only read.

The cache lies in ``$NUMBA_CACHE_DIR``, or below ``$BENCH_HOME``: not beside librosa's sources,
where other programs write without waiting.
"""

from __future__ import annotations

import functools
import hashlib
import os
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
    """Return numba, its cache in a folder of ours.

    A function with one signature may be compiled by several processes at once: they write the same.
    """
    numba: Any = import_module("numba")
    folder = os.environ.get(CACHE_VARIABLE) or str(_home() / "compiled")
    os.environ[CACHE_VARIABLE] = folder  # for processes that this one starts
    numba.config.CACHE_DIR = folder
    return numba


@functools.cache
def load_librosa() -> ModuleType:
    """Return librosa, with all compiled that onset detection and spectra call."""
    from filelock import FileLock

    folder = Path(load_numba().config.CACHE_DIR)
    ready = folder / f"librosa-{_fingerprint()}.ready"
    if ready.exists():
        return _compiled_librosa()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "librosa.lock"):
        librosa = _compiled_librosa()
        ready.touch()
    return librosa


def _compiled_librosa() -> ModuleType:
    """Its modules load and compile when first used, so use them."""
    _name_cache()
    import librosa

    noise = np.random.default_rng(0).standard_normal(22_050).astype(np.float32)
    for samples in (noise, noise.astype(np.float64)):
        librosa.onset.onset_detect(y=samples, sr=22_050)
        librosa.stft(samples)
    return librosa


def _name_cache() -> None:
    """Name the folder of caches that librosa asks for while it is imported, where none is known."""
    try:
        is_known = Path(os.environ.get("HOME", Path.home())).is_absolute()
    except RuntimeError:
        is_known = False
    if not is_known:
        os.environ.setdefault("XDG_CACHE_HOME", str(_home()))


def _home() -> Path:
    try:
        return Path(os.environ.get("BENCH_HOME") or "~/.cache/foley-bench").expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(
            f"no home directory is known here: set BENCH_HOME or {CACHE_VARIABLE} to a folder"
        ) from error


def _fingerprint() -> str:
    """What compiled code depends on: the sources, the compiler, the processor."""
    from numba.core.registry import cpu_target

    spec = find_spec("librosa")
    parts = (
        spec.origin if spec else "",
        version("librosa"),
        version("numba"),
        cpu_target.target_context.codegen().magic_tuple(),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
