"""Paths that go on into an archive."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from bench.archives import Member, file_size, is_file, open_binary, parse_member
from bench.digests import file_digest, file_state, read_checksums


@pytest.fixture
def member(tmp_path) -> tuple[Path, bytes]:
    """A file of 3,000 bytes, second of two in an archive."""
    content = bytes(range(250)) * 12
    for name, data in (("a.bin", b"before"), ("b.bin", content)):
        (tmp_path / name).write_bytes(data)
    with tarfile.open(tmp_path / "two.tar", "w") as tar:
        tar.add(tmp_path / "a.bin", "x/a.bin")
        tar.add(tmp_path / "b.bin", "x/b.bin")
    with tarfile.open(tmp_path / "two.tar") as tar:
        info = tar.getmember("x/b.bin")
    return Member(tmp_path / "two.tar", info.offset_data, info.size).path("b.bin"), content


def test_a_member_is_read_like_a_file(member):
    path, content = member
    assert path.name == "b.bin"
    assert parse_member(path).archive.name == "two.tar"
    assert is_file(path)
    assert file_size(path) == 3000
    with open_binary(path) as file:
        assert file.read() == content
        assert file.seek(-10, 2) == 2990
        assert file.read(100) == content[-10:]
        file.seek(500)
        assert file.read(7) == content[500:507]
        with pytest.raises(ValueError, match="cannot seek to -1"):
            file.seek(-1)


def test_its_checksum_is_that_of_its_bytes_and_is_remembered_by_its_range(member, home, tmp_path):
    path, content = member
    (tmp_path / "alone.bin").write_bytes(content)
    assert read_checksums(path) == read_checksums(tmp_path / "alone.bin")
    assert file_digest(path) == file_digest(tmp_path / "alone.bin")
    other = Member(tmp_path / "two.tar", 512, 6).path("a.bin")
    assert file_state(other) != file_state(path)
    assert file_digest(other) != file_digest(path)


def test_an_archive_that_was_cut_off_or_removed_has_no_such_file(member, tmp_path):
    path, _ = member
    archive = tmp_path / "two.tar"
    archive.write_bytes(archive.read_bytes()[: parse_member(path).offset + 100])
    assert not is_file(path)
    archive.unlink()
    assert not is_file(path)
    with pytest.raises(FileNotFoundError):
        file_size(path)
    with pytest.raises(FileNotFoundError):
        open_binary(path)


def test_other_paths_are_files_of_their_own(tmp_path):
    folder = tmp_path / "@a+b"
    folder.mkdir()
    (folder / "x.mp4").write_bytes(b"12")
    assert parse_member(folder / "x.mp4") is None
    assert is_file(folder / "x.mp4")
    assert not is_file(tmp_path / "gone.tar" / "@0+5" / "x.mp4")
