"""Downloads resume where they stopped, start over once where that is wrong, and always end."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.checkpoints.download import Download, download
from bench.errors import BenchError
from tests.checkpoints.web import CONTENT, Server, serve


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve() as state:
        yield state


@pytest.fixture
def part(tmp_path) -> Path:
    return tmp_path / "file.part"


def wanted(server: Server, size_bytes: int | None = len(CONTENT)) -> Download:
    return Download(f"{server.url}/file", size_bytes)


def other_content(path: Path) -> str | None:
    return None if path.read_bytes() == CONTENT else "is another file"


def get(server: Server, part: Path, size_bytes: int | None = len(CONTENT)) -> bytes:
    download(wanted(server, size_bytes), part, other_content, pause_s=0)
    return part.read_bytes()


def test_a_download_reports_its_bytes_and_is_complete(server, part):
    seen = []
    download(wanted(server), part, other_content, lambda *done: seen.append(done))
    assert part.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert server.asked == ["/file -"]


def test_a_broken_connection_is_resumed(server, part):
    server.cuts = [100_000, 50_000]
    assert get(server, part) == CONTENT
    assert server.asked == ["/file -", "/file bytes=100000-", "/file bytes=150000-"]


def test_an_earlier_part_is_kept_and_only_the_rest_is_asked_for(server, part):
    part.write_bytes(CONTENT[:200_000])
    assert get(server, part) == CONTENT
    assert server.asked == ["/file bytes=200000-"]


def test_no_request_is_made_for_a_complete_part(server, part):
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
    assert server.asked == ["/file -"]


@pytest.mark.parametrize("size_bytes", [None, len(CONTENT)])
def test_a_part_that_is_the_whole_file_is_kept(server, part, size_bytes):
    part.write_bytes(CONTENT)
    assert get(server, part, size_bytes) == CONTENT
    assert server.asked == ([f"/file bytes={len(CONTENT)}-"] if size_bytes is None else [])


WRONG_ANSWERS = ["part200", "bare-part200", "whole206", "bare-whole206", "other206"]


@pytest.mark.parametrize("size_bytes", [None, len(CONTENT)])
@pytest.mark.parametrize("quirk", WRONG_ANSWERS)
def test_a_wrong_answer_to_a_request_for_the_rest_starts_over_once(server, part, quirk, size_bytes):
    server.quirk = quirk
    part.write_bytes(CONTENT[:100_000])
    assert get(server, part, size_bytes) == CONTENT
    assert server.asked == ["/file bytes=100000-", "/file -"]


@pytest.mark.parametrize("quirk", WRONG_ANSWERS)
def test_wrong_answers_after_starting_over_end_the_download_and_leave_no_part(server, part, quirk):
    server.quirk = quirk
    server.cuts = [50_000] * 9
    part.write_bytes(CONTENT[:100_000])
    with pytest.raises(BenchError, match="--mirror") as caught:
        get(server, part)
    assert "\n" not in str(caught.value)
    assert len(server.asked) <= 4
    assert not part.exists()


@pytest.mark.parametrize("bad", [b"x" * 1_000, b"x" * len(CONTENT), b"x" * 300_000])
@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_part_of_another_file_is_noticed_and_replaced(server, part, bad, has_ranges):
    server.has_ranges = has_ranges
    part.write_bytes(bad)
    assert get(server, part) == CONTENT
    assert len(server.asked) <= 2


def test_a_complete_file_that_is_wrong_is_asked_for_once_and_not_kept(server, part):
    server.content = CONTENT[::-1]
    with pytest.raises(
        BenchError, match="the file at .* is another file; nothing of it was kept: try ano"
    ):
        get(server, part)
    assert server.asked == ["/file -"]
    assert not part.exists()


@pytest.mark.parametrize("size_bytes", [None, len(CONTENT)])
def test_a_page_instead_of_a_file_is_refused_and_costs_no_part(server, part, size_bytes):
    server.quirk = "page"
    part.write_bytes(CONTENT[:100_000])
    with pytest.raises(BenchError, match=r"gives a web page, not a file \(a log-in page"):
        get(server, part, size_bytes)
    assert part.read_bytes() == CONTENT[:100_000]


def test_a_file_of_another_size_costs_no_part(server, part):
    server.has_ranges = False
    server.content = b"Log in, please"
    part.write_bytes(CONTENT[:100_000])
    with pytest.raises(BenchError, match="offers 14 bytes, the official file has 256,000"):
        get(server, part)
    assert part.read_bytes() == CONTENT[:100_000]


def test_a_server_that_sends_more_than_the_file_does_not_fill_the_disk(server, part):
    server.quirk = "endless"
    with pytest.raises(BenchError, match="the server sends more than 256,000 bytes"):
        get(server, part)
    assert not part.exists()


def test_a_server_that_always_breaks_and_knows_no_ranges_ends_the_download(server, part):
    server.has_ranges = False
    server.cuts = [50_000, 60_000] * 20
    with pytest.raises(BenchError, match="what has arrived is kept"):
        get(server, part)
    assert len(server.asked) <= 8


def test_an_answer_without_a_length_that_ends_early_is_resumed(server, part):
    server.states_length = False
    server.cuts = [70_000]
    assert get(server, part) == CONTENT
    assert server.asked == ["/file -", "/file bytes=70000-"]


def test_a_busy_server_is_asked_again(server, part):
    server.statuses = [503, 429]
    assert get(server, part) == CONTENT


def test_a_file_of_unpublished_size_is_accepted(server, part):
    server.states_length = False
    assert get(server, part, size_bytes=None) == CONTENT


def test_five_attempts_without_new_bytes_end_the_download_and_keep_the_part(server, part):
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


def test_a_redirect_to_another_server_is_followed_because_the_checksum_decides(server, part):
    with serve() as other:
        server.redirect = other.url.replace("127.0.0.1", "localhost")
        assert get(server, part) == CONTENT
        assert len(other.asked) == 1


def test_a_redirect_to_plain_http_on_another_machine_is_refused(server, part):
    server.redirect = "http://elsewhere.example/file"
    with pytest.raises(BenchError, match=r"leads to http://elsewhere\.example/file, which is not"):
        get(server, part)
    assert not part.exists()


def test_an_official_url_may_not_lead_to_plain_http_on_this_machine(server, part, monkeypatch):
    answers = [httpx.Response(302, headers={"Location": f"{server.url}/file"})]
    transport = httpx.MockTransport(lambda request: answers.pop())
    real = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **options: real(transport=transport, **options))
    official = Download("https://publisher.example/file", len(CONTENT))
    with pytest.raises(BenchError, match="is not https"):
        download(official, part, other_content)
    assert server.asked == []


def test_an_unpublished_size_that_does_not_fit_is_noticed_when_the_server_states_it(
    server, part, monkeypatch
):
    usage = shutil.disk_usage(part.parent)._replace(free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    part.write_bytes(CONTENT[:56_000])
    with pytest.raises(BenchError, match="has 200,000 bytes more and .* has 1,000 bytes free"):
        get(server, part, size_bytes=None)
    assert part.read_bytes() == CONTENT[:56_000]


def test_a_redirect_that_never_ends_is_refused(server, part):
    server.redirect = f"{server.url}/file"
    with pytest.raises(BenchError, match="redirect"):
        get(server, part)


def test_plain_http_to_another_machine_is_refused(part):
    foreign = Download("http://mirror.example/file", None)
    with pytest.raises(BenchError, match="mirror.example/file is not https"):
        download(foreign, part, other_content)


def test_an_invalid_url_is_refused_by_name(part):
    with pytest.raises(BenchError, match="cannot download http://127.0.0.1:bad/file"):
        download(Download("http://127.0.0.1:bad/file", None), part, other_content)
