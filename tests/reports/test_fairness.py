"""What systems declare is below every table, in every format, and in the files of a run."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from bench.results import Column, Fairness, SeenJudge, load_results, write_results
from reports.fairness import fairness_notes
from reports.formats import render
from reports.tables import build_table
from tests.reports.test_tables import result

DESYNC = Column("desync", "DeSync", "lower", 3, "s")
IB = Column("ib", "IB", "higher", 1)
SYNC = SeenJudge("synchformer", "encoder", ("desync",))


def declared(system: str, *seen: SeenJudge, given: tuple[str, ...] = ("video",), **facts: object):
    return replace(result(system, 0.5, 12.0), fairness=Fairness(given, judges_seen=seen, **facts))


def test_systems_that_declare_the_same_share_one_note_without_names() -> None:
    alike = [
        declared("a", trained_on=("VGGSound train",)),
        declared("b", trained_on=("VGGSound train",)),
    ]
    assert fairness_notes(alike, ()) == ("given: video", "trained on: VGGSound train")


def test_systems_that_declare_different_things_are_named() -> None:
    runs = [
        declared("a", given=("video", "prompt", "reference"), non_commercial=True),
        declared("b", candidates=3, trained_on=("VGGSound train", "AudioCaps")),
        result("two-folders", 0.5, 12.0),
    ]
    assert fairness_notes(runs, ()) == (
        "given: video, prompt and reference (a); video (b)",
        "trained on: VGGSound train, AudioCaps (b)",
        "candidates per clip, of which the system picks one: 3 (b)",
        "not for commercial use (a)",
    )


def test_conditions_and_seeds_of_one_system_are_one_name() -> None:
    runs = [declared("a"), replace(declared("a"), condition="no-text"), declared("b", given=())]
    assert fairness_notes(runs, ()) == (
        "given: video (a)",
        "what it was given and trained on, and which judges it saw, is not declared: b",
    )


def test_anchors_have_no_notes() -> None:
    assert fairness_notes([replace(declared("truth"), is_anchor=True)], ()) == ()


def test_a_judge_that_was_seen_is_noted_below_its_own_columns_only() -> None:
    filtered = SeenJudge("imagebind", "filter of its training clips", ("ib",))
    runs = [declared("a", SYNC, filtered), declared("b", replace(SYNC, how="encoder, reward"))]
    desync = (
        "DeSync (synchformer) is no independent judge of systems that saw it: encoder (a); "
        "encoder, reward (b)"
    )
    assert fairness_notes(runs, [DESYNC])[1:] == (desync,)
    assert fairness_notes(runs, [IB])[1:] == (
        "IB (imagebind) is no independent judge of systems that saw it: filter of its training "
        "clips (a)",
    )
    assert fairness_notes(runs, [])[1:] == ()


@pytest.mark.parametrize("style", ["markdown", "latex"])
def test_every_format_with_footnotes_has_them(style: str) -> None:
    text = render([declared("a", candidates=3), declared("b")], style)
    assert "candidates per clip, of which the system picks one: 3 (a)" in text
    assert "given: video" in text


def test_csv_has_them_in_columns_of_their_own_and_none_where_nothing_is_declared() -> None:
    runs = [declared("a", SYNC, trained_on=("X", "Y"), non_commercial=True), result("b", 0.5, 12.0)]
    first, *_, last = csv.DictReader(render(runs, "csv").splitlines())
    assert (first["given"], first["trained_on"]) == ("video", "X; Y")
    assert (first["judges_seen"], first["candidates"]) == ("synchformer: encoder", "1")
    assert first["non_commercial"] == "True"
    assert (last["system"], last["given"], last["non_commercial"]) == ("b", "", "")


def test_the_table_of_a_group_has_them_too() -> None:
    run = declared("a")
    run = replace(run, groups={"bell": run.metrics})
    assert (
        render([run], "markdown").count("given: video") == 1 + len(build_table([run]).headings) - 1
    )


def test_results_keep_them_on_disk(tmp_path) -> None:
    run = declared("a", SYNC, trained_on=("X",), candidates=2)
    write_results(tmp_path, run)
    assert load_results(tmp_path).fairness == run.fairness
