"""Archives are listed like folders, and what cannot be read is refused by name."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from bench.archives import name_inside, open_binary, parse_member, path_below
from bench.errors import BenchError, MediaError
from bench.inputs import list_source
from bench.media import read_audio
from bench.types import Excerpt

CONTENT = b"not compressible: " + bytes(range(256))


def pack(path: Path, names: Iterable[str], content: bytes = CONTENT) -> Path:
    """Write an archive of files with these names, of the kind that the suffix of ``path`` means."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.parent / "content"
    source.write_bytes(content)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name in names:
                made.write(source, name)
    else:
        kind = {".tar": "", ".gz": ":gz", ".xz": ":xz", ".bz2": ":bz2"}[path.suffix]
        with tarfile.open(path, f"w{kind}") as made:
            for name in names:
                made.add(source, name)
    source.unlink()
    return path


NAMES = ("x/a.wav", "x/y/a.wav", "b.MP4", "b.wav", "notes.txt", "x/.hidden.wav", "__MACOSX/x/c.wav")


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
def test_the_media_of_an_archive_are_listed_and_read_where_they_are(suffix, tmp_path, home):
    archive = pack(tmp_path / f"made.{suffix}", NAMES)
    listing, where = list_source(archive), "made.tar/" if suffix.startswith("tar.") else ""
    inside = [name_inside(path).as_posix() for path in listing.audio]
    assert sorted(inside) == ["b.wav", "x/a.wav", "x/y/a.wav"]
    # A video with an audio file of its name beside it is that audio a second time.
    assert sorted(map(name_inside, listing.with_audio)) == sorted(map(name_inside, listing.audio))
    for path in (*listing.audio, *listing.videos):
        with open_binary(path) as file:
            assert file.read() == CONTENT
    assert listing.audio_notes() == (
        f"1 videos in made.{suffix} have an audio file beside them, which was taken",
        f"1 file is neither audio nor video in made.{suffix}: {where}notes.txt",
    )


def test_a_zip_that_stores_its_files_is_read_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("é a.wav", CONTENT)
    (path,) = list_source(tmp_path / "a.zip").audio
    assert parse_member(path).inflated is None
    with open_binary(path) as file:
        assert file.read() == CONTENT


def test_a_compressed_tar_is_decompressed_once(tmp_path, home):
    archive = pack(tmp_path / "made.tar.gz", ["a.wav"])
    first = list_source(archive).audio
    (unpacked,) = (home / "unpacked").rglob("*.tar")
    state = unpacked.stat()
    assert list_source(archive).audio == first
    assert unpacked.stat() == state
    assert path_below(first[0], archive).as_posix() == "made.tar/a.wav"


def test_shards_in_a_folder_are_one_source(tmp_path):
    for shard in (0, 1):
        pack(tmp_path / "shards" / f"{shard:05}.tar", [f"clip_{shard}.flac", f"clip_{shard}.json"])
    listing = list_source(tmp_path / "shards")
    assert [path.name for path in listing.audio] == ["clip_0.flac", "clip_1.flac"]
    assert [path_below(path, listing.folder).as_posix() for path in listing.other] == [
        "00000.tar/clip_0.json",
        "00001.tar/clip_1.json",
    ]


def test_archives_beside_media_are_not_read_and_are_noted(tmp_path):
    pack(tmp_path / "made.zip", ["a.wav"])
    (tmp_path / "a.wav").touch()
    listing = list_source(tmp_path)
    assert listing.audio == (tmp_path / "a.wav",)
    assert "1 file is neither audio nor video" in listing.notes()[0]
    assert "made.zip" in listing.notes()[0]


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
def test_an_archive_that_was_not_downloaded_completely_is_refused(suffix, tmp_path, home):
    archive = pack(tmp_path / f"made.{suffix}", ["a.wav", "b.wav"], content=CONTENT * 30)
    archive.write_bytes(
        archive.read_bytes()[: -archive.stat().st_size // 3 - 2000 * (suffix == "tar")]
    )
    with pytest.raises(
        BenchError, match=rf"cannot read the archive \S+made.{suffix}: .*download it"
    ):
        list_source(archive)
    assert not [*home.rglob("*.tar*")]


def test_an_encrypted_zip_and_links_are_refused(tmp_path):
    archive = pack(tmp_path / "a.zip", ["a.wav"])
    content = bytearray(archive.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(BenchError, match=r"a\.wav is encrypted"):
        list_source(archive)
    with tarfile.open(tmp_path / "links.tar", "w") as made:
        info = tarfile.TarInfo("b.wav")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        made.addfile(info)
    with pytest.raises(BenchError, match=r"1 of its files are links or sparse.*b\.wav"):
        list_source(tmp_path / "links.tar")


@pytest.mark.parametrize(
    "content", [b"", b"words", b"\x1f\x8b", b"PK\x03\x04", b"\x1f\x8b" + b"x" * 90]
)
def test_what_is_no_archive_is_refused_with_what_is_one(content, tmp_path, home):
    (tmp_path / "made.tar").write_bytes(content)
    with pytest.raises(BenchError, match=r"cannot read the archive \S+made.tar.*\.zip, \.tar, "):
        list_source(tmp_path / "made.tar")


def test_names_that_leave_the_archive_are_labels_only(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        for name in ("../../up.wav", "/root.wav", "..", "a/../b.wav"):
            made.writestr(name, CONTENT)
    inside = [name_inside(path).as_posix() for path in list_source(tmp_path / "a.zip").audio]
    assert sorted(inside) == ["a/b.wav", "root.wav", "up.wav"]


def test_a_member_never_inflates_to_more_than_is_stated(tmp_path):
    archive = pack(tmp_path / "a.zip", ["a.wav"], content=b"\0" * 10_000_000)
    (path,) = list_source(archive).audio
    member = parse_member(path)
    shorter = member._replace(inflated=100).path("a.wav")
    with open_binary(shorter) as file:
        assert len(file.read()) == 100


def test_a_damaged_member_is_empty_for_the_decoder_to_report(tmp_path):
    archive = pack(tmp_path / "a.zip", ["a.wav"])
    (path,) = list_source(archive).audio
    content = bytearray(archive.read_bytes())
    content[parse_member(path).offset] = 0xFF
    archive.write_bytes(content)
    with open_binary(path) as file:
        assert file.read() == b""


def test_a_member_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    archive = pack(tmp_path / "a.zip", ["a.wav", "b.h5"], bytes(1_000_000))
    monkeypatch.setattr("bench.archives.MOST_INFLATED_BYTES", 999_999)
    (path,) = list_source(archive).audio
    with pytest.raises(MediaError, match=r"a.wav has 1,000,000 bytes .* unpack .*a.zip"):
        read_audio(Excerpt(path))
