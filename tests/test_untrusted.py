"""JSON and tables of others: whatever is in them costs one sentence."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.errors import BenchError
from bench.untrusted import (
    MOST_JSON_BYTES,
    build,
    parse_json,
    read_bytes,
    read_json_strictly,
    read_table,
    require_columns,
)

ROWS = {"clip": ["a", "b"], "score": [0.5, None]}


def test_what_we_write_is_read(tmp_path):
    value = {"a": [1, -2.5e3, None, True, "é\n"], "b": {"c": 2**64 - 1}}
    (tmp_path / "a.json").write_text(json.dumps(value))
    assert read_json_strictly(tmp_path / "a.json") == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested more than 32"),
        ("[" * 40 + "1" + "]" * 40, "nested more than 32"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested more than 32"),
        ("9" * 400, "a number of 400 digits"),
        ("9" * 100_000, "a number of 100000 digits"),
        ("1e999", "'1e999', which is not finite"),
        ("NaN", "'NaN', which is not finite"),
        ("[-Infinity]", "'-Infinity', which is not finite"),
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
        ('{"a": ', "Expecting value"),
        ("\x00", "Expecting value"),
    ],
)
def test_json_that_no_run_writes_is_refused(tmp_path, text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_json(text.encode())
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BenchError, match=r"cannot read .*a\.json as JSON"):
        read_json_strictly(tmp_path / "a.json")


def test_other_encodings_and_huge_files_are_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes('"é"'.encode("utf-16"))
    with pytest.raises(BenchError, match="utf-8"):
        read_json_strictly(path)
    with path.open("wb") as file:
        file.truncate(MOST_JSON_BYTES + 1)
    with pytest.raises(BenchError, match="more than 33,554,432 bytes"):
        read_json_strictly(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(tmp_path)  # a path of a socket has at most 107 bytes
        server.bind("socket")
        os.chdir(here)
        for name in ("pipe", "loop", "socket", "gone", "a\0b", "."):
            with pytest.raises(BenchError, match=r"cannot read|no regular file"):
                read_bytes(tmp_path / name, 10)


@dataclass(frozen=True)
class Inner:
    name: str
    share: float | None = None


@dataclass(frozen=True)
class Outer:
    count: int
    is_good: bool
    rows: tuple[Inner, ...]
    by_name: Mapping[str, Inner]
    rest: Any = None


GOOD = {"count": 1, "is_good": True, "rows": [{"name": "a"}], "by_name": {"b": {"name": "c"}}}


def test_dataclasses_are_built_of_values_of_their_types():
    found = build(Outer, {**GOOD, "rest": [1]}, "it")
    assert found == Outer(1, True, (Inner("a"),), {"b": Inner("c")}, [1])
    assert build(Inner, {"name": "a", "share": 1}, "it").share == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"count": "1"}, "it.count is malformed: '1', expected a whole number"),
        ({"count": True}, "it.count is malformed: True, expected a whole number"),
        ({"count": None}, "it.count is malformed: None"),
        ({"is_good": 1}, "it.is_good is malformed: 1, expected true or false"),
        ({"rows": {}}, "it.rows is malformed: {}, expected a list"),
        ({"rows": [[]]}, r"it.rows\[0\] is malformed: \[\], expected an object"),
        ({"rows": [{"name": []}]}, r"it.rows\[0\].name is malformed: \[\], expected a text"),
        ({"by_name": []}, r"it.by_name is malformed: \[\], expected an object"),
        (
            {"by_name": {"b": {"name": "c", "share": "1"}}},
            "it.by_name.b.share .*a number",
        ),
        ({"other": 1}, "it has 'other', which is not known"),
    ],
)
def test_other_types_are_refused_by_the_name_of_the_value(change, reason):
    with pytest.raises(TypeError, match=reason):
        build(Outer, {**GOOD, **change}, "it")
    with pytest.raises(TypeError, match="it has no name"):
        build(Inner, {}, "it")


def test_a_table_of_texts_and_numbers_is_read(tmp_path):
    frame = pd.DataFrame(ROWS).astype({"score": "float64"}).assign(n=pd.array([1, None], "Int64"))
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    rows = read_table(tmp_path / "a.parquet", 2).to_pylist()
    assert rows[0] == {"clip": "a", "score": 0.5, "n": 1}
    assert rows[1]["n"] is None


@pytest.mark.parametrize(
    ("columns", "options", "reason"),
    [
        ({"clip": ["a", "b", "c"]}, {}, "has 3 rows, at most 2"),
        ({"clip": [["a"], ["b"]]}, {}, "neither texts nor numbers: clip"),
        ({"clip": [b"a", b"b"]}, {}, "neither texts nor numbers: clip"),
        (ROWS, {"compression": "zstd"}, "packed by ZSTD"),
        ({"clip": ["a" * 2_000, "b"]}, {}, "a text in it has more than 1000 bytes"),
        ({"clip": ["a" * 2_000_000, "b"]}, {"compression": "none"}, "bytes"),
        ({"clip": ["a" * 3_000_000, "b"]}, {"compression": "snappy"}, "far more than its 2 rows"),
    ],
)
def test_tables_that_no_run_writes_are_refused(tmp_path, columns, options, reason):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", **options)
    with pytest.raises(BenchError, match=reason):
        read_table(tmp_path / "a.parquet", 2)


def test_a_long_text_that_many_rows_share_is_refused(tmp_path):
    table = pa.table({"clip": ["a" * 100_000] * 500})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(BenchError, match="a text in it has more than 1000 bytes"):
        read_table(tmp_path / "a.parquet", 500)


def test_damaged_tables_and_columns_that_are_there_twice_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([[1], [2]], names=["n", "n"]), path)
    with pytest.raises(BenchError, match="a column twice"):
        read_table(path, 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BenchError):
        read_table(path, 2)
    with pytest.raises(BenchError, match="no run writes here: 'b'"):
        require_columns(["a", "b"], ["a"])
