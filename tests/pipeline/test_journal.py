"""The journal finds the last entry of a clip on disk, and holds little of it in memory."""

from __future__ import annotations

import pytest

from bench.errors import RunError
from bench.pipeline.journal import Journal


def test_the_last_entry_of_a_journal_holds_and_a_torn_line_is_cut_off(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add("sample", "a", "1", file="x")
    journal.add("sample", "a", "2", file="ü")
    journal.add("row", "a", "3")
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'{"kind": "sample", "clip": "b", "fing')
    read = Journal(journal.path)
    assert read.find("sample", "a", "1") is None
    assert read.find("sample", "a", "2") == {
        "kind": "sample",
        "clip": "a",
        "fingerprint": "2",
        "file": "ü",
    }
    assert read.latest("sample", "b") is None
    read.add("sample", "c", "4")
    added = {"kind": "sample", "clip": "c", "fingerprint": "4"}
    assert read.latest("sample", "c") == Journal(journal.path).latest("sample", "c") == added
    read.discard(["a"])
    assert read.find("row", "a", "3") is None
    assert Journal(journal.path).find("sample", "c", "4")


def test_a_line_that_is_damaged_past_its_names_is_refused_when_it_is_read(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text(
        '{"kind": "a", "clip": "x", "fingerprint": "1"}\n{"kind": "a", "clip": "y", z}\n'
    )
    journal = Journal(path)
    assert journal.latest("a", "x")
    with pytest.raises(RunError, match="line 2, is damaged"):
        journal.latest("a", "y")


def test_a_journal_takes_less_than_100_bytes_a_clip_in_memory(tmp_path):
    path = tmp_path / "journal.jsonl"
    filler = "x" * 900
    with path.open("w") as file:
        for kind in ("sample", "row"):
            for i in range(5_000):
                file.write(
                    f'{{"kind": "{kind}", "clip": "{i:06}", "fingerprint": "", "s": "{filler}"}}\n'
                )
    journal = Journal(path)
    size = journal._lines.execute(
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    ).fetchone()[0]
    assert 5_000 * 2 * 8 < size < 5_000 * 100
