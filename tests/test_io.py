"""Files are written atomically, with the mode that the umask allows, below a named home."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from bench import _numba
from bench.errors import BenchError
from bench.io import atomic_path, bench_home, expand_user, read_json, write_json
from bench.media import write_audio
from bench.types import Audio


def _through(write: Callable[[Path], object]) -> Callable[[Path], None]:
    def write_atomically(path: Path) -> None:
        with atomic_path(path) as temporary:
            write(temporary)

    return write_atomically


def _write_half(path: Path) -> None:
    path.write_text("half")
    raise KeyError("interrupted")


WRITERS: dict[str, Callable[[Path], None]] = {
    "a.json": lambda path: write_json(path, {}),
    "a.txt": _through(lambda path: path.write_text("text")),
    "a.safetensors": _through(lambda path: save_file({"x": np.zeros(2)}, path)),
    "a.parquet": _through(lambda path: pd.DataFrame({"x": [1]}).to_parquet(path)),
    "a.flac": lambda path: write_audio(path, Audio(np.zeros((1, 800), np.float32), 8_000)),
}


@pytest.fixture(params=[0o077, 0o022, 0o002])
def umask(request) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("name", WRITERS)
def test_the_umask_decides_the_mode_of_files_and_folders(name, umask, tmp_path):
    path = tmp_path / "folder" / name
    WRITERS[name](path)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    assert path.parent.stat().st_mode & 0o777 == 0o777 & ~umask


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": True})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"value": float("nan")})
    with pytest.raises(KeyError, match="interrupted"):
        _through(_write_half)(path)
    assert read_json(path) == {"old": True}
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_name_that_is_no_utf_8_survives_json(tmp_path):
    name = os.fsdecode(b"dog\xff.wav")
    write_json(tmp_path / "a.json", [name, "é"])
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == [name, "é"]


@pytest.fixture
def homeless(monkeypatch) -> None:
    """A user id without an account, in an environment without HOME."""

    def unknown(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("BENCH_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", unknown)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_directory_the_variable_to_set_is_named():
    with pytest.raises(BenchError, match="no home directory is known here; set BENCH_HOME"):
        bench_home()
    with pytest.raises(BenchError, match="cannot expand ~/clips: no home"):
        expand_user(Path("~/clips"))
    with pytest.raises(ValueError, match="set BENCH_HOME or NUMBA_CACHE_DIR"):
        _numba._home()
