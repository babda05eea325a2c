"""Read text files that users bring: tables (.csv, .tsv) and lists with one entry a line.

A field in quotes may contain delimiters and line breaks. The delimiter (tab, comma or semicolon) is
the one under which all rows have equally many cells: the suffix is not reliable, since spreadsheets
save semicolons as .csv. Text is UTF-8, or UTF-16 with its byte order mark as spreadsheets export
it; no other encoding is guessed.
"""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError

DELIMITERS = ("\t", ",", ";")


class Row(NamedTuple):
    """The cells of one row without surrounding blanks, and the number of its first line."""

    line: int
    cells: tuple[str, ...]


class Record(NamedTuple):
    """The cells of one row by column of the header, and the number of its first line."""

    line: int
    cells: dict[str, str]


def read_table(path: Path) -> list[Row]:
    """Return the rows of a table that are not blank, including the header if it has one.

    Raises:
        BenchError: the file cannot be read, is not UTF-8, or breaks the rules of CSV.
    """
    text = _read_text(path, "the list")
    tables: list[list[Row]] = []
    errors: list[BenchError] = []
    for delimiter in DELIMITERS:
        try:
            tables.append(_parse(text, delimiter, path))
        except BenchError as error:
            errors.append(error)
    # One column under every delimiter is no table, although its rows are equally wide.
    for rows in tables:
        widths = {len(row.cells) for row in rows}
        if len(widths) == 1 and widths != {1}:
            return rows
    # No delimiter fits all rows: take the one that splits the first row most, so that the caller
    # reports the line that does not fit.
    widest = max(tables, key=lambda rows: len(rows[0].cells) if rows else 0, default=[])
    is_split = bool(widest) and len(widest[0].cells) > 1
    if errors and not is_split:
        raise errors[0]
    return widest


def read_records(path: Path) -> tuple[list[str], list[Record]]:
    """Return the columns of a table with a header, and its rows by column.

    Raises:
        BenchError: as for ``read_table``, or a column occurs twice, or a row has more or fewer
            cells than the header; the message names the line.
    """
    rows = read_table(path)
    columns = list(rows[0].cells) if rows else []
    if len(set(columns)) < len(columns):
        raise BenchError(f"{path} has a column twice: {', '.join(columns)}")
    for row in rows[1:]:
        if len(row.cells) != len(columns):
            raise BenchError(
                f"{path}, line {row.line}: {len(row.cells)} cells under {len(columns)} columns "
                "(put text that contains the delimiter in double quotes)"
            )
    cells = (dict(zip(columns, row.cells, strict=True)) for row in rows[1:])
    return columns, [Record(row.line, each) for row, each in zip(rows[1:], cells, strict=True)]


def _parse(text: str, delimiter: str, path: Path) -> list[Row]:
    # newline="": csv must see the line breaks inside quoted fields as they are.
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    rows, line = [], 1
    try:
        for cells in reader:
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped):
                rows.append(Row(line, stripped))
            # A quoted field may span lines: the next row starts after the last line of this one.
            line = reader.line_num + 1
    except csv.Error as error:
        raise BenchError(f"cannot read the list {path}, line {line}: {error}") from error
    return rows


def read_lines(path: Path, content: str) -> list[tuple[int, str]]:
    """Return the lines of a text file that are not blank, stripped, with their numbers.

    ``content`` describes the file in messages, such as ``the names of clips in``.

    Raises:
        BenchError: the file cannot be read or is not UTF-8.
    """
    # Not splitlines(): it also breaks at form feeds and Unicode's separators, and the numbers would
    # be off from those in an editor.
    lines = _read_text(path, content).split("\n")
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def _read_text(path: Path, content: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BenchError(f"cannot read {content} {path}: {error.strerror}") from error
    # "utf-8-sig" drops the mark that Excel writes before UTF-8: it would be part of the first name.
    has_utf16_mark = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if has_utf16_mark else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BenchError(
            f"cannot read {content} {path}, line {line}: it is not UTF-8 "
            f"(byte 0x{data[error.start]:02x}); save it as UTF-8"
        ) from error
