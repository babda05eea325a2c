"""Official files: the registry, verification, download, and what is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from filelock import FileLock

import bench.digests
from bench.checkpoints import fetch
from bench.checkpoints.fetch import Origin, fetch_file
from bench.checkpoints.registry import (
    OFFICIAL_FILES,
    OfficialFile,
    select_weights,
    weights_directory,
)
from bench.checkpoints.verify import (
    describe_missing,
    find_problem,
    is_verified,
    missing_weights,
    require_weights,
)
from bench.cli import main
from bench.digests import file_state, remember_digest, remembered_digest
from bench.errors import BenchError, MissingError
from tests.checkpoints.web import CONTENT, Server, serve


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as state:
        yield state


@pytest.fixture
def row(home) -> OfficialFile:
    """A small file in the role of an official one."""
    return replace(
        OFFICIAL_FILES["panns"], size_bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()
    )


def test_every_row_has_an_https_url_a_checksum_a_licence_and_a_use():
    for name, row in OFFICIAL_FILES.items():
        assert row.name == name
        assert row.url.startswith("https://")
        if row.part:
            assert row.url.endswith(f"/{row.file}")
        if row.sha256 and "..." not in row.sha256:
            assert len(bytes.fromhex(row.sha256)) == 32
        if row.md5:
            assert len(bytes.fromhex(row.md5)) == 16
        assert row.digest in (row.sha256, row.md5)
        assert row.licence
        assert row.users
    assert len({row.file for row in OFFICIAL_FILES.values()}) == len(OFFICIAL_FILES)
    # GitHub's releases name a checkpoint of torch by the first digits of its SHA-256
    assert OFFICIAL_FILES["vggish"].file == f"vggish-{OFFICIAL_FILES['vggish'].sha256[:8]}.pth"


def test_a_row_without_a_checksum_is_refused():
    with pytest.raises(ValueError, match="'panns' needs a SHA-256 or an MD5"):
        replace(OFFICIAL_FILES["panns"], sha256=None)


def test_a_file_of_both_the_judges_and_acfoley_is_one_row():
    shared = [row.name for row in OFFICIAL_FILES.values() if row.needed_by and row.part]
    assert shared == ["synchformer", "clap"]


def test_weights_are_chosen_by_name_in_the_order_of_the_table(home):
    assert [row.name for row in select_weights(["vggish", "passt"])] == ["passt", "vggish"]
    assert weights_directory() == home / "weights"
    with pytest.raises(BenchError, match="no weights 'fad'; there are: passt, panns"):
        select_weights(["fad"])


def test_without_names_the_files_of_the_judges_are_chosen():
    judges = [
        *("passt", "panns", "vggish", "imagebind", "synchformer"),
        *("clap", "roberta-vocab", "roberta-merges"),
    ]
    assert [row.name for row in select_weights()] == judges
    assert select_weights([]) == select_weights()


def test_fetching_from_a_mirror_keeps_the_official_name(server, row, tmp_path):
    path = fetch_file(row, tmp_path, Origin(f"{server.url}/models/"))
    assert path == tmp_path / "Cnn14_16k_mAP=0.438.pth"
    assert path.read_bytes() == CONTENT
    assert server.asked == ["/models/Cnn14_16k_mAP%3D0.438.pth -"]
    assert is_verified(row, path)
    assert not list(tmp_path.glob("*.part"))


def test_the_scheme_of_a_mirror_may_be_in_capitals(server, row, tmp_path):
    mirror = server.url.replace("http://", "HTTP://")
    assert fetch_file(row, tmp_path, Origin(mirror)).read_bytes() == CONTENT
    with pytest.raises(MissingError, match="offline mode forbids it"):
        fetch_file(row, tmp_path / "other", Origin("HTTPS://mirror.example", is_offline=True))


def test_a_mirror_of_another_protocol_is_refused_by_its_reason(row, tmp_path):
    with pytest.raises(BenchError, match=r"ftp://mirror\.example/.* is not https"):
        fetch_file(row, tmp_path, Origin("ftp://mirror.example"))


def test_fetching_again_makes_no_request(server, row, tmp_path):
    for _ in range(2):
        fetch_file(row, tmp_path, Origin(server.url))
    assert len(server.asked) == 1


def test_a_fetch_resumes_the_part_of_a_killed_process(server, row, tmp_path):
    (tmp_path / f"{row.file}.part").write_bytes(CONTENT[:9_000])
    assert fetch_file(row, tmp_path, Origin(server.url)).read_bytes() == CONTENT
    assert server.asked[0].endswith("bytes=9000-")


def test_a_part_of_another_file_is_replaced_by_the_official_one(server, row, tmp_path):
    (tmp_path / f"{row.file}.part").write_bytes(b"x" * 9_000)
    assert fetch_file(row, tmp_path, Origin(server.url)).read_bytes() == CONTENT
    assert [asked.split()[-1] for asked in server.asked] == ["bytes=9000-", "-"]


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(server, row, tmp_path):
    server.content = b"x" + CONTENT[1:]
    with pytest.raises(BenchError, match=r"is not the official file: its SHA-256 is .* expected"):
        fetch_file(row, tmp_path, Origin(server.url))
    assert not [path for path in tmp_path.iterdir() if path.suffix in {".pth", ".part"}]


def test_a_corrupt_file_stays_until_it_is_replaced(server, row, tmp_path):
    path = tmp_path / row.file
    path.write_bytes(CONTENT[:10])
    with pytest.raises(MissingError):
        fetch_file(row, tmp_path, Origin(is_offline=True))
    assert path.read_bytes() == CONTENT[:10]
    assert fetch_file(row, tmp_path, Origin(server.url)).read_bytes() == CONTENT


def test_a_folder_is_a_mirror_that_works_offline(row, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with pytest.raises(MissingError, match="the mirror has no .*official names"):
        fetch_file(row, tmp_path / "here", Origin(str(mirror), is_offline=True))
    (mirror / row.file).write_bytes(CONTENT)
    path = fetch_file(row, tmp_path / "here", Origin(str(mirror), is_offline=True))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("size", [100, len(CONTENT) + 1])
def test_a_file_of_another_size_in_the_mirror_is_refused(row, tmp_path, size):
    (tmp_path / row.file).write_bytes((CONTENT + b"x")[:size])
    with pytest.raises(BenchError, match=r"truncated: 100 of|has 256,001 bytes, the official file"):
        fetch_file(row, tmp_path / "here", Origin(str(tmp_path)))


def test_offline_names_the_command_to_run_elsewhere(row, tmp_path):
    with pytest.raises(MissingError) as caught:
        fetch_file(row, tmp_path, Origin(is_offline=True))
    assert f"curl -L -o '{row.file}' '{row.url}'" in str(caught.value)
    assert f"bench weights fetch panns --weights {tmp_path} --mirror FOLDER" in str(caught.value)


def test_a_full_disk_is_noticed_before_the_download(row, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BenchError, match="need 4.0 GiB more and .* has 1.0 GiB free"):
        fetch_file(replace(row, size_bytes=2**32), tmp_path)


def test_a_part_counts_as_room_that_is_taken_already(row, tmp_path, server, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    (tmp_path / f"{row.file}.part").write_bytes(CONTENT[:-1_000])
    assert fetch_file(row, tmp_path, Origin(server.url)).read_bytes() == CONTENT


def test_two_processes_do_not_fetch_the_same_file(row, tmp_path):
    with (
        FileLock(tmp_path / f".{row.file}.lock"),
        pytest.raises(BenchError, match="another process is fetching"),
    ):
        fetch_file(row, tmp_path)


def test_a_folder_that_cannot_be_written_is_refused_by_name(row, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write .*folder/Cnn14"):
        fetch_file(row, tmp_path / "file" / "folder")


def test_a_file_is_verified_by_its_content(row, tmp_path):
    path = tmp_path / "any name"
    assert find_problem(row, path) == "is missing"
    path.write_bytes(CONTENT)
    assert find_problem(row, path) is None
    path.write_bytes(CONTENT[:-1])
    assert find_problem(row, path) == "is truncated: 255,999 of 256,000 bytes"
    path.write_bytes(CONTENT[:-1] + b"x")
    assert "is not the official file" in str(find_problem(row, path))


@pytest.mark.parametrize("ends", [(8, 7), (64, 0)])
def test_a_checksum_of_which_only_the_ends_are_known_still_decides(row, tmp_path, ends):
    path = tmp_path / "any name"
    path.write_bytes(CONTENT)
    first, last = row.sha256[: ends[0]], row.sha256[64 - ends[1] :]
    assert find_problem(replace(row, sha256=f"{first}...{last}"), path) is None
    wrong = replace(row, sha256=f"{first}...{'0' * 7}")
    assert "its SHA-256 is" in str(find_problem(wrong, path))
    assert not is_verified(wrong, path)


@pytest.fixture
def md5_row(row) -> OfficialFile:
    """The same file, of which only the MD5 is published."""
    md5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
    return replace(row, sha256=None, md5=md5)


def test_a_file_known_by_md5_is_read_once_and_remembered(md5_row, tmp_path, monkeypatch):
    path = tmp_path / "any name"
    path.write_bytes(CONTENT)
    assert not is_verified(md5_row, path)
    assert find_problem(md5_row, path) is None
    monkeypatch.setattr(bench.digests, "_known", {})  # as in a new process
    monkeypatch.setattr(bench.digests, "_known_md5", {})
    assert is_verified(md5_row, path)
    assert remembered_digest(path) == hashlib.sha256(CONTENT).hexdigest()
    path.write_bytes(CONTENT[::-1])
    assert not is_verified(md5_row, path)
    assert "its MD5 is" in str(find_problem(md5_row, path))


def test_a_stored_sha256_does_not_verify_an_md5(md5_row, tmp_path, monkeypatch):
    monkeypatch.setattr(bench.digests, "_known_md5", {})
    path = tmp_path / "any name"
    path.write_bytes(CONTENT)
    remember_digest(file_state(path), hashlib.sha256(CONTENT).hexdigest())
    assert not is_verified(md5_row, path)


def test_a_file_that_another_process_fetched_in_the_meantime_is_kept(row, tmp_path, monkeypatch):
    # The file arrives between the first check and the lock: nothing is downloaded again.
    path = tmp_path / row.file
    real = fetch.find_problem

    def arrive(*arguments: object) -> str | None:
        problem = real(*arguments)
        if not path.is_file():
            path.write_bytes(CONTENT)
            real(row, path)
        return problem

    monkeypatch.setattr(fetch, "find_problem", arrive)
    monkeypatch.setattr(fetch, "download", None)
    assert fetch_file(row, tmp_path) == path


def test_a_good_file_in_a_folder_that_may_not_be_written_is_accepted(row, tmp_path, monkeypatch):
    (tmp_path / row.file).write_bytes(CONTENT)
    monkeypatch.setattr(fetch, "FileLock", None)
    assert fetch_file(row, tmp_path) == tmp_path / row.file


def test_a_verified_file_is_not_read_again_until_it_changes(row, tmp_path, monkeypatch):
    monkeypatch.setitem(OFFICIAL_FILES, "panns", row)
    path = tmp_path / row.file
    path.write_bytes(CONTENT)
    blocks: list[int] = []
    for _ in range(2):
        found = require_weights(["panns"], tmp_path, lambda done, total: blocks.append(done))
        assert found == {"panns": path}
    assert blocks == [len(CONTENT)]
    path.write_bytes(b"x" + CONTENT[1:])
    os.utime(path, ns=(1, 1))
    with pytest.raises(BenchError, match=r"not the official file.*run `bench weights fetch panns"):
        require_weights(["panns"], tmp_path)


def test_a_file_that_changes_while_it_is_verified_does_not_count_as_verified(row, tmp_path):
    path = tmp_path / row.file
    path.write_bytes(CONTENT)

    def change_at_the_end(done: int, total: int | None) -> None:
        if done == total:
            time.sleep(0.02)  # beyond the resolution of the file's times
            path.write_bytes(CONTENT[::-1])

    find_problem(row, path, change_at_the_end)
    assert not is_verified(row, path)


def test_missing_files_are_described_by_columns_with_the_command_that_fetches_them(home):
    directory = weights_directory()
    missing = missing_weights(["imagebind", "passt"], directory)
    assert [row.name for row in missing] == ["passt", "imagebind"]
    assert describe_missing(missing, directory) == (
        f"fd_passt, kl_passt, ib cannot be computed: {directory} has no "
        "passt-s-f128-p16-s10-ap.476-swa.pt, imagebind_huge.pth (about 4.8 GiB); "
        "fetch with `bench weights fetch passt imagebind`"
    )
    with pytest.raises(MissingError, match="ib, fd_passt, kl_passt cannot be computed"):
        require_weights(["imagebind", "passt"], directory)


def test_a_column_that_needs_several_files_is_named_once(home):
    text = describe_missing(missing_weights(None, weights_directory()), weights_directory())
    columns = text.partition(" cannot be computed")[0].split(", ")
    assert sorted(columns) == sorted(set(columns))
    assert "clap" in columns


def test_the_command_names_a_folder_that_is_not_the_usual_one(home, tmp_path):
    text = describe_missing(missing_weights(["vggish"], tmp_path), tmp_path)
    assert f"`bench weights fetch vggish --weights {tmp_path}`" in text


@pytest.fixture
def run(row, monkeypatch, capfd):
    """Run ``bench`` in this process, with one small file as the only weights; returns its end."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err.replace("\n", " ")

    monkeypatch.setattr(sys, "path", list(sys.path))
    # Not by monkeypatch, which would put the rows back in another order.
    official = dict(OFFICIAL_FILES)
    OFFICIAL_FILES.clear()
    OFFICIAL_FILES["panns"] = row
    yield call
    OFFICIAL_FILES.clear()
    OFFICIAL_FILES.update(official)


def test_list_prints_each_file_and_whether_it_is_present(run, home, row):
    code, out, _ = run("weights", "list")
    assert code == 0
    for word in ("panns  not here", row.file, "256,000 bytes", row.sha256, "CC-BY-4.0", "fd_panns"):
        assert word in out
    (home / "weights").mkdir(parents=True)
    (home / "weights" / row.file).write_bytes(CONTENT)
    assert "here, not verified" in run("weights", "list")[1]
    run("weights", "verify")
    assert "here, verified" in run("weights", "list")[1]


def test_fetch_from_a_mirror_then_verify_exits_with_0(run, server, tmp_path):
    folder = ("--weights", tmp_path / "w")
    code, _, err = run("weights", "fetch", "panns", "--mirror", server.url, *folder)
    assert (code, "is the official file" in err) == (0, True)
    assert run("weights", "verify", *folder)[0] == 0


def test_verify_exits_with_1_and_names_the_remedy(run, home, row):
    code, _, err = run("weights", "verify")
    assert (code, "No weights in" in err) == (1, True)
    (home / "weights").mkdir(parents=True)
    (home / "weights" / row.file).write_bytes(CONTENT[:5])
    code, out, err = run("weights", "verify", "panns")
    assert code == 1
    assert "is truncated: 5 of 256,000 bytes" in out
    assert "To fix: bench weights fetch panns" in err


def test_a_refused_fetch_exits_with_2(run, monkeypatch):
    code, _, err = run("weights", "fetch", "panns", "--offline")
    assert (code, "offline mode forbids" in err) == (2, True)
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    code, _, err = run("weights", "fetch")
    assert (code, "curl -L" in err) == (2, True)
    code, _, err = run("weights", "fetch", "fad")
    assert (code, "no weights 'fad'" in err) == (2, True)
