"""The official files of each preset, and that acfoley gets them as the judges get theirs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from acfoley import cli
from acfoley.mini.variants import variant_recipe
from acfoley.official import (
    COMMON_FILES,
    FLOW_FILES,
    SHIPPED,
    needed_files,
    require_official,
)
from acfoley.params import PRESETS
from bench.checkpoints import fetch
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.digests import remembered_digest
from bench.errors import BenchError, MissingError
from tests.checkpoints.web import CONTENT, Server, serve

SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
NEEDED = (FLOW_FILES["large_44k"], *COMMON_FILES)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as server:
        yield server


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files in the registry, known by MD5 or SHA-256 as the real ones are."""
    for name in NEEDED:
        row = OFFICIAL_FILES[name]
        sums = {"sha256": SHA256} if row.sha256 else {"md5": MD5}
        monkeypatch.setitem(OFFICIAL_FILES, name, replace(row, size_bytes=len(CONTENT), **sums))


@pytest.fixture
def acfoley(
    small: None, home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run ``acfoley`` in this process; returns its exit code and what it printed."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["acfoley", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return call


def test_every_published_preset_needs_five_files_of_different_names() -> None:
    for preset, flow in FLOW_FILES.items():
        rows = needed_files(preset)
        assert [row.name for row in rows] == [flow, *COMMON_FILES]
        assert len({row.file for row in rows}) == 5
        assert all(row.part for row in rows)
        assert needed_files(preset, has_flow=False) == rows[1:]
    assert set(FLOW_FILES) < set(PRESETS)


def test_the_registry_has_no_flow_network_that_no_preset_uses() -> None:
    flows = {name for name in OFFICIAL_FILES if name.endswith("-flow")}
    assert flows == set(FLOW_FILES.values())


def test_a_preset_without_published_weights_has_no_files() -> None:
    with pytest.raises(BenchError, match="'mmaudio_clap' has no published weights.*one of acfoley"):
        needed_files("mmaudio_clap")


def test_a_preset_that_comes_with_the_package_needs_no_file() -> None:
    for preset, variant in SHIPPED.items():
        assert variant_recipe(variant).params == PRESETS[preset]
        with pytest.raises(BenchError, match=f"'{preset}' comes with the package"):
            needed_files(preset)


def test_only_the_files_that_are_missing_are_named(tmp_path: Path, home: Path) -> None:
    (tmp_path / "v1-44.pth").touch()
    with pytest.raises(MissingError) as caught:
        require_official("acfoley", tmp_path, flow=Path("mine.pth"))
    assert "v1-44.pth" not in str(caught.value)
    assert "ac_foley.pth" not in str(caught.value)
    assert "bigvgan_generator.pt" in str(caught.value)


def test_all_files_of_a_preset_are_fetched_verified_and_opened_by_part(
    acfoley: Callable[..., tuple[int, str, str]], server: Server, home: Path
) -> None:
    code, _, err = acfoley("fetch", "--preset", "large_44k", "--mirror", server.url)
    assert code == 0, err
    folder = home / "weights"
    files = [OFFICIAL_FILES[name].file for name in NEEDED]
    for number, file in enumerate(files, 1):
        assert f"{number}/5 {file}, 256,000 bytes" in err
        assert f"{folder / file} is the official file" in err
    assert sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) == sorted(files)
    blocks: list[int] = []
    paths = require_official("large_44k", folder, progress=lambda done, _: blocks.append(done))
    assert blocks == []  # what was checked when it arrived is not read again
    assert paths.flow == folder / "mmaudio_large_44k.pth"
    assert paths.synchformer == folder / "synchformer_state_dict.pth"
    assert acfoley("fetch", "--preset", "large_44k", "--mirror", server.url)[0] == 0
    assert len(server.asked) == 5


def test_a_file_known_by_md5_is_refused_where_it_differs(
    acfoley: Callable[..., tuple[int, str, str]], server: Server, home: Path
) -> None:
    server.content = CONTENT[::-1]
    code, _, err = acfoley("fetch", "--preset", "large_44k", "--mirror", server.url)
    assert code == 2
    assert f"expected {MD5}; nothing of it was kept" in err
    assert not list(home.glob("weights/*.part"))


def test_a_fetch_resumes_the_part_of_a_killed_process(
    acfoley: Callable[..., tuple[int, str, str]], server: Server, home: Path
) -> None:
    (home / "weights").mkdir(parents=True)
    (home / "weights" / "mmaudio_large_44k.pth.part").write_bytes(CONTENT[:1_000])
    assert acfoley("fetch", "--preset", "large_44k", "--mirror", server.url)[0] == 0
    assert server.asked[0] == "/mmaudio_large_44k.pth bytes=1000-"


def test_offline_names_the_urls_of_all_missing_files_at_once(
    acfoley: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    code, _, err = acfoley("fetch", "--preset", "large_44k")
    assert code == 2
    assert err.count("curl -L -o") == 5
    for name in NEEDED:
        assert f"curl -L -o '{OFFICIAL_FILES[name].file}' '{OFFICIAL_FILES[name].url}'" in err
    assert "`acfoley fetch --preset large_44k --mirror FOLDER`" in err


def test_a_folder_is_a_mirror_that_works_offline(
    acfoley: Callable[..., tuple[int, str, str]], tmp_path: Path, home: Path
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    for name in NEEDED:
        (mirror / OFFICIAL_FILES[name].file).write_bytes(CONTENT)
    code, _, err = acfoley("fetch", "--preset", "large_44k", "--mirror", mirror, "--offline")
    assert code == 0, err
    assert (home / "weights" / "v1-44.pth").read_bytes() == CONTENT


def test_a_disk_that_cannot_hold_all_files_is_noticed_before_the_first(
    acfoley: Callable[..., tuple[int, str, str]], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = fetch.shutil.disk_usage("/")._replace(free=4 * len(CONTENT))
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: usage)
    code, _, err = acfoley("fetch", "--preset", "large_44k", "--mirror", server.url)
    assert code == 2
    assert "need 0.0 GiB more" in err
    assert "use --weights elsewhere" in err
    assert server.asked == []


def test_the_lock_of_a_file_is_that_of_the_judges(
    acfoley: Callable[..., tuple[int, str, str]], server: Server, home: Path
) -> None:
    (home / "weights").mkdir(parents=True)
    with FileLock(home / "weights" / ".synchformer_state_dict.pth.lock"):
        code, _, err = acfoley("fetch", "--preset", "large_44k", "--mirror", server.url)
    assert code == 2
    assert "another process is fetching" in err
    assert "synchformer_state_dict.pth; wait for it" in err


def test_a_fetch_that_is_stopped_keeps_what_has_arrived(
    acfoley: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "download", stop)
    code, _, err = acfoley("fetch", "--preset", "large_44k")
    assert code == 130
    assert "the same command goes on from there" in err


def test_a_file_that_changed_since_it_was_verified_is_refused(
    small: None, home: Path, tmp_path: Path
) -> None:
    for name in NEEDED:
        (tmp_path / OFFICIAL_FILES[name].file).write_bytes(CONTENT)
    paths = require_official("large_44k", tmp_path)
    assert remembered_digest(paths.flow) == SHA256
    paths.flow.write_bytes(CONTENT[::-1])
    with pytest.raises(BenchError, match=r"its MD5 is .*run `acfoley fetch --preset large_44k"):
        require_official("large_44k", tmp_path)
