"""The report of ``bench doctor``, and the problems that stop the main job."""

from __future__ import annotations

import importlib.machinery
import os
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

from bench.checkpoints.registry import OFFICIAL_FILES, select_weights
from bench.pipeline import machine
from bench.pipeline.machine import examine_machine


def check(name: str) -> machine.Check:
    return next(each for each in examine_machine() if each.name == name)


def test_the_page_names_versions_devices_and_weights_and_gives_a_verdict(process):
    done = process("doctor")
    assert done.returncode == 0, done.stderr
    assert "The main job can run." in done.stdout
    for word in ("numpy", f"torch {metadata.version('torch')}", "devices      cpu"):
        assert word in done.stdout
    assert "passt not here" in done.stdout
    assert "desync, clap cannot be computed" in done.stdout
    (names,) = re.findall(r"`bench weights fetch ([a-z -]+)`", done.stdout)
    assert sorted(names.split()) == sorted(row.name for row in select_weights())
    assert "acfoley-flow not here; autoencoder not here" in done.stdout
    assert "acfoley cannot generate" in done.stdout
    assert "fetch with `acfoley fetch`" in done.stdout


def test_a_home_below_a_file_is_fatal_and_named(bench, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "file" / "home"))
    done = bench("doctor")
    assert done.returncode == 1
    assert "file/home" in done.stdout
    assert "not writable" in done.stdout
    assert "The main job cannot run: home." in done.stdout


def test_a_machine_without_a_home_directory_still_gets_its_page(monkeypatch):
    def unknown(path: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("BENCH_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", unknown)
    checks = {each.name: each for each in examine_machine()}
    assert checks["home"].is_fatal
    assert not checks["home"].is_good
    assert "set BENCH_HOME" in checks["home"].advice
    assert not checks["weights"].is_good


def test_a_home_that_may_not_be_read_still_gets_its_page(home, monkeypatch):
    real = Path.stat

    def forbidden(path: Path, **options: bool) -> os.stat_result:
        if path.is_relative_to(home):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", forbidden)
    checks = {each.name: each for each in examine_machine()}
    assert not checks["home"].is_good
    assert "Permission denied" in checks["home"].advice
    assert not checks["weights"].is_good
    assert not checks["mini clips"].is_good


def test_a_home_that_permissions_allow_and_the_disk_does_not_is_fatal(monkeypatch):
    monkeypatch.setenv("BENCH_HOME", "/proc/nowhere")
    home = check("home")
    assert home.is_fatal
    assert not home.is_good


def _without(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == package:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(machine.metadata, "version", version)


def test_a_missing_package_is_fatal(home, monkeypatch):
    _without(monkeypatch, "librosa")
    missing = check("missing")
    assert (missing.found, missing.is_fatal, missing.is_good) == ("librosa", True, False)


def test_without_pyworld_the_job_runs_and_mcd_is_marked_approximate(home, monkeypatch):
    _without(monkeypatch, "pyworld")
    monkeypatch.setattr(machine, "has_pyworld", lambda: False)
    assert not [each for each in examine_machine() if each.is_fatal and not each.is_good]
    assert "approximate" in check("mcd").found
    assert not check("mcd").is_good


def test_a_torch_that_cannot_be_imported_costs_its_columns_only(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    devices = check("devices")
    assert not devices.is_good
    assert not devices.is_fatal
    assert "columns that need networks are left out" in devices.advice


def test_a_torch_whose_libraries_cannot_be_loaded_is_no_device(home, tmp_path, monkeypatch):
    broken = tmp_path / "torch"
    (broken / "lib").mkdir(parents=True)
    (broken / "lib" / "libtorch_python.so").write_bytes(b"no library")
    spec = importlib.machinery.ModuleSpec("torch", None, origin=str(broken / "__init__.py"))
    monkeypatch.setattr(machine, "find_spec", lambda name: spec)
    monkeypatch.setattr(machine, "has_gpu_driver", lambda: False)
    devices = check("devices")
    assert devices.found == "unknown"
    assert f"torch cannot be imported ({broken / 'lib' / 'libtorch_python.so'}" in devices.advice


def test_gpus_are_named(home, monkeypatch):
    import torch

    monkeypatch.setattr(machine, "has_gpu_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    assert check("devices").found == "cpu, cuda:0 GPU 0"


def test_unverified_weights_are_distinguished_from_missing_ones(home):
    folder = home / "weights"
    folder.mkdir(parents=True)
    for row in OFFICIAL_FILES.values():
        (folder / row.file).write_bytes(b"x")
    weights = check("weights")
    assert "panns here, not verified" in weights.found
    assert weights.advice == "check them: bench weights verify"
    assert not weights.is_fatal
    (folder / OFFICIAL_FILES["panns"].file).unlink()
    assert "bench weights fetch panns" in check("weights").advice


def test_a_corrupt_memory_of_verified_weights_does_not_stop_the_page(home):
    (home / "weights").mkdir(parents=True)
    (home / "weights" / OFFICIAL_FILES["panns"].file).write_bytes(b"x")
    (home / "digests.sqlite").write_text("no database")
    weights = check("weights")
    assert not weights.is_good
    assert "digests.sqlite" in weights.advice


def test_acfoley_needs_one_flow_network_and_the_files_that_all_presets_share(home):
    folder = home / "weights"
    folder.mkdir(parents=True)
    for name in ("small_44k-flow", "autoencoder", "vocoder"):
        (folder / OFFICIAL_FILES[name].file).write_bytes(b"x")
    acfoley = check("acfoley")
    assert "small_44k-flow here, not verified" in acfoley.found
    assert "acfoley-flow" not in acfoley.found
    assert "has no open_clip_pytorch_model.bin (about 3.7 GiB)" in acfoley.advice
    (folder / OFFICIAL_FILES["clip"].file).write_bytes(b"x")
    assert check("acfoley").advice == "check them: bench weights verify"
