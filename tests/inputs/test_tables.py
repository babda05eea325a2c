"""Tables in the dialects that spreadsheets and scripts write."""

from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.inputs import read_records, read_table


def table(folder, data: bytes | str, name: str = "t.csv"):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "data",
    [
        b"id,label\na,dog\n",
        b"\xef\xbb\xbfid,label\r\na,dog\r\n",
        b"id;label\na;dog\n",
        b"id\tlabel\na\tdog",
        b"\n id , label \n\n\na,dog\n,\n",
        "id\tlabel\r\na\tdog\r\n".encode("utf-16"),
        b"id,label\ra,dog\r",
    ],
)
def test_the_delimiter_the_mark_and_the_ends_of_lines_are_recognised(tmp_path, data):
    rows = read_table(table(tmp_path, data))
    assert [row.cells for row in rows] == [("id", "label"), ("a", "dog")]


def test_a_comma_in_the_text_of_another_delimiter_splits_nothing(tmp_path):
    for delimiter in ("\t", ";"):
        rows = read_table(table(tmp_path, f"id{delimiter}label\na{delimiter}dog, loud\n"))
        assert [row.cells for row in rows] == [("id", "label"), ("a", "dog, loud")]


def test_quoted_fields_keep_breaks_and_delimiters_and_rows_know_their_first_line(tmp_path):
    rows = read_table(table(tmp_path, 'id,label\n\na,"one\ntwo, ""three"""\nb,x\u2028y\n'))
    assert [(row.line, row.cells[1]) for row in rows[1:]] == [
        (3, 'one\ntwo, "three"'),
        (5, "x\u2028y"),
    ]


def test_a_malformed_table_is_refused_with_its_line(tmp_path):
    with pytest.raises(BenchError, match=r"t\.csv, line 2: it is not UTF-8 \(byte 0xe8\)"):
        read_table(table(tmp_path, b"id,label\na,pi\xe8ce\n"))
    with pytest.raises(BenchError, match=r"cannot read the list .*t\.csv, line 2: unexpected end"):
        read_table(table(tmp_path, 'id,label\na,"dog\nb,cat\n'))
    with pytest.raises(BenchError, match=r"cannot read the list .*none\.csv: No such file"):
        read_table(tmp_path / "none.csv")


def test_records_need_a_cell_for_each_column_of_a_header_without_repeats(tmp_path):
    columns, records = read_records(table(tmp_path, "a,b\n1,2\n"))
    assert (columns, records) == (["a", "b"], [(2, {"a": "1", "b": "2"})])
    with pytest.raises(BenchError, match="line 3: 3 cells under 2 columns"):
        read_records(table(tmp_path, "a,b\n1,2\n1,2, 3\n"))
    with pytest.raises(BenchError, match="has a column twice: a, a"):
        read_records(table(tmp_path, "a,a\n1,2\n"))
