"""Progress of downloads: a bar in a terminal, a line now and then in a log."""

from __future__ import annotations

import pytest

from bench.checkpoints import commands
from bench.checkpoints.commands import GIBIBYTE, byte_bars


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which the test sets."""
    now = [1_000.0]
    monkeypatch.setattr(commands.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_half_minute_with_rate_and_time_left(clock, capsys):
    with byte_bars("clip") as show:
        for second in range(0, 91, 10):
            clock[0] = 1_000.0 + second
            show(GIBIBYTE + second * GIBIBYTE // 100, 39 * GIBIBYTE // 10)
    assert capsys.readouterr().err.splitlines() == [
        "clip: 1.30 of 3.90 GiB, 10.2 MiB/s, 4 min left",
        "clip: 1.60 of 3.90 GiB, 10.2 MiB/s, 4 min left",
        "clip: 1.90 of 3.90 GiB, 10.2 MiB/s, 3 min left",
    ]


def test_the_rate_of_a_check_is_not_that_of_the_download_before(clock, capsys):
    with byte_bars("clip") as show:
        show(0, GIBIBYTE)
        clock[0] += 29
        show(GIBIBYTE, GIBIBYTE)
        clock[0] += 1
        show(2**20, GIBIBYTE)
        clock[0] += 30
        show(GIBIBYTE // 2, GIBIBYTE)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "clip: 0.50 of 1.00 GiB, 17.0 MiB/s, 1 min left"


def test_a_file_of_unknown_size_has_no_time_left(clock, capsys):
    with byte_bars("vggish") as show:
        show(0, None)
        clock[0] += 60
        show(GIBIBYTE, None)
    assert capsys.readouterr().err == "vggish: 1.00 GiB, 17.1 MiB/s\n"


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "110")
    with byte_bars("clip") as show:
        show(2**20, 2**21)
        show(2**21, 2**21)
        show(2**19, 2**21)
    err = capsys.readouterr().err
    assert "clip" in err
    assert "2.0 MiB" in err
