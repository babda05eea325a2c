"""Official files: whether they are whole, remembered, and fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from acfoley.files import OfficialFile
from acfoley.mini.variants import variant_recipe
from acfoley.official import (
    FLOW_FILES,
    SHIPPED,
    fetch_file,
    find_problem,
    needed_files,
    remembered_problem,
    require_official,
)
from acfoley.params import PRESETS
from bench.checkpoints.fetch import Origin
from bench.checkpoints.verify import no_progress
from bench.errors import BenchError, MissingError
from tests.checkpoints.web import CONTENT, Server, serve

MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as server:
        yield server


@pytest.fixture
def row(server: Server) -> OfficialFile:
    url = f"{server.url}/part.pth"
    return OfficialFile("part", "a part", "part.pth", url, len(CONTENT), None, MD5, "none")


def test_every_published_preset_needs_five_files_of_different_names():
    for preset, flow in FLOW_FILES.items():
        rows = needed_files(preset)
        assert rows[0] is flow
        assert len({row.file for row in rows}) == 5
    assert set(FLOW_FILES) < set(PRESETS)


def test_a_preset_that_nobody_published_has_no_files():
    with pytest.raises(BenchError, match="'mmaudio_clap' has no published weights.*one of acfoley"):
        needed_files("mmaudio_clap")


def test_a_preset_that_comes_with_the_package_needs_no_file():
    for preset, variant in SHIPPED.items():
        assert variant_recipe(variant).params == PRESETS[preset]
        with pytest.raises(BenchError, match=f"'{preset}' comes with the package"):
            needed_files(preset)


def test_a_file_is_fetched_checked_and_kept(row, server, tmp_path, home):
    path = fetch_file(row, tmp_path)
    assert path.read_bytes() == CONTENT
    assert not path.with_name("part.pth.part").exists()
    fetch_file(row, tmp_path)
    assert len(server.asked) == 1


def test_a_broken_download_goes_on_where_it_stopped(row, server, tmp_path, home):
    (tmp_path / "part.pth.part").write_bytes(CONTENT[:1_000])
    assert fetch_file(row, tmp_path).read_bytes() == CONTENT
    assert server.asked == ["/part.pth bytes=1000-"]


def test_a_part_of_another_file_is_replaced_by_the_official_one(row, server, tmp_path, home):
    (tmp_path / "part.pth.part").write_bytes(b"x" * 1_000)
    assert fetch_file(row, tmp_path).read_bytes() == CONTENT
    assert [asked.split()[-1] for asked in server.asked] == ["bytes=1000-", "-"]


def test_a_mirror_is_a_folder_or_a_server_and_offline_allows_folders_only(
    row, server, tmp_path, home
):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / row.file).write_bytes(CONTENT)
    mirror = Origin(str(tmp_path / "mirror"), is_offline=True)
    assert fetch_file(row, tmp_path / "a", mirror).read_bytes() == CONTENT
    there = Origin(f"{server.url}/copies")
    assert fetch_file(row, tmp_path / "b", there).read_bytes() == CONTENT
    assert server.asked == [f"/copies/{row.file} -"]
    with pytest.raises(MissingError, match="`acfoley fetch --preset acfoley .*--mirror FOLDER`"):
        fetch_file(row, tmp_path / "c", Origin(is_offline=True))
    assert len(server.asked) == 1


def test_two_processes_do_not_fetch_the_same_file(row, tmp_path, home):
    with (
        FileLock(tmp_path / f".{row.file}.lock"),
        pytest.raises(BenchError, match="another process is fetching"),
    ):
        fetch_file(row, tmp_path)


def test_another_file_is_not_kept(row, server, tmp_path, home):
    wrong = replace(row, md5="0" * 32)
    with pytest.raises(BenchError, match=f"its md5 is {MD5}, expected 0+; nothing of it was kept"):
        fetch_file(wrong, tmp_path)
    assert list(tmp_path.glob("part*")) == []


def test_a_redirect_to_a_strange_host_is_refused(row, server, tmp_path, home):
    server.redirect = "https://example.com/part.pth"
    with pytest.raises(BenchError, match=r"leads to 'example\.com'"):
        fetch_file(row, tmp_path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"size_bytes": len(CONTENT) + 1}, "is truncated: 256,000 of 256,001 bytes"),
        ({"size_bytes": 5}, "has 256,000 bytes, the official file 5"),
        ({"md5": None, "sha256": SHA256}, None),
        ({"md5": None, "sha256": f"{SHA256[:8]}...{SHA256[-7:]}"}, None),
        ({"md5": None, "sha256": f"{SHA256[:8]}...0000000"}, "its sha256 is"),
        ({"md5": None}, None),
        ({"size_bytes": None}, None),
    ],
)
def test_size_and_checksum_decide(row, changes, match, tmp_path):
    path = tmp_path / "part.pth"
    path.write_bytes(CONTENT)
    problem = find_problem(replace(row, **changes), path)
    assert problem is None if match is None else match in str(problem)


def test_what_was_found_good_is_read_again_only_when_it_changes(row, tmp_path, home):
    path, read = tmp_path / "part.pth", []
    path.write_bytes(CONTENT)

    def progress(done: int, total: int | None) -> None:
        read.append(done)

    assert remembered_problem(row, path, progress) is None
    n_reads = len(read)
    assert remembered_problem(row, path, progress) is None
    assert len(read) == n_reads > 0
    path.write_bytes(CONTENT[::-1])
    assert "its md5 is" in str(remembered_problem(row, path, no_progress))


def test_only_the_files_that_are_missing_are_named(tmp_path, home):
    (tmp_path / "v1-44.pth").touch()
    with pytest.raises(MissingError) as caught:
        require_official("acfoley", tmp_path, flow=Path("mine.pth"))
    assert "v1-44.pth" not in str(caught.value)
    assert "ac_foley.pth" not in str(caught.value)
    assert "bigvgan_generator.pt" in str(caught.value)
