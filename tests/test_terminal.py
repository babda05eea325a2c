"""Output that is not UTF-8 gets ASCII for other characters; every error is one line."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from pathlib import Path

import pytest

from acfoley import cli as acfoley_cli
from bench import cli as bench_cli
from bench.cli.console import notices, progress_bars
from bench.results import Column, Results, Score, write_results
from bench.terminal import print_line, replace_unprintable, run_app

MCD = Column("mcd", "MCD", "lower", 2, "dB")
ONSETS = Column("onset_acc", "Onset Acc.", "higher", 3, has_chance=True)


@pytest.fixture
def streams(monkeypatch, tmp_path, home):
    """Replace the standard streams by some of an encoding; returns a caller of a command line."""
    monkeypatch.chdir(tmp_path)

    def use(encoding: str):
        def call(main, *arguments: object) -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
            for name in ("stdout", "stderr"):
                stream = io.TextIOWrapper(io.BytesIO(), encoding, write_through=True)
                monkeypatch.setattr(sys, name, stream)
            with pytest.raises(SystemExit) as end:
                main()
            out, err = (s.buffer.getvalue().decode(encoding) for s in (sys.stdout, sys.stderr))
            return int(end.value.code or 0), out, err

        return call

    return use


@pytest.fixture
def runs(tmp_path) -> Path:
    """Two finished runs whose tables have arrows, intervals, dashes and a name beyond ASCII."""
    for name, low in (("naïve-模型", 0.5), ("other", 0.7)):
        about = (name, "mini", "full", 42, "mini", "av-benchmark", 1, True, False, 9, 9, 0)
        scores = {"mcd": Score(1.0, low, 1.5, 9), "onset_acc": Score(None, None, None, 0)}
        write_results(tmp_path / "runs" / name, Results(*about, (MCD, ONSETS), scores))
    return tmp_path / "runs"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("style", ["terminal", "markdown", "latex", "csv"])
def test_tables_are_printed_in_any_encoding(style, encoding, runs, streams):
    code, out, err = streams(encoding)(bench_cli.main, "table", runs, "--format", style)
    assert (code, err) == (0, "")
    printed = {
        "ascii": r"na\xefve-\u6a21\u578b",
        "latin-1": r"naïve-\u6a21\u578b",
        "utf-8": "naïve-模型",
    }
    assert printed[encoding] in out
    if style in {"terminal", "markdown"}:
        arrow = "↓" if encoding == "utf-8" else "v"
        assert re.search(rf"dB\\?\] {arrow}[\s|]", out)


@pytest.mark.parametrize("style", ["markdown", "csv"])
def test_a_table_that_is_written_is_utf_8_everywhere(style, runs, streams, tmp_path):
    arguments = ("table", runs, "--format", style, "--out", tmp_path / "table")
    assert streams("ascii")(bench_cli.main, *arguments)[0] == 0
    assert "naïve-模型" in (tmp_path / "table").read_text("utf-8")


def test_a_comparison_and_its_errors_are_printed_in_ascii(runs, streams):
    code, _, err = streams("ascii")(bench_cli.main, "compare", "gibt-es-nicht-ü↓", runs / "other")
    assert code == 2
    assert err.startswith(r"error: gibt-es-nicht-\xfcv")
    assert err.count("\n") == 1


@pytest.mark.parametrize("main", [bench_cli.main, acfoley_cli.main])
def test_help_is_printed_in_ascii(main, streams):
    code, out, err = streams("ascii")(main, "--help")
    assert (code, err) == (0, "")
    assert "Usage" in out


def test_acfoley_refuses_a_video_beyond_ascii_in_one_line(streams):
    code, _, err = streams("ascii")(acfoley_cli.main, "generate", "--video", "größe.mp4")
    assert code == 2
    assert r"gr\xf6\xdfe.mp4" in err
    assert err.count("\n") == 1


def test_a_file_name_that_is_not_text_is_printed_as_an_escape(streams):
    name = os.fsdecode(b"dog\xff.wav")
    code, out, _ = streams("utf-8")(lambda: run_app(lambda: (print_line(name), sys.exit(0))))
    assert (code, out) == (0, "dog\\udcff.wav\n")


def test_progress_is_printed_on_an_ascii_terminal(streams, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")

    def work() -> None:
        replace_unprintable()
        assert notices().is_terminal
        with progress_bars() as progress:
            progress("extract", 0, 2)
            progress("extract", 2, 2)
        sys.exit(0)

    code, _, err = streams("ascii")(work)
    assert code == 0
    assert "* extract" in err
    assert "\\u28" not in err


ERRORS = {
    "a full disk": (
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        "error: No space left on device; free some space, or write elsewhere\n",
    ),
    "a disk that is read-only": (
        OSError(errno.EROFS, os.strerror(errno.EROFS), "runs/a.json"),
        "error: runs/a.json: Read-only file system; write elsewhere\n",
    ),
    "a library's own": (OSError("cannot decode"), "error: cannot decode\n"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_of_the_system_is_one_sentence_with_its_remedy(case, streams):
    error, expected = ERRORS[case]

    def app() -> None:
        raise error

    assert streams("utf-8")(lambda: run_app(app)) == (2, "", expected)


def test_an_unexpected_error_keeps_its_traceback(streams):
    def app() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        run_app(app)
    assert streams("utf-8")(lambda: run_app(app, ValueError)) == (2, "", "error: a bug\n")
