"""Output of both command lines: text for any terminal, and one line for each error.

Standard output may be unable to encode what is printed: in a terminal that is not UTF-8, in a pipe
whose encoding the environment sets, or for a file name that is not text. Such characters are
replaced by ASCII, so that no command fails after its work is done. Files are UTF-8 everywhere.
"""

from __future__ import annotations

import codecs
import errno
import io
import sys
from collections.abc import Callable

from rich.console import Console

from bench.errors import BenchError
from bench.extras import describe_missing_module

#: ASCII for the other characters of tables and progress bars; any more become backslash escapes.
REPLACEMENTS = {
    "↓": "v",
    "↑": "^",
    "±": "+-",
    "–": "-",
    "—": "-",
    "…": "...",
    "✓": "*",
    "×": "x",
    "·": ".",
}
#: The name under which the handler of encoding errors is registered.
ERRORS = "bench-replace"

#: The remedy of errors of the system that have one usual remedy.
ADVICE = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some space, or write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.ENOTDIR: "a part of this path is a file",
    errno.EACCES: "check its permissions, or use another place",
    errno.EPERM: "check its permissions, or use another place",
}


def run_app(app: Callable[[], object], *refusals: type[Exception]) -> None:
    """Run a command line; a BenchError or OSError becomes one line and exit code 2.

    ``refusals`` are further errors whose message is meant for the user.
    """
    replace_unprintable()
    expected: tuple[type[Exception], ...] = (BenchError, OSError, *refusals)
    try:
        app()
    except expected as error:
        print_notice(f"error: {_format_error(error)}")
        sys.exit(2)
    except ModuleNotFoundError as error:
        sentence = describe_missing_module(error.name or "")
        if sentence is None:
            raise
        print_notice(f"error: {sentence}")
        sys.exit(2)


def replace_unprintable() -> None:
    """Let the standard streams replace characters that they cannot encode, not raise an error."""
    codecs.register_error(ERRORS, _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def print_text(text: str) -> None:
    """Write text to standard output without an added line break."""
    # Flushed: in a pipe, lines would otherwise come after those on standard error.
    sys.stdout.write(text)
    sys.stdout.flush()


def print_line(text: str) -> None:
    """Write one line to standard output."""
    print_text(f"{text}\n")


def print_notice(text: str) -> None:
    """Write one line to standard error, so that standard output stays usable in a pipe."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def make_plain_console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Return a console that prints text literally.

    By default rich interprets ``[...]`` and ``:name:``, which file and clip names may contain.
    Style comes from ``Text`` and ``style=`` alone.
    """
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for the characters that could not be encoded, and the index to continue at."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    # ascii() quotes its text and escapes what is not ASCII: the quotes are cut off again.
    lost = error.object[error.start : error.end]
    escaped = (REPLACEMENTS.get(char) or ascii(char)[1:-1] for char in lost)
    return "".join(escaped), error.end


def _format_error(error: Exception) -> str:
    """Return the message of an error; for one of the system also its file and the remedy."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    advice = f"; {ADVICE[error.errno]}" if error.errno in ADVICE else ""
    return f"{where}{error.strerror}{advice}"
