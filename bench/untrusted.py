"""JSON and tables that others may have written, read without trusting them.

Whatever is in such a file costs one sentence: no file that blocks, no more bytes, digits or nesting
than our own files have, no key twice (programs differ in which one they take), no NaN, no values of
other types than a dataclass declares, no table that is small on disk and huge in memory.
"""

from __future__ import annotations

import json
import math
import os
import stat
import types
import typing
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, describe_cause, format_names

if TYPE_CHECKING:
    import pyarrow as pa

#: So large is no JSON file of a run: scores of 300 groups take 2 MB.
MOST_JSON_BYTES = 2**25
#: Containers inside one another; our own files have up to 6.
DEEPEST = 32
#: Seeds have up to 20 digits.
MOST_DIGITS = 30

#: Bytes that a table may have, those for each of its cells, as names of clips have up to 200
#: characters, and those of its file for each row.
TABLE_BYTES, CELL_BYTES, ROW_BYTES = 2**20, 256, 2**15
MOST_TABLE_BYTES = 2**30
#: The types of its columns, and the most characters of a text in it.
TABLE_TYPES = frozenset({"string", "large_string", "double", "int64", "null"})
LONGEST_TEXT = 1_000
#: What is packed by these is at most some 20 times larger; others make gigabytes of kilobytes.
PACKINGS = frozenset({"SNAPPY", "UNCOMPRESSED"})

#: JSON's names of the types of values.
WORDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def read_bytes(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file of at most so many bytes.

    Raises:
        BenchError: it is something else, is larger, or cannot be read.
    """
    try:
        # Opening a named pipe would wait for somebody who writes.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:  # noqa: PTH123 - it is no path
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BenchError(f"{path} is no regular file")
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise BenchError(f"cannot read {path}: {describe_cause(error)}") from error
    if len(content) > most_bytes:
        raise BenchError(f"{path} has more than {most_bytes:,} bytes, which no run writes")
    return content


def read_json_strictly(path: Path) -> Any:
    """Return the value in a JSON file that others may have written.

    Raises:
        BenchError: it is no regular file, is too large, or is not such JSON (``parse_json``).
    """
    content = read_bytes(path, MOST_JSON_BYTES)
    try:
        return parse_json(content)
    except ValueError as error:
        raise BenchError(f"cannot read {path} as JSON: {error}") from error


def parse_json(content: bytes) -> Any:
    """Return the value of JSON in UTF-8.

    Raises:
        ValueError: it is damaged, is nested more than ``DEEPEST``, has a key twice, or a number
            that is not finite or has more than ``MOST_DIGITS`` digits.
    """
    try:
        value = json.loads(
            content.decode(),
            object_pairs_hook=_unique,
            parse_int=_whole_number,
            parse_float=_number,
            parse_constant=_number,
        )
    except RecursionError as error:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from error
    if _is_deeper(value, DEEPEST):
        raise ValueError(f"it is nested more than {DEEPEST} deep")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"it has the key {short_repr(twice)} twice")
    return found


def _whole_number(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"it has a number of {len(text)} digits")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"it has the number {short_repr(text)}, which is not finite")
    return number


def _is_deeper(value: Any, levels: int) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return bool(parts) and (levels == 0 or any(_is_deeper(part, levels - 1) for part in parts))


def build(kind: Any, value: Any, name: str) -> Any:
    """Return a value of JSON as ``kind``.

    That is a dataclass of fields with a default or a value, ``str``, ``int``, ``float``, ``bool``,
    ``Any``, or one of ``tuple[X, ...]``, ``Mapping[str, X]`` and ``X | None``.

    Raises:
        TypeError: a value is of another type, or a field is missing or unknown; ``name`` is that of
            the whole value.
    """
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or (type(value) in (int, float) and kind is float) or type(value) is kind:
        return value
    if origin in (types.UnionType, typing.Union):
        return None if value is None else build(parts[0], value, name)
    if origin is tuple and isinstance(value, list):
        return tuple(build(parts[0], each, f"{name}[{i}]") for i, each in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {key: build(parts[1], each, f"{name}.{key}") for key, each in value.items()}
    if is_dataclass(kind) and isinstance(value, dict):
        return _build_fields(kind, value, name)
    expected = WORDS.get(kind) or ("a list" if origin is tuple else "an object")
    raise TypeError(f"{name} is malformed: {short_repr(value)}, expected {expected}")


def _build_fields(kind: Any, value: Mapping[str, Any], name: str) -> Any:
    hints = _field_types(kind)
    if unknown := value.keys() - hints.keys():
        raise TypeError(f"{name} has {short_repr(min(unknown))}, which is not known")
    needed = {
        each.name
        for each in fields(kind)
        if each.default is MISSING and each.default_factory is MISSING
    }
    if missing := needed - value.keys():
        raise TypeError(f"{name} has no {min(missing)}")
    return kind(**{key: build(hints[key], each, f"{name}.{key}") for key, each in value.items()})


@cache
def _field_types(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def read_table(path: Path, most_rows: int) -> pa.Table:
    """Return a Parquet table of texts and numbers; its footer is checked before its rows are read.

    Raises:
        BenchError: it is damaged, has more rows, other types, a column twice, longer texts, or is
            packed so that it may need far more memory than its cells do.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        most_bytes = min(TABLE_BYTES + ROW_BYTES * most_rows, MOST_TABLE_BYTES)
        content = pa.BufferReader(read_bytes(path, most_bytes))
        texts = _check_footer(pq.read_metadata(content), most_rows)
        # Each text once, however many rows have it: their length is checked before they multiply.
        table = pq.ParquetFile(content, read_dictionary=texts).read(use_threads=False)
        columns = []
        for column in table.columns:
            if pa.types.is_dictionary(column.type):
                for chunk in column.chunks:
                    if (pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0) > LONGEST_TEXT:
                        raise BenchError(f"a text in it has more than {LONGEST_TEXT} bytes")
                column = column.cast(column.type.value_type)
            columns.append(column)
        return pa.table(columns, names=table.column_names)
    except BenchError:
        raise
    except Exception as error:  # what damaged bytes raise depends on where they are
        raise BenchError((str(error).splitlines() or [type(error).__name__])[0]) from error


def _check_footer(footer: Any, most_rows: int) -> list[str]:
    """Refuse a table by its footer; return the names of the columns of texts."""
    if footer.num_rows > most_rows:
        raise BenchError(f"it has {footer.num_rows:,} rows, at most {most_rows:,} are expected")
    schema = footer.schema.to_arrow_schema()
    if odd := [each.name for each in schema if str(each.type) not in TABLE_TYPES]:
        raise BenchError(f"columns are neither texts nor numbers: {format_names(odd)}")
    if len(set(schema.names)) < len(schema.names):
        raise BenchError("it has a column twice")
    chunks = [
        footer.row_group(group).column(column)
        for group in range(footer.num_row_groups)
        for column in range(footer.num_columns)
    ]
    if packed := {chunk.compression for chunk in chunks} - PACKINGS:
        raise BenchError(f"it is packed by {format_names(sorted(packed))}, expected snappy")
    size = sum(chunk.total_uncompressed_size for chunk in chunks)
    if size > TABLE_BYTES + CELL_BYTES * footer.num_rows * footer.num_columns:
        raise BenchError(f"it has {size:,} bytes, far more than its {footer.num_rows:,} rows need")
    return [each.name for each in schema if "string" in str(each.type)]


def require_columns(found: Collection[str], known: Collection[str]) -> None:
    """Refuse a table with columns that are not known.

    Raises:
        BenchError: there are some.
    """
    if odd := sorted(set(found) - set(known)):
        names = format_names(short_repr(each) for each in odd)
        raise BenchError(f"it has columns that no run writes here: {names}")


def make_printable(text: str) -> str:
    """Return a text of others for a terminal or page: control characters escaped, cut if long."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return "".join(escaped)[:LONGEST_TEXT]
