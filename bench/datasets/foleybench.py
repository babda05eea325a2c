"""FoleyBench: unpack its Parquet rows, which hold videos as base64 text, and write the manifest.

Its rows (``FoleyBench/foleybench`` on the hub, gated) have a ``caption``, and in ``video_data`` an
mp4 as text. A copy that was written anew may have other names for them, or bytes instead of text:
the first column of ``VIDEO_COLUMNS`` and of ``CAPTION_COLUMNS`` counts. Which other columns
describe a clip is not documented: those of strings are kept in ``labels.json`` under their own
names, and the first that divides the clips into a few kinds is the group that results are also
reported by.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.datasets.disk import name_full_disk, require_space
from bench.datasets.index import Facts, Index, StageProgress, open_index
from bench.datasets.scan import holds_bytes
from bench.datasets.vggsound import find_problem
from bench.digests import file_state
from bench.errors import BenchError, MissingError
from bench.inputs import list_folder
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, sort_rows, write_manifest
from bench.io import SAFE_NAME, atomic_path, bench_home, require_folder, write_json
from bench.matching import make_clip_name

if TYPE_CHECKING:
    import pyarrow.parquet as pq

    from bench.engine import Engine

LICENCE = (
    "FoleyBench: CC BY-NC-SA 4.0 (arXiv 2511.13219), not for commercial use; the footage belongs "
    "to its uploaders, and its authors delete clips on request"
)
LABELS = "labels.json"
#: In the order in which they are preferred; the first of each is the published one.
VIDEO_COLUMNS = ("video_data", "video", "video_bytes", "video_base64", "mp4")
CAPTION_COLUMNS = ("caption", "audio_caption", "prompt", "text", "description")
NAME_COLUMNS = ("clip_id", "video_id", "youtube_id", "id", "key", "name", "file_name")
#: Rows in memory at a time: a video takes a few MB, and as text a third more.
ROWS_AT_ONCE = 8
#: Read of a file at a time, instead of the columns of all row groups in advance.
BUFFER_BYTES = 2**20
#: A column that divides the clips into so many kinds is a group; more are names or descriptions.
MOST_GROUPS = 20


class _Columns(NamedTuple):
    """The columns of a table that hold the video and the caption, and all of short strings."""

    video: str
    caption: str
    strings: tuple[str, ...]


class _Row(NamedTuple):
    """A row of a table that was unpacked: the clip, its digest, and its columns of strings."""

    clip: str
    digest: str
    strings: dict[str, str]
    caption: str = ""
    problem: str = ""


def foleybench_directory() -> Path:
    """Return the folder of the manifest, ``$BENCH_HOME/data/foleybench``."""
    return bench_home() / "data" / "foleybench"


def prepare(
    source: Path, engine: Engine, progress: StageProgress, *, table: Path | None = None
) -> Manifest:
    """Unpack the rows of the Parquet files at ``source``, a folder or one file; write the manifest.

    Videos go to ``clips`` beside the manifest, each renamed into its place once it is complete. The
    same call again writes only what is missing. Memory holds the videos of one row group about
    twice, whatever the number of groups: writers put all of them on one page.

    Raises:
        MissingError: there is no Parquet file with videos, or no clip can be used.
        BenchError: one cannot be read, the disk has not enough space, or ``table`` is named.
    """
    if table is not None:
        raise BenchError("foleybench is its rows: it takes no --table")
    directory = require_folder(foleybench_directory())
    folder = require_folder(directory / "clips")
    tables = _find_tables(source.expanduser().absolute())
    _require_space(tables, folder)
    with open_index(directory / "index.sqlite") as index:
        unpacked, note = _unpack_tables(tables, folder, index, progress)
        files = [folder / f"{row.clip}.mp4" for row in unpacked if not row.problem]
        facts = index.describe_files(files, engine, progress)
    rows = [_describe(row, folder, facts) for row in unpacked]
    if all(row.problem for row in rows):
        raise MissingError(
            f"{source} has {len(rows)} clips and none can be used ({rows[0].clip}: "
            f"{rows[0].problem})"
        )
    notes = filter(None, [note, _keep_labels(directory / LABELS, unpacked)])
    lists = {"clips": _digest_clips(unpacked)}
    manifest = Manifest("foleybench", sort_rows(rows), LICENCE, lists, tuple(notes))
    write_manifest(directory / MANIFEST, manifest)
    return manifest


def _open_table(path: Path) -> pq.ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise BenchError(f"cannot read {path}: {error}") from error


def _find_tables(source: Path) -> list[Path]:
    """Return the Parquet files at ``source`` that hold videos, by name."""
    others = (source,) if source.is_file() else list_folder(source).other
    tables = sorted(path for path in others if path.suffix.lower() == ".parquet")
    found, reason = [], "there is no .parquet file (FoleyBench/foleybench on the hub has them)"
    for path in tables:
        with _open_table(path) as table:
            try:
                _find_columns(table)
                found.append(path)
            except MissingError as error:
                reason = f"{path.name} {error}"
    if not found:
        raise MissingError(f"{source} has no table of FoleyBench: {reason}")
    return found


def _find_columns(table: pq.ParquetFile) -> _Columns:
    """Return which columns hold videos and captions.

    Raises:
        MissingError: the table lacks either; the message has the columns that it has.
    """
    import pyarrow as pa

    fields = {field.name: field.type for field in table.schema_arrow}
    strings = [
        name
        for name, kind in fields.items()
        if pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ]
    videos = (name for name in VIDEO_COLUMNS if name in strings or holds_bytes(fields.get(name)))
    captions = (name for name in CAPTION_COLUMNS if name in strings)
    video, caption = next(videos, None), next(captions, None)
    if video is None or caption is None:
        raise MissingError(
            f"has the columns {', '.join(table.schema_arrow.names)}, expected are a video "
            f"({', '.join(VIDEO_COLUMNS)}) and a caption ({', '.join(CAPTION_COLUMNS)})"
        )
    return _Columns(video, caption, tuple(name for name in strings if name != video))


def _count_rows(path: Path) -> int:
    with _open_table(path) as table:
        return int(table.metadata.num_rows)


def _choose_name_column(tables: list[Path]) -> str:
    """Return the column whose values name every clip once, "" where none does."""
    for column in NAME_COLUMNS:
        counts: Counter[str] = Counter()
        n_rows = 0
        for path in tables:
            with _open_table(path) as table:
                n_rows += table.metadata.num_rows
                if column in table.schema_arrow.names:
                    values = table.read([column]).column(column).to_pylist()
                    counts.update(_clean_name(value) for value in values if value is not None)
        if counts.total() == n_rows == len(counts) and all(map(SAFE_NAME.fullmatch, counts)):
            return column
    return ""


def _clean_name(value: object) -> str:
    return Path(str(value)).name.removesuffix(".mp4")


def _require_space(tables: list[Path], folder: Path) -> None:
    """Refuse to unpack more than the disk has space for; three bytes are four letters of base64."""
    needed = 0
    for path in tables:
        with _open_table(path) as table:
            columns = _find_columns(table)
            groups = (table.metadata.row_group(i) for i in range(table.metadata.num_row_groups))
            parts = (each.column(i) for each in groups for i in range(each.num_columns))
            size = sum(
                each.total_uncompressed_size
                for each in parts
                if each.path_in_schema.partition(".")[0] == columns.video
            )
            is_binary = holds_bytes(table.schema_arrow.field(columns.video).type)
            needed += size if is_binary else size * 3 // 4
    present = sum(path.stat().st_size for path in folder.glob("*.mp4"))
    require_space(folder, needed - present, "FoleyBench")


def _unpack_tables(
    tables: list[Path], folder: Path, index: Index, progress: StageProgress
) -> tuple[list[_Row], str]:
    """Unpack what is missing; return one row for each clip, and a note on rows of equal videos."""
    name_column = _choose_name_column(tables)
    n_rows = sum(_count_rows(path) for path in tables)
    unpacked: dict[str, _Row] = {}
    n_done = 0
    for path in tables:
        state = f"{file_state(path)}:{name_column}"
        known = [_Row(*each) for each in index.recall_archive(state) or ()]
        if not known or not all(_is_unpacked(row, folder) for row in known):
            known = []
            for row in _unpack(path, name_column, folder):
                known.append(row)
                progress("unpack", n_done + len(known), n_rows)
            index.remember_archive(state, known)
        n_done += len(known)
        unpacked |= {row.clip: row for row in known}
    progress("unpack", n_rows, n_rows)
    twice = n_rows - len(unpacked)
    note = f"{twice} of {n_rows} rows hold a video that another row has" if twice else ""
    return list(unpacked.values()), note


def _is_unpacked(row: _Row, folder: Path) -> bool:
    return bool(row.problem) or (folder / f"{row.clip}.mp4").is_file()


def _unpack(path: Path, name_column: str, folder: Path) -> Iterator[_Row]:
    """Write the videos of a table to ``folder``, and yield what is left of each row."""
    import pyarrow as pa

    with _open_table(path) as table:
        columns = _find_columns(table)
        wanted = sorted({*columns.strings, columns.video, *filter(None, [name_column])})
        number = 0
        try:
            for batch in table.iter_batches(ROWS_AT_ONCE, columns=wanted):
                for row in batch.to_pylist():
                    where = make_clip_name(Path(f"{path.stem}_{number}.mp4"))
                    yield _unpack_row(row, columns, name_column, where, folder)
                    number += 1
        except (OSError, pa.ArrowException) as error:
            raise BenchError(f"{path} is damaged after {number} rows: {error}") from error


def _unpack_row(
    row: dict[str, Any], columns: _Columns, name_column: str, where: str, folder: Path
) -> _Row:
    kept = {name: row[name] for name in columns.strings if row[name]}
    name = _clean_name(row[name_column]) if name_column else ""
    kept_row = _Row(name or where, "", kept, kept.get(columns.caption, ""))
    try:
        video = _decode(row[columns.video])
    except ValueError as error:
        return kept_row._replace(problem=f"its {columns.video} is no base64 text: {error}")
    if not video:
        return kept_row._replace(problem=f"its {columns.video} is empty")
    digest = hashlib.sha256(video).hexdigest()
    # By its bytes: the order of rows may differ in another copy.
    clip = name or f"foley_{digest[:16]}"
    destination = folder / f"{clip}.mp4"
    if not destination.is_file() or destination.stat().st_size != len(video):
        with name_full_disk(folder), atomic_path(destination) as temporary:
            temporary.write_bytes(video)
    return kept_row._replace(clip=clip, digest=digest)


def _decode(held: Any) -> bytes:
    """Return the bytes of a video: as they are, in ``{bytes, path}``, or as base64 text."""
    content = held["bytes"] if isinstance(held, dict) else held
    if isinstance(content, bytes):
        return content
    # Some writers break lines, or begin with "data:video/mp4;base64,".
    text = "".join((content or "").rpartition("base64,")[2].split())
    return base64.b64decode(text, validate=True)


def _describe(row: _Row, folder: Path, facts: Mapping[Path, Facts]) -> MediaRow:
    # The benchmark is for testing, although the hub calls its only part "train".
    listed = MediaRow(row.clip, row.caption, "test", problem=row.problem)
    if row.problem:
        return listed
    path = folder / f"{row.clip}.mp4"
    listed = replace(listed, path=str(path))
    if "problem" in facts[path]:
        return replace(listed, problem=facts[path]["problem"])
    listed = replace(listed, **facts[path])
    seconds = listed.video_s or listed.audio_s
    return replace(listed, seconds=seconds or listed.seconds, problem=find_problem(listed))


def _keep_labels(path: Path, rows: Iterable[_Row]) -> str:
    """Write the columns of strings; return a note on the one that divides the clips, if any."""
    strings = {row.clip: row.strings for row in rows}
    names = dict.fromkeys(name for each in strings.values() for name in each)
    for name in CAPTION_COLUMNS:
        names.pop(name, None)
    values = {name: {each.get(name, "") for each in strings.values()} for name in names}
    group = next((name for name in names if 2 <= len(values[name] - {""}) <= MOST_GROUPS), "")
    write_json(path, {"group": group, "clips": strings})
    if not group:
        return ""
    return f"groups are the {len(values[group] - {''})} kinds of the column {group!r}"


def _digest_clips(rows: Iterable[_Row]) -> str:
    """Return one SHA-256 of all clips: equal for equal videos under equal names."""
    lines = sorted(f"{row.clip} {row.digest}\n" for row in rows)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def summarize(manifest: Manifest) -> str:
    """Return one sentence on how many clips can be used."""
    here = sum(not row.problem for row in manifest.rows)
    return f"{here} of {len(manifest.rows)} clips can be used"
