"""Downloads go on where they stopped, and end where going on would be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.backbones.download import Download, download
from bench.backbones.verify import no_progress
from bench.errors import BenchError
from tests.backbones.web import CONTENT, Server, serve

LOCAL = {"127.0.0.1"}


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as state:
        yield state


@pytest.fixture
def part(tmp_path) -> Path:
    return tmp_path / "file.part"


def wanted(server: Server, size_bytes: int | None = len(CONTENT)) -> Download:
    return Download(f"{server.url}/file", size_bytes, LOCAL)


def get(server: Server, part: Path, size_bytes: int | None = len(CONTENT)) -> bytes:
    download(wanted(server, size_bytes), part, no_progress, pause_s=0)
    return part.read_bytes()


def test_a_download_reports_its_bytes_and_is_the_whole_file(server, part):
    seen = []
    download(wanted(server), part, lambda done, total: seen.append((done, total)))
    assert part.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert server.asked == ["/file -"]


def test_a_broken_connection_goes_on_where_it_stopped(server, part):
    server.cuts = [100_000, 50_000]
    assert get(server, part) == CONTENT
    assert server.asked == ["/file -", "/file bytes=100000-", "/file bytes=150000-"]


def test_an_earlier_part_is_kept_and_only_the_rest_is_asked_for(server, part):
    part.write_bytes(CONTENT[:200_000])
    assert get(server, part) == CONTENT
    assert server.asked == ["/file bytes=200000-"]


def test_nothing_is_asked_for_a_part_that_is_complete(server, part):
    part.write_bytes(CONTENT)
    assert get(server, part) == CONTENT
    assert server.asked == []


def test_a_server_without_ranges_starts_over(server, part):
    server.has_ranges = False
    part.write_bytes(b"x" * 1_000)
    assert get(server, part) == CONTENT


def test_a_part_longer_than_the_file_is_discarded(server, part):
    part.write_bytes(CONTENT + b"more")
    assert get(server, part) == CONTENT
    assert server.asked == [f"/file bytes={len(CONTENT) + 4}-", "/file -"]


def test_a_busy_server_is_asked_again(server, part):
    server.statuses = [503, 429]
    assert get(server, part) == CONTENT


def test_a_file_of_unpublished_size_is_taken_as_it_comes(server, part):
    server.states_length = False
    assert get(server, part, size_bytes=None) == CONTENT


def test_five_attempts_that_bring_nothing_end_the_download_and_keep_the_part(server, part):
    server.cuts = [70_000, *[0] * 5]
    with pytest.raises(BenchError, match="what has arrived is kept, and the same command goes on"):
        get(server, part)
    assert part.read_bytes() == CONTENT[:70_000]
    assert len(server.asked) == 6


def test_a_file_of_another_size_is_refused_before_it_is_downloaded(server, part):
    with pytest.raises(BenchError, match="offers 256,000 bytes, the official file has 7"):
        get(server, part, size_bytes=7)
    assert not part.exists()


def test_a_missing_page_is_refused_at_once(server, part):
    server.statuses = [404]
    with pytest.raises(BenchError, match="answers 404"):
        get(server, part)
    assert len(server.asked) == 1


def test_a_redirect_to_a_host_that_was_not_named_is_refused(server, part):
    server.redirect = "https://elsewhere.example/file"
    with pytest.raises(BenchError, match="leads to 'elsewhere.example', expected one of 127.0.0.1"):
        get(server, part)


def test_a_redirect_that_never_ends_is_refused(server, part):
    server.redirect = f"{server.url}/file"
    with pytest.raises(BenchError, match="redirect"):
        get(server, part)


def test_plain_http_to_another_machine_is_refused(part):
    foreign = Download("http://mirror.example/file", None, {"mirror.example"})
    with pytest.raises(BenchError, match="is not https"):
        download(foreign, part, no_progress)
