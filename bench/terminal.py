"""What both command lines share: text that any terminal can show, and one line for each refusal.

Standard output may be unable to show what we print: in a terminal that is not UTF-8, in a pipe
whose encoding the environment sets, or for a file name that is no text at all. What cannot be
encoded is replaced by ASCII, so that no command fails after its work. Files are UTF-8 everywhere.
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

#: What our tables and bars print beyond ASCII; anything else becomes a backslash escape.
STAND_INS = {
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
#: The name of the handler of encoding errors that replaces them.
ERRORS = "bench-stand-in"

#: What to do about errors of the system that have one usual remedy.
ADVICE = {
    errno.ENOSPC: "free some space, or write elsewhere",
    errno.EDQUOT: "free some space, or write elsewhere",
    errno.EROFS: "write elsewhere",
    errno.ENOTDIR: "a part of this path is a file",
    errno.EACCES: "check its permissions, or use another place",
    errno.EPERM: "check its permissions, or use another place",
}


def run_app(app: Callable[[], object], *refusals: type[Exception]) -> None:
    """Run a command line; refusals, ours and the system's, become one line and exit code 2.

    ``refusals`` are further errors whose message is meant for the user.
    """
    replace_unprintable()
    expected: tuple[type[Exception], ...] = (BenchError, OSError, *refusals)
    try:
        app()
    except expected as error:
        print_notice(f"error: {_sentence(error)}")
        sys.exit(2)
    except ModuleNotFoundError as error:
        sentence = describe_missing_module(error.name or "")
        if sentence is None:
            raise
        print_notice(f"error: {sentence}")
        sys.exit(2)


def replace_unprintable() -> None:
    """Let the standard streams replace what their encoding lacks instead of raising an error."""
    codecs.register_error(ERRORS, _stand_in)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def print_text(text: str) -> None:
    """Write text to standard output as it stands, without a line break of its own."""
    sys.stdout.write(text)
    sys.stdout.flush()


def print_line(text: str) -> None:
    """Write one line to standard output."""
    print_text(f"{text}\n")


def print_notice(text: str) -> None:
    """Write one line to standard error, so that standard output stays usable in a pipe."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def plain_console(*, stderr: bool = False, width: int | None = None) -> Console:
    """A console that prints text as it stands, whatever brackets and colons the names in it have.

    Style comes from ``Text`` and ``style=`` alone.
    """
    return Console(stderr=stderr, width=width, markup=False, emoji=False, highlight=False)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    """ASCII for the characters that could not be encoded, and where to go on after them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(STAND_INS.get(char) or _escaped(char) for char in lost), error.end


def _escaped(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode("ascii")


def _sentence(error: Exception) -> str:
    """The message of an error; of one of the system also its file and what to do."""
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error)
    place = f"{error.filename}: " if error.filename else ""
    advice = f"; {ADVICE[error.errno]}" if error.errno in ADVICE else ""
    return f"{place}{error.strerror}{advice}"
