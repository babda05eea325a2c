"""Official checkpoints: the table, the way they get here, and what is refused on the way."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from filelock import FileLock

from bench.checkpoints.fetch import REDIRECT_HOSTS, Origin, fetch_weights
from bench.checkpoints.registry import WEIGHTS, Weights, select_weights, weights_directory
from bench.checkpoints.verify import (
    describe_missing,
    find_problem,
    is_verified,
    missing_weights,
    require_weights,
)
from bench.cli import main
from bench.errors import BenchError, MissingError
from tests.checkpoints.web import CONTENT, Server, serve


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as state:
        yield state


@pytest.fixture
def row(home) -> Weights:
    """A small file that stands for an official one."""
    return replace(
        WEIGHTS["panns"], size_bytes=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()
    )


def test_the_table_holds_all_files_with_https_places_and_checksums():
    assert list(WEIGHTS) == [
        *("passt", "panns", "vggish", "imagebind", "synchformer"),
        *("clap", "roberta-vocab", "roberta-merges"),
    ]
    for row in WEIGHTS.values():
        assert row.url.startswith("https://")
        assert len(bytes.fromhex(row.sha256)) == 32
        assert row.needed_by
    # GitHub's releases name a checkpoint of torch by the first digits of its SHA-256
    assert WEIGHTS["vggish"].file == f"vggish-{WEIGHTS['vggish'].sha256[:8]}.pth"


def test_weights_are_chosen_by_name_in_the_order_of_the_table(home):
    assert [row.name for row in select_weights(["vggish", "passt"])] == ["passt", "vggish"]
    assert select_weights() == select_weights([]) == tuple(WEIGHTS.values())
    assert weights_directory() == home / "weights"
    with pytest.raises(BenchError, match="no weights 'fad'; there are: passt, panns"):
        select_weights(["fad"])


def test_official_files_come_from_their_publishers_only():
    assert {
        "github.com",
        "objects.githubusercontent.com",
        "release-assets.githubusercontent.com",
        "zenodo.org",
        "dl.fbaipublicfiles.com",
        "huggingface.co",
        "cdn-lfs.huggingface.co",
        "cdn-lfs.hf.co",
        "cdn-lfs-us-1.hf.co",
        "cas-bridge.xethub.hf.co",
    } == REDIRECT_HOSTS | {str(urlsplit(row.url).hostname) for row in WEIGHTS.values()}


def test_fetching_from_a_mirror_keeps_the_official_name(server, row, tmp_path):
    path = fetch_weights(row, tmp_path, Origin(f"{server.url}/models/"))
    assert path == tmp_path / "Cnn14_16k_mAP=0.438.pth"
    assert path.read_bytes() == CONTENT
    assert server.asked == ["/models/Cnn14_16k_mAP%3D0.438.pth -"]
    assert is_verified(row, path)
    assert not list(tmp_path.glob("*.part"))


def test_fetching_again_asks_nobody(server, row, tmp_path):
    for _ in range(2):
        fetch_weights(row, tmp_path, Origin(server.url))
    assert len(server.asked) == 1


def test_a_fetch_goes_on_from_what_a_killed_process_left(server, row, tmp_path):
    (tmp_path / f"{row.file}.part").write_bytes(CONTENT[:9_000])
    assert fetch_weights(row, tmp_path, Origin(server.url)).read_bytes() == CONTENT
    assert server.asked[0].endswith("bytes=9000-")


def test_a_part_of_another_file_is_replaced_by_the_official_one(server, row, tmp_path):
    (tmp_path / f"{row.file}.part").write_bytes(b"x" * 9_000)
    assert fetch_weights(row, tmp_path, Origin(server.url)).read_bytes() == CONTENT
    assert [asked.split()[-1] for asked in server.asked] == ["bytes=9000-", "-"]


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(server, row, tmp_path):
    server.content = b"x" + CONTENT[1:]
    with pytest.raises(BenchError, match=r"is not the official file: its SHA-256 is .* expected"):
        fetch_weights(row, tmp_path, Origin(server.url))
    assert not [path for path in tmp_path.iterdir() if path.suffix in {".pth", ".part"}]


def test_a_damaged_file_is_replaced_and_stays_until_then(server, row, tmp_path):
    path = tmp_path / row.file
    path.write_bytes(CONTENT[:10])
    with pytest.raises(MissingError):
        fetch_weights(row, tmp_path, Origin(is_offline=True))
    assert path.read_bytes() == CONTENT[:10]
    assert fetch_weights(row, tmp_path, Origin(server.url)).read_bytes() == CONTENT


def test_a_folder_is_a_mirror_that_works_offline(row, tmp_path):
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with pytest.raises(MissingError, match="the mirror has no .*official names"):
        fetch_weights(row, tmp_path / "here", Origin(str(mirror), is_offline=True))
    (mirror / row.file).write_bytes(CONTENT)
    path = fetch_weights(row, tmp_path / "here", Origin(str(mirror), is_offline=True))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("size", [100, len(CONTENT) + 1])
def test_a_file_of_another_size_in_the_mirror_is_refused(row, tmp_path, size):
    (tmp_path / row.file).write_bytes((CONTENT + b"x")[:size])
    with pytest.raises(BenchError, match=r"truncated: 100 of|has 256,001 bytes, the official file"):
        fetch_weights(row, tmp_path / "here", Origin(str(tmp_path)))


def test_offline_names_the_command_to_run_elsewhere(row, tmp_path):
    with pytest.raises(MissingError) as caught:
        fetch_weights(row, tmp_path, Origin(is_offline=True))
    assert f"curl -L -o '{row.file}' '{row.url}'" in str(caught.value)
    assert "bench weights fetch panns --mirror FOLDER" in str(caught.value)


def test_a_full_disk_is_noticed_before_the_download(row, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(BenchError, match="needs 4.0 GiB more and .* has 1.0 GiB free"):
        fetch_weights(replace(row, size_bytes=2**32), tmp_path)


def test_two_processes_do_not_fetch_the_same_file(row, tmp_path):
    with (
        FileLock(tmp_path / f".{row.file}.lock"),
        pytest.raises(BenchError, match="another process is fetching"),
    ):
        fetch_weights(row, tmp_path)


def test_a_place_that_cannot_be_written_is_refused_by_name(row, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot put .* there"):
        fetch_weights(row, tmp_path / "file" / "folder")


def test_a_file_is_judged_by_its_content(row, tmp_path):
    path = tmp_path / "any name"
    assert find_problem(row, path) == "is not there"
    path.write_bytes(CONTENT)
    assert find_problem(row, path) is None
    path.write_bytes(CONTENT[:-1])
    assert find_problem(row, path) == "is truncated: 255,999 of 256,000 bytes"
    path.write_bytes(CONTENT[:-1] + b"x")
    assert "is not the official file" in str(find_problem(row, path))


def test_a_verified_file_is_not_read_again_until_it_changes(row, tmp_path, monkeypatch):
    monkeypatch.setitem(WEIGHTS, "panns", row)
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


def test_what_is_missing_is_told_by_columns_with_the_one_command_that_mends_it(home):
    directory = weights_directory()
    missing = missing_weights(["imagebind", "passt"], directory)
    assert [row.name for row in missing] == ["passt", "imagebind"]
    assert describe_missing(missing, directory) == (
        f"fd_passt, kl_passt, ib cannot be computed: {directory} lacks "
        "passt-s-f128-p16-s10-ap.476-swa.pt, imagebind_huge.pth; "
        "fetch with `bench weights fetch passt imagebind` (about 4.8 GiB)"
    )
    with pytest.raises(MissingError, match="fd_passt, kl_passt, ib cannot be computed"):
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
def bench(row, monkeypatch, capfd):
    """Run ``bench`` in this process, with one small file as the only weights; returns its end."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err.replace("\n", " ")

    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in set(WEIGHTS) - {"panns"}:
        monkeypatch.delitem(WEIGHTS, name)
    monkeypatch.setitem(WEIGHTS, "panns", row)
    return call


def test_list_shows_each_file_and_whether_it_is_here(bench, home, row):
    code, out, _ = bench("weights", "list")
    assert code == 0
    for word in ("panns  not here", row.file, "256,000 bytes", row.sha256, "CC-BY-4.0", "fd_panns"):
        assert word in out
    (home / "weights").mkdir(parents=True)
    (home / "weights" / row.file).write_bytes(CONTENT)
    assert "here, not verified" in bench("weights", "list")[1]
    bench("weights", "verify")
    assert "here, verified" in bench("weights", "list")[1]


def test_fetch_from_a_mirror_then_verify_exits_with_0(bench, server, tmp_path):
    place = ("--weights", tmp_path / "w")
    code, _, err = bench("weights", "fetch", "panns", "--mirror", server.url, *place)
    assert (code, "is the official file" in err) == (0, True)
    assert bench("weights", "verify", *place)[0] == 0


def test_verify_exits_with_1_and_names_the_remedy(bench, home, row):
    code, _, err = bench("weights", "verify")
    assert (code, "No weights in" in err) == (1, True)
    (home / "weights").mkdir(parents=True)
    (home / "weights" / row.file).write_bytes(CONTENT[:5])
    code, out, err = bench("weights", "verify", "panns")
    assert code == 1
    assert "is truncated: 5 of 256,000 bytes" in out
    assert "To fix: bench weights fetch panns" in err


def test_fetch_exits_with_2_where_it_is_refused(bench, monkeypatch):
    code, _, err = bench("weights", "fetch", "panns", "--offline")
    assert (code, "offline mode forbids" in err) == (2, True)
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    code, _, err = bench("weights", "fetch")
    assert (code, "curl -L" in err) == (2, True)
    code, _, err = bench("weights", "fetch", "fad")
    assert (code, "no weights 'fad'" in err) == (2, True)
