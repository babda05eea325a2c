"""What is in a run folder of somebody else, before any of it is opened.

A link may lead anywhere, and opening a pipe waits for ever: a folder that has any is not read. What
the files were is kept, so that a folder that changes while it is checked is not believed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RunError, format_names

#: A file that is larger is none of a run: most are of kilobytes, and the journal of 1,000,000 clips
#: has 3 GB.
MOST_FILE_BYTES = 2**32


@dataclass(frozen=True)
class Survey:
    """``problems`` has a sentence for each link and for what is neither a file nor a folder.

    ``states`` has what changes when a file does, by its path in the folder.
    """

    problems: tuple[str, ...]
    states: Mapping[str, tuple[int, ...]]


def survey_folder(home: Path) -> Survey:
    """Return what is in and below a folder; nothing is opened, no link is followed."""
    problems, states = [], {}
    for path, found in _walk(home.resolve()):
        if isinstance(found, OSError):
            problems.append(f"{path} cannot be listed: {found.strerror}")
        elif stat.S_ISLNK(found.st_mode):
            problems.append(f"{path} is a link; put the file or folder itself there")
        elif not stat.S_ISREG(found.st_mode):
            problems.append(f"{path} is neither a file nor a folder")
        elif found.st_size > MOST_FILE_BYTES:
            problems.append(f"{path} has {found.st_size:,} bytes, which no file of a run has")
        else:
            states[path] = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return Survey(tuple(sorted(problems)), states)


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result | OSError]]:
    """Everything but folders by its path below ``root``; of folders that cannot be listed, why."""
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(root / inside) as entries:
                for entry in entries:
                    path = f"{inside}/{entry.name}" if inside else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    else:
                        yield path, entry.stat(follow_symlinks=False)
        except OSError as error:
            yield inside or ".", error


def require_unchanged(before: Survey, home: Path) -> None:
    """Refuse a folder that is not any more what it was.

    Raises:
        RunError: a file changed, came or went.
    """
    now = survey_folder(home)
    names = before.states.keys() | now.states.keys()
    changed = sorted(each for each in names if before.states.get(each) != now.states.get(each))
    if changed or now.problems:
        what = format_names(map(repr, changed)) or now.problems[0]
        raise RunError(
            f"{home} changed while it was checked ({what}): check a copy that nobody writes to"
        )
