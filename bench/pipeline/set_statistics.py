"""Statistics of true sets on disk: a second system on the same clips computes only its own.

Most of a Fréchet distance of thousands of samples is the covariance of each side. That of the true
side is the same for every system, so its Gaussian is kept below ``$BENCH_HOME``, one file per set,
named by a hash of the very rows: clips that change or are left out make another set.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.io import atomic_path, bench_home
from bench.metrics import Gaussian
from bench.suite.scores import Rows

log = logging.getLogger(__name__)

#: A part of every path. Raise it when ``Gaussian.of`` computes other numbers.
VERSION = "1"

#: Below, or for no more samples than dimensions, a Gaussian is computed as fast as it is read.
FEWEST_DIMENSIONS = 256


def find_gaussian(rows: Rows) -> Gaussian:
    """Return the Gaussian of ``rows [N, D]`` from disk, or compute and keep it.

    Both give the same distances to the last bit. A file that is damaged or of another set is made
    again, and a disk that cannot be read or written costs time later; either with a warning.
    ValueError as ``Gaussian.of``.
    """
    if rows.ndim != 2 or not FEWEST_DIMENSIONS <= rows.shape[1] < len(rows):
        return Gaussian.of(rows, "true")
    path = gaussian_path(rows)
    try:
        if (known := _read(path, rows.shape)) is not None:
            return known
    except OSError as error:
        log.warning("cannot read the statistics %s: %s", path, error)
    found = Gaussian.of(rows, "true")
    try:
        _write(path, found)
    except OSError as error:
        log.warning("cannot keep the statistics %s: %s", path, error)
    return found


def gaussian_path(rows: Rows) -> Path:
    """Return the file of the Gaussian of these rows, whether it exists or not."""
    # The rows themselves and not the keys of their files: metrics of plugins and tests have rows
    # without any, and 70 MB are hashed in a tenth of the time that they save.
    content = hashlib.sha256(f"{rows.dtype.str}|{rows.shape}|".encode())
    content.update(np.ascontiguousarray(rows).data)
    key = content.hexdigest()
    return bench_home() / "features" / "gaussians" / VERSION / key[:2] / f"{key}.safetensors"


def _write(path: Path, gaussian: Gaussian) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {"mean": gaussian.mean, "root": np.ascontiguousarray(gaussian.root)}
    facts: dict[str, Any] = {
        "n": gaussian.n,
        "total_variance": gaussian.total_variance,  # JSON keeps every bit of a float
        "is_regular": gaussian.is_regular,
    }
    facts["checksum"] = _checksum(facts, arrays["mean"], arrays["root"])
    try:
        with atomic_path(path) as temporary:
            save_file(arrays, temporary, {"gaussian": json.dumps(facts)})
    except SafetensorError as error:  # where the disk gets full
        raise OSError(str(error)) from error


def _read(path: Path, shape: tuple[int, ...]) -> Gaussian | None:
    """Return a Gaussian that was kept; None where there is none, or where the file is damaged."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            mean, root = file.get_tensor("mean"), file.get_tensor("root")
            facts = dict(json.loads((file.metadata() or {})["gaussian"]))
        is_whole = facts.pop("checksum") == _checksum(facts, mean, root)
        found = Gaussian(
            int(facts["n"]), mean, float(facts["total_variance"]), root, bool(facts["is_regular"])
        )
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        log.warning("the statistics %s are damaged (%s) and are computed again", path, error)
        return None
    # The checksum also holds for the file of another set, under a wrong name.
    if is_whole and (found.n, *mean.shape) == shape and root.shape[1:] == mean.shape:
        return found
    log.warning("the statistics %s are damaged or of another set and are computed again", path)
    return None


def _checksum(facts: Mapping[str, Any], *arrays: np.ndarray) -> int:
    """Return a checksum of all numbers: a damaged one would be a distance that looks plausible."""
    value = zlib.crc32(json.dumps(facts).encode())
    for array in arrays:
        value = zlib.crc32(array.data, value)
    return value
