"""VGGSound-TVC: five prompts for each of 5,001 VGGSound clips, from true to unrelated.

The list is ControlFoley's ``conflict_dataset_full.tsv`` (Xiaomi Research). L0 is true; L1 is
another subject or another action; L2 another category with a similar rhythm; L3 a random other
class. ``bench data prepare tvc --from PATH`` checks the user's copy and keeps it; the clips are
those of VGGSound.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, MissingError
from bench.inputs import list_folder, read_records
from bench.io import atomic_path, bench_home, require_folder
from bench.matching import parse_canonical_name, parse_youtube_id
from bench.synthetic.protocols import CONFLICT_LEVELS

if TYPE_CHECKING:
    from bench.datasets.index import StageProgress
    from bench.engine import Engine

LICENCE = "VGGSound-TVC: CC BY-NC 4.0 (ControlFoley, Xiaomi Research): no commercial use"
TABLE = "conflict_dataset_full.tsv"
PREPARATION = f"bench data prepare tvc --from {TABLE}"
#: Rows of the published list.
PUBLISHED_CLIPS = 5_001
#: The column of each level, in the order of the file.
COLUMNS = {level: f"label_{level.replace('-', '_')}" for level in CONFLICT_LEVELS}
HEADER = ["video_id", "label_L0_raw", *COLUMNS.values()]


@dataclass(frozen=True)
class ConflictList:
    """The prompts of a clip by level, by the name of the clip, and sentences on the file."""

    prompts: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]


def tvc_directory() -> Path:
    """Return the folder of the list, ``$BENCH_HOME/data/tvc``."""
    return bench_home() / "data" / "tvc"


def prepare(
    source: Path, engine: Engine, progress: StageProgress, *, table: Path | None = None
) -> ConflictList:
    """Check the list at ``source``, the file or a folder that holds it, and keep a copy.

    ``table`` is the file itself, if ``source`` is something else. Nothing is decoded: ``engine``
    and ``progress`` are those of all datasets.

    Raises:
        MissingError: there is no such file.
        BenchError: it is not the list; the message names the line.
    """
    path = _find_list((table or source).expanduser().absolute())
    found = read_conflict_list(path)
    with atomic_path(require_folder(tvc_directory()) / TABLE) as temporary:
        temporary.write_bytes(path.read_bytes())
    return found


def _find_list(source: Path) -> Path:
    if source.is_file():
        return source
    found = [path for path in list_folder(source).other if path.name == TABLE]
    if not found:
        raise MissingError(f"{source} does not hold {TABLE} of ControlFoley's repository")
    if len({path.read_bytes() for path in found}) > 1:
        raise BenchError(f"{source} holds {len(found)} different files {TABLE}: name one by --from")
    return found[0]


def read_prepared() -> ConflictList:
    """Return the list that was prepared.

    Raises:
        MissingError: it was not; the message has the command.
    """
    path = tvc_directory() / TABLE
    if not path.is_file():
        raise MissingError(f"the prompts of VGGSound-TVC are not here: run `{PREPARATION}`")
    return read_conflict_list(path)


def read_conflict_list(path: Path) -> ConflictList:
    """Return the prompts of a copy of the list.

    Raises:
        BenchError: it has other columns, or a row without a clip of VGGSound, without a prompt, or
            of a clip that it had already; the message names the line.
    """
    columns, records = read_records(path)
    if columns != HEADER:
        raise BenchError(
            f"{path} is not {TABLE} of VGGSound-TVC: its columns are {', '.join(columns)}, "
            f"expected {', '.join(HEADER)}"
        )
    prompts: dict[str, dict[str, str]] = {}
    for line, row in records:
        name, where = row["video_id"], f"{path}, line {line}"
        if parse_youtube_id(name) is None or parse_canonical_name(name) != name:
            raise BenchError(
                f"{where}: {name!r} is no clip of VGGSound, <id>_<start second, six digits>"
            )
        if name in prompts:
            raise BenchError(f"{where}: {name} has a row already")
        if blank := [column for column in COLUMNS.values() if not row[column]]:
            raise BenchError(f"{where}: {name} has no prompt in {', '.join(blank)}")
        prompts[name] = {level: row[column] for level, column in COLUMNS.items()}
    if not prompts:
        raise BenchError(f"{path} has a header and no row")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    count = "" if len(prompts) == PUBLISHED_CLIPS else f", the published list {PUBLISHED_CLIPS:,}"
    note = f"{TABLE} has {len(prompts):,} clips{count} (SHA-256 {digest[:12]})"
    return ConflictList(prompts, (note,))


def summarize(found: ConflictList) -> str:
    """Return one sentence on what is here."""
    n = len(found.prompts)
    return f"{n:,} clips under {len(COLUMNS)} prompts: split vggsound-tvc (clips of VGGSound)"
