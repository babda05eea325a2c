"""What the suite says when it refuses.

    BenchError              anything a user can fix; the command line prints it and exits with 2
    ├── MediaError          a file that cannot be read, written or used as what it was given for
    ├── MissingError        something that must be there first: clips, weights, an optional package
    └── RunError            a run directory that is locked, foreign or half understood

A message is one sentence or two: what was found, what was expected, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable


class BenchError(Exception):
    """A refusal that names its reason and its remedy."""


class MediaError(BenchError):
    """A media file cannot be read, written, or used for what it was given for."""


class MissingError(BenchError):
    """Something must be prepared, fetched or installed first; the message says how."""


class RunError(BenchError):
    """A run directory is in use, belongs to another configuration, or is damaged."""


def format_names(names: Iterable[object], most: int = 3) -> str:
    """Return the first ``most`` names as text, and how many more there are.

    >>> format_names("abcde")
    'a, b, c and 2 more'
    """
    named = [str(name) for name in names]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more
