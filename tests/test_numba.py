"""Many processes that compile for the first time at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest
from filelock import FileLock, Timeout

from bench import _numba

#: What the benchmark depends on and the metrics, alone in another program, do not.
OTHER_PACKAGES = ("av", "filelock", "httpx", "pandas", "pyarrow", "rich", "safetensors", "typer")

SCRIPT = f"""
import sys, time
sys.modules.update(dict.fromkeys({OTHER_PACKAGES}))  # importing any of them raises ImportError
import numpy as np
from bench.metrics import detect_onsets
time.sleep(max(0.0, float(sys.argv[1]) - time.time()))
clicks = np.random.default_rng(0).standard_normal(44_100) * 0.001
clicks[[8_000, 16_000, 30_000]] = 1.0
print(detect_onsets(clicks.astype(np.float32)).tolist())
"""


def _start(begin_s: float, cache) -> subprocess.Popen[str]:
    environment = {"PATH": "", "HOME": str(cache), "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(begin_s)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_processes_that_start_together_on_a_fresh_machine_do_not_corrupt_the_cache(tmp_path):
    # staggered, so that one is in the middle of its list of signatures when another begins
    begin_s = time.time() + 2.0
    together = [_start(begin_s + 0.35 * number, tmp_path) for number in range(4)]
    found = [process.communicate() for process in together]
    later = _start(0.0, tmp_path)
    found.append(later.communicate())
    assert [process.returncode for process in (*together, later)] == [0] * 5, found
    assert len({output for output, _ in found}) == 1
    assert list(tmp_path.glob("librosa-*.ready"))


#: A user id without an account, as containers give them.
NOBODY = """
import pwd
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
"""


def test_the_lock_of_the_cache_excludes_other_processes(tmp_path):
    path = tmp_path / "librosa.lock"
    with _numba._hold_lock(path), pytest.raises(Timeout):
        FileLock(path).acquire(timeout=0)
    FileLock(path).acquire(timeout=0).lock.release()


def test_a_child_that_is_forked_meanwhile_does_not_keep_the_lock(tmp_path):
    path = tmp_path / "librosa.lock"
    read_end, write_end = os.pipe()
    with _numba._hold_lock(path):
        child = os.fork()  # it inherits the open file
        if child == 0:
            os.close(write_end)
            os.read(read_end, 1)  # until the test is over
            os._exit(0)
    os.close(read_end)
    try:
        FileLock(path).acquire(timeout=0).lock.release()
    finally:
        os.close(write_end)
        os.waitpid(child, 0)


#: Prints, of each time librosa's code is compiled, whether librosa was imported before.
COMPILATIONS = """
import sys
from bench import _numba
compile_librosa, found = _numba._compile_librosa, []
def compile():
    found.append("librosa" in sys.modules)
    return compile_librosa()
_numba._compile_librosa = compile
{use}
print(found)
"""


@pytest.mark.parametrize(
    "use",
    [
        "from bench.dsp.mel import slaney_mel_bank; slaney_mel_bank(64, 512, 16_000, 50.0, 8000.0)",
        "from bench.backbones import panns; panns.build_network()",
    ],
)
def test_front_ends_and_networks_import_librosa_with_its_cache_locked(use):
    # Imported by itself, librosa compiles without the lock, beside its sources.
    command = [sys.executable, "-c", COMPILATIONS.format(use=use)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[False]\n"), done.stderr


def test_code_is_compiled_once_for_an_installation_and_not_for_every_home(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    (tmp_path / "env").mkdir()
    assert _numba._choose_folder() == tmp_path / "env/var/cache/foley-bench"


@pytest.mark.parametrize("read_only", ["env", "env/var/cache/foley-bench"])
def test_code_is_compiled_in_the_home_where_the_installation_is_read_only(
    read_only, tmp_path, monkeypatch
):
    (tmp_path / "env/var/cache/foley-bench").mkdir(parents=True)
    if read_only == "env":
        shutil.rmtree(tmp_path / "env/var")
    # Permissions do not bind root, so the answer of the system is replaced for this one folder.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / read_only)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "home"))
    assert _numba._choose_folder() == tmp_path / "home/compiled"


@pytest.mark.parametrize("home", [None, "", "not/absolute"])
def test_onsets_need_no_home_directory(home, tmp_path):
    environment = {**os.environ, "BENCH_HOME": str(tmp_path)}
    for name in ("HOME", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    if home is not None:
        environment["HOME"] = home
    command = [sys.executable, "-c", NOBODY + SCRIPT, "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_home_directory_that_is_known_keeps_its_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    _numba._set_cache_home()
    assert "XDG_CACHE_HOME" not in os.environ
