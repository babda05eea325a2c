"""Errors that a user can fix.

    BenchError              any of them; the command line prints the message and exits with 2
    ├── MediaError          a file cannot be read or written, or not used for its purpose
    ├── MissingError        clips, weights or an optional package have to be installed first
    └── RunError            a run directory is locked, damaged or of another configuration

A message is one sentence or two: what was found, what was expected, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable


class BenchError(Exception):
    """An error whose message names its reason and its remedy."""


class MediaError(BenchError):
    """A media file cannot be read or written, or not used for its purpose."""


class MissingError(BenchError):
    """Something has to be prepared, fetched or installed first; the message has the command."""


class RunError(BenchError):
    """A run directory is in use, belongs to another configuration, or is damaged."""


def describe_cause(error: Exception) -> str:
    """Return why something failed, without the number and path in the text of an OSError."""
    return getattr(error, "strerror", None) or str(error)


def format_names(names: Iterable[object], most: int = 3) -> str:
    """Return the first ``most`` names as text, and the number of the others.

    >>> format_names("abcde")
    'a, b, c and 2 more'
    """
    named = [str(name) for name in names]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more
