"""A finished run is recognised by one look at each file, and only while nothing has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import bench.digests
import bench.pipeline.run
from bench.pipeline.journal import Journal
from bench.pipeline.run import look_ahead, run

TONE = "tests.pipeline.systems:TONE"


def quiet(stage: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled at once."""
    monkeypatch.setattr(bench.digests, "SETTLED_S", -1.0)


@pytest.fixture
def examined(monkeypatch):
    """The number of times that a run was examined clip by clip."""
    calls: list[object] = []
    examine = bench.pipeline.run.examine_samples

    def count(plan, journal):
        calls.append(plan)
        return examine(plan, journal)

    monkeypatch.setattr(bench.pipeline.run, "examine_samples", count)
    return calls


def test_a_finished_run_is_not_examined_again_and_returns_the_same(make_plan, settled, examined):
    first = run(make_plan(TONE), quiet)
    before = {p: p.read_bytes() for p in first.directory.rglob("*") if p.is_file()}
    examined.clear()
    again = run(make_plan(TONE), quiet)
    assert (again.results, again.failures, again.directory) == (
        first.results,
        first.failures,
        first.directory,
    )
    ahead = look_ahead(make_plan(TONE))
    assert (ahead.to_generate, ahead.to_score, examined) == (0, 0, [])
    assert {p: p.read_bytes() for p in first.directory.rglob("*") if p.is_file()} == before


def test_a_finished_run_opens_no_file_of_a_clip(make_plan, settled, monkeypatch):
    run(make_plan(TONE), quiet)
    opened: list[str] = []
    open_path = Path.open

    def record(self, *arguments, **options):
        opened.append(self.suffix)
        return open_path(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", record)
    run(make_plan(TONE), quiet)
    assert not {".flac", ".mp4", ".safetensors", ".jsonl"} & set(opened)


@pytest.mark.parametrize("what", ["sample", "features", "results", "journal", "workers", "columns"])
def test_whatever_changes_has_the_run_examined(make_plan, settled, examined, what):
    plan = make_plan(TONE)
    run(plan, quiet)
    examined.clear()
    again = make_plan(TONE, metrics=("mcd",)) if what == "columns" else make_plan(TONE)
    if what == "sample":
        (plan.directory / "samples" / "clip_000001.flac").write_bytes(b"damaged")
    elif what == "features":
        shutil.rmtree(next((plan.directory / "features").glob("*/*/*")))
    elif what == "results":
        (plan.directory / "scores.json").write_text("{}\n")
    elif what == "journal":
        with (plan.directory / "journal.jsonl").open("a") as file:
            file.write("\n")
    elif what == "workers":
        again = make_plan(TONE, workers=1)
    if what == "journal":
        with pytest.raises(Exception, match="is damaged"):
            run(again, quiet)
        return
    run(again, quiet)
    # How many workers there are and columns that are there already change no result.
    assert bool(examined) == (what not in ("workers", "columns"))


def test_files_that_have_just_changed_are_examined_again(make_plan, examined):
    run(make_plan(TONE), quiet)  # its samples are younger than the resolution of some clocks
    examined.clear()
    run(make_plan(TONE), quiet)
    assert examined


def test_a_run_with_a_failure_tries_it_again(make_plan, settled, examined):
    model = "tests.pipeline.systems:SECOND_FAILS"
    assert run(make_plan(model), quiet).failures
    examined.clear()
    assert run(make_plan(model), quiet).failures
    assert examined


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
    assert read.latest("sample", "c") == Journal(journal.path).latest("sample", "c") != None  # noqa: E711
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
    with pytest.raises(Exception, match="line 2, is damaged"):
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
