"""Digests of files: read once, and again when the bytes change."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time

import pytest

import bench.digests
from bench.digests import (
    Checksums,
    file_digest,
    file_identity,
    file_state,
    hash_files,
    read_checksums,
    remember_digest,
    remember_md5,
    remembered_digest,
    remembered_md5,
)
from bench.errors import BenchError


@pytest.fixture(autouse=True)
def _settled(monkeypatch, home):
    """Files count as settled at once, so that what is remembered can be tested without a pause."""
    monkeypatch.setattr(bench.digests, "SETTLED_S", -1.0)
    monkeypatch.setattr(bench.digests, "_known", {})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_bytes_that_change_behind_a_restored_size_and_time_are_read_again(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"before")
    assert file_digest(path) == sha256(b"before")
    status = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"after!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (6, status.st_mtime_ns)
    assert file_digest(path) == sha256(b"after!")


def test_an_unchanged_file_is_read_once_and_by_no_later_process(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    file_digest(path)
    bench.digests._known.clear()  # as in a new process
    monkeypatch.setattr(bench.digests, "read_checksums", None)
    assert file_digest(path) == sha256(b"audio")


def test_a_renamed_file_keeps_its_digest_and_a_missing_one_has_none(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    assert file_identity(path) == file_identity(path.rename(tmp_path / "b.wav")) == sha256(b"audio")
    assert file_identity(path) is None


def test_a_fresh_digest_is_read_even_where_one_is_remembered(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    remember_digest(file_state(path), "stale")
    assert file_digest(path) == "stale"
    hash_files([path, tmp_path / "missing.wav"], lambda *_: None, is_fresh=True)
    assert remembered_digest(path) == sha256(b"audio")


def test_many_files_are_looked_up_and_remembered_together(tmp_path, monkeypatch):
    paths = [tmp_path / f"{i}.wav" for i in range(2 * bench.digests.QUERY_FILES)]
    for path in paths:
        path.write_text(path.name)
    opened: list[object] = []
    connect = sqlite3.connect

    def count(*arguments, **options):
        opened.append(arguments)
        return connect(*arguments, **options)

    monkeypatch.setattr(bench.digests.sqlite3, "connect", count)
    hash_files(paths, lambda *_: None)
    assert len(opened) <= 4  # each half is looked up and stored
    bench.digests._known.clear()  # as in a new process
    monkeypatch.setattr(bench.digests, "read_checksums", None)
    done: list[int] = []
    hash_files(paths, lambda n, total: done.append(n))
    assert done[-1] == len(paths)
    assert len(opened) <= 6
    assert file_digest(paths[-1]) == sha256(paths[-1].name.encode())


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr(bench.digests, "SETTLED_S", 3.0)
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    file_digest(path)
    assert remembered_digest(path) is None


def test_a_file_that_had_just_changed_when_a_long_reading_began_is_not_remembered(
    tmp_path, monkeypatch
):
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    now = [path.stat().st_ctime + 1.0]

    def read_slowly(*_: object, **__: object) -> Checksums:
        now[0] += 10.0
        return Checksums("of bytes that may have changed in the meantime", None)

    monkeypatch.setattr(bench.digests, "SETTLED_S", 3.0)
    monkeypatch.setattr(bench.digests, "read_checksums", read_slowly)
    monkeypatch.setattr(bench.digests.time, "time", lambda: now[0])
    file_digest(path)
    assert remembered_digest(path) is None


def test_a_memory_that_cannot_be_written_costs_time_only(tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "file" / "home"))
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    assert file_digest(path) == sha256(b"audio")


def test_a_corrupt_memory_is_refused_by_name(tmp_path, home):
    home.mkdir(parents=True, exist_ok=True)
    (home / "digests.sqlite").write_text("no database, but long enough to be read as one" * 10)
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    with pytest.raises(BenchError, match=r"digests\.sqlite.*delete it"):
        file_digest(path)


def test_a_memory_with_corrupt_pages_is_refused_by_name(tmp_path, home):
    path = tmp_path / "a.wav"
    path.write_bytes(b"audio")
    file_digest(path)
    bench.digests._known.clear()
    memory = home / "digests.sqlite"
    pages = memory.read_bytes()
    memory.write_bytes(pages[:4096] + b"\xff" * (len(pages) - 4096))
    with pytest.raises(BenchError, match=r"digests\.sqlite.*delete it"):
        file_digest(path)


def test_a_file_has_one_row_however_often_it_changes(tmp_path, home):
    path = tmp_path / "a.wav"
    for content in (b"one", b"three", b"seven"):
        path.write_bytes(content)
        file_digest(path)
    with sqlite3.connect(home / "digests.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM digests").fetchone() == (1,)


def test_the_umask_decides_who_may_use_the_memory(tmp_path, home):
    (tmp_path / "a.wav").write_bytes(b"audio")
    before = os.umask(0o002)
    try:
        file_digest(tmp_path / "a.wav")
    finally:
        os.umask(before)
    (memory,) = home.rglob("digests.sqlite")
    assert memory.stat().st_mode & 0o777 == 0o664


def test_both_sums_come_from_one_reading(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(b"x" * 3_000_000)
    blocks: list[int] = []
    found = read_checksums(path, with_md5=True, progress=lambda done, total: blocks.append(done))
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    assert found == (sha256(path.read_bytes()), md5)
    assert blocks == [2**20, 2**21, 3_000_000]
    assert read_checksums(path) == (found.sha256, None)


def test_an_md5_belongs_to_bytes_and_is_remembered_by_their_sha256(home, monkeypatch):
    assert remembered_md5("a") is None
    remember_md5("a", "b")
    monkeypatch.setattr(bench.digests, "_known_md5", {})  # as in a new process
    assert remembered_md5("a") == "b"
    assert remembered_md5("c") is None


def test_the_memory_of_an_earlier_version_is_read_and_extended(tmp_path, home, monkeypatch):
    path = tmp_path / "a.pth"
    path.write_bytes(b"audio")
    home.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(home / "digests.sqlite") as connection:
        connection.execute(
            "CREATE TABLE digests (file TEXT PRIMARY KEY, state TEXT UNIQUE, sha256 TEXT)"
        )
        connection.execute("INSERT INTO digests VALUES ('f', ?, 'abc')", (file_state(path),))
    connection.close()
    assert remembered_md5("abc") is None
    assert remembered_digest(path) == "abc"
    remember_md5("abc", "md5")
    monkeypatch.setattr(bench.digests, "_known_md5", {})
    assert remembered_md5("abc") == "md5"
