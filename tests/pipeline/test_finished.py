"""A finished run is recognised by one look at each file, and only while nothing has changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import bench.digests
import bench.pipeline.run
from bench.pipeline import provenance
from bench.pipeline.finished import is_finished
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


def test_a_run_is_examined_when_the_code_that_scores_has_changed(make_plan, settled, monkeypatch):
    plan = make_plan(TONE)
    run(plan, quiet)
    assert is_finished(plan)
    locate = provenance._source_files
    edited = [("another.py", Path(__file__))]
    monkeypatch.setattr(provenance, "_source_files", lambda name: [*locate(name), *edited])
    plan.__dict__["origin"] = plan.origin  # that of the system is another matter
    assert not is_finished(plan)


def test_a_part_is_examined_when_the_split_or_a_column_has_changed(make_plan, settled):
    plan = make_plan(TONE, limit=2)
    run(plan, quiet)
    heading = replace(plan.metrics[0], label="Another label")
    grown = (*plan.split.clips, replace(plan.clips[0], name="clip_000003"))
    for changed in (
        replace(plan, metrics=(heading, *plan.metrics[1:])),
        replace(plan, split=replace(plan.split, clips=grown)),  # "only the first 2 of 3 clips"
    ):
        assert is_finished(plan)
        assert not is_finished(changed)


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
