"""Space for what is unpacked, and a full disk told from damage: both are an OSError in a loop."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import BenchError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def name_full_disk(folder: Path) -> Iterator[None]:
    """Write to ``folder`` in the block.

    Raises:
        BenchError: the disk is full, or the user's share of it.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise BenchError(
            f"the disk of {folder} is full ({error.strerror}): free some space, or set BENCH_HOME "
            "to a larger disk; what is unpacked is kept, and the same command goes on from here"
        ) from error


def require_space(folder: Path, needed: int, what: str) -> None:
    """Check that ``needed`` bytes fit on the disk of ``folder``, which may not exist yet.

    Raises:
        BenchError: there is less space; ``what`` is to be unpacked.
    """
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise BenchError(
            f"unpacking {what} takes up to {needed / 2**30:.1f} GiB, and {existing} has "
            f"{free / 2**30:.1f} GiB free: set BENCH_HOME to a larger disk, or unpack them "
            "elsewhere and name that folder by --from"
        )
