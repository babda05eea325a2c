"""``bench verify`` of folders that nobody made by ``bench run``: one sentence each, at once."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile

from bench.errors import BenchError, RunError
from bench.pipeline.journal import Journal
from bench.pipeline.provenance import SampleOrigin
from bench.pipeline.samples import count_origins
from bench.pipeline.verify import VerifyOptions, verify_run
from bench.results import SeenJudge, load_results, write_bounds, write_digests, write_results
from bench.splits import open_split
from bench.verification import hash_result_files
from tests.pipeline.submissions import (
    check,
    edit_json,
    edit_lines,
    edit_rows,
    found,
    ignore,
    make_run,
)

RESULTS = ("scores.json", "scores.parquet", "failures.jsonl", "provenance.json", "digests.json")


def change(scores: Path, **values: object) -> None:
    """Change results, and the digests with them, as a careful author would."""
    write_results(scores, replace(load_results(scores), **values))
    write_digests(scores)


def configure(scores: Path, **values: object) -> None:
    """Change results and the configuration of their run."""
    change(scores, **values)
    edit_json(scores.parent / "run.json", lambda run: run["configuration"].update(values))


def declare(scores: Path, **values: object) -> None:
    """Let scores and run declare the same."""
    fairness = replace(load_results(scores).fairness, **values)
    change(scores, fairness=fairness)
    edit_json(scores.parent / "run.json", lambda run: run.update(fairness=asdict(fairness)))


# What is in the folder


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a path of a socket has at most 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("name", [*RESULTS, "../journal.jsonl", "../run.json", "odd"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "is neither a file nor a folder"),
        (make_socket, "is neither a file nor a folder"),
        (lambda path: path.symlink_to(path.name), "is a link"),
        (lambda path: path.symlink_to("/dev/zero"), "is a link"),
        (lambda path: path.symlink_to("."), "is a link"),
    ],
)
def test_what_is_no_file_is_found_before_anything_is_opened(
    scores, monkeypatch, name, make, reason
):
    # Without a journal above, only the folder of the scores is looked at.
    path = scores / name
    path.unlink(missing_ok=True)
    make(path)
    if name == "../journal.jsonl":
        path.rename(scores / "journal.jsonl")  # its own folder is that of the run then
    monkeypatch.setattr("bench.pipeline.verify.load_results", ignore)
    found(scores, reason)


def test_links_inside_the_folder_and_huge_files_are_found(scores):
    sample = scores.parent / "samples" / "mini_000000.flac"
    sample.rename(sample.with_name("true.flac"))
    sample.symlink_to("true.flac")
    found(scores, "samples/mini_000000.flac is a link")
    sample.unlink()
    with sample.open("wb") as file:
        file.truncate(2**32 + 1)
    found(scores, "samples/mini_000000.flac has 4,294,967,297 bytes, which no file of a run has")


def test_names_of_files_are_escaped(scores):
    (scores / "a\x1b[2J\n.txt").symlink_to("b")
    found(scores, r"a\x1b[2J\n.txt is a link")


def test_a_folder_that_changes_meanwhile_is_refused(scores):
    def edit(stage: str, done: int, total: int) -> None:
        change(scores, kept=0, system=f"other-{done}")

    with pytest.raises(RunError, match="changed while it was checked"):
        verify_run(VerifyOptions(run=scores, sample=1), edit)


def test_a_path_that_reads_as_one_into_an_archive_is_refused(scores, tmp_path):
    inside = tmp_path / "a.tar" / "@0+5"
    inside.mkdir(parents=True)
    scores.parent.rename(inside / "run")
    with pytest.raises(RunError, match="path into an archive"):
        check(inside / "run" / scores.name)


# Values of other types and sizes


def slow(*values: object) -> list[object]:
    """Further values of a kind, which the slow tests have."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


ODD_JSON = {
    "deep": "[" * 100_000,
    "digits": '{"rows": ' + "9" * 5_000 + "}",
    "nan": '{"version": NaN}',
    "twice": '{"version": 1, "version": 1}',
    "list": "[]",
    "text": '"a"',
    "null": "null",
    "bytes": "\udcff",
}


@pytest.mark.parametrize(
    "name", ["scores.json", "bounds.json", *slow("provenance.json", "digests.json")]
)
@pytest.mark.parametrize("text", ODD_JSON.values(), ids=ODD_JSON)
def test_json_that_no_run_writes_is_one_sentence(scores, name, text):
    (scores / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    if name == "scores.json":
        with pytest.raises(BenchError, match=r"scores\.json"):
            check(scores)
    else:
        found(scores, name)


@pytest.mark.parametrize("text", ODD_JSON.values(), ids=ODD_JSON)
def test_odd_run_files_and_lines_are_one_sentence(scores, text):
    path = scores.parent / "run.json"
    content = path.read_bytes()
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    found(scores, "run.json")
    path.write_bytes(content)
    for path in (scores.parent / "journal.jsonl", scores / "failures.jsonl"):
        content = path.read_bytes()
        with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{text}\n")
        found(scores, path.name, "cannot be read")
        path.write_bytes(content)


@pytest.mark.parametrize("value", [[], 7, 10**400, *slow({}, None, True, 1.5)])
@pytest.mark.parametrize("name", ["split", "system", "judge", "profile", "condition", "notes"])
def test_results_of_other_types_are_refused(scores, name, value):
    if name == "notes" and value == []:
        return
    edit_json(scores / "scores.json", lambda results: results.update({name: value}))
    with pytest.raises(BenchError, match=rf"scores\.json.*({name} is malformed|digits)"):
        check(scores)


def test_a_key_of_other_characters_is_escaped(scores):
    edit_json(scores / "scores.json", lambda results: results["metrics"].update({"\x1b[2J": 1}))
    with pytest.raises(RunError, match=r"metrics.\\x1b\[2J is malformed: 1"):
        check(scores)


@pytest.mark.parametrize("value", [[], 7, *slow({}, None, "a", -1)])
@pytest.mark.parametrize("name", ["kept", "made_by", "fairness", "groups", "expected"])
def test_counts_and_lists_of_other_types_are_no_traceback(scores, name, value):
    edit_json(scores / "scores.json", lambda results: results.update({name: value}))
    try:
        problems = check(scores).problems
    except BenchError as error:
        problems = (str(error),)
    assert problems


@pytest.mark.parametrize("value", [{}, 7, *slow([], None, "a", 10**29, [[1]])])
@pytest.mark.parametrize("part", ["file", "made_by", "origin", "keys", "scores", "extractors"])
def test_entries_of_the_journal_of_other_types_are_no_traceback(scores, part, value):
    def edit(entry: dict) -> None:
        if part in entry:
            entry[part] = value

    edit_lines(scores.parent / "journal.jsonl", edit)
    assert check(scores).problems


@pytest.mark.parametrize("value", [[], {}, "a", True, 10**29])
def test_scores_of_the_journal_of_other_types_are_found(scores, value):
    def edit(entry: dict) -> None:
        if "scores" in entry:
            entry["scores"]["env_corr"] = value

    edit_lines(scores.parent / "journal.jsonl", edit)
    assert check(scores).problems


@pytest.mark.parametrize("name", ["configuration", "fairness", "samples"])
@pytest.mark.parametrize("value", [[], 7, *slow({}, "a", [[]])])
def test_parts_of_the_run_file_of_other_types_are_no_traceback(scores, name, value):
    edit_json(scores.parent / "run.json", lambda value_: value_.update({name: value}))
    if not (name == "fairness" and value in ([], {})):  # nothing is declared
        assert check(scores).problems


@pytest.mark.parametrize("name", ["extractors", "packages", "judge", "commit", "created"])
@pytest.mark.parametrize("value", [[], [1], {"a": []}])
def test_provenance_of_other_types_is_found(scores, name, value):
    edit_json(scores / "provenance.json", lambda facts: facts.update({name: value}))
    write_digests(scores)
    found(scores, "provenance.json")


def test_files_of_more_bytes_than_a_run_writes_are_found(scores):
    with (scores.parent / "journal.jsonl").open("ab") as file:
        file.truncate(2**26)
    found(scores, "journal.jsonl cannot be read", "bytes, which no run writes")
    with (scores / "scores.json").open("ab") as file:
        file.truncate(2**26)
    with pytest.raises(BenchError, match="more than 33,554,432 bytes"):
        check(scores)


# The table of scores


def test_columns_and_rows_that_no_run_writes_are_found(scores):
    edit_rows(scores, lambda frame: frame.assign(fd_panns=0.0))
    write_digests(scores)
    found(scores, "scores.parquet", "columns that no run writes here: 'fd_panns'")
    edit_rows(scores, lambda frame: pd.concat([frame.drop(columns="fd_panns")] * 100))
    write_digests(scores)
    found(scores, "scores.parquet cannot be read: it has 300 rows, at most 256")


@pytest.mark.parametrize("compression", ["zstd", "gzip", "brotli"])
def test_a_table_that_is_packed_otherwise_is_found(scores, compression):
    table = pq.read_table(scores / "scores.parquet")
    pq.write_table(table, scores / "scores.parquet", compression=compression)
    found(scores, "scores.parquet", f"packed by {compression.upper()}")


def test_a_table_that_is_huge_in_memory_is_found(scores):
    edit_rows(scores, lambda frame: frame.assign(cluster="a" * 900_000))
    found(scores, "scores.parquet", "a text in it has more than 1000 bytes")


# Samples


def write_wave(path: Path) -> None:
    soundfile.write(path, np.zeros(8 * 16_000), 16_000, format="WAV", subtype="PCM_16")


def write_ogg(path: Path) -> None:
    soundfile.write(path, np.zeros(8 * 16_000), 16_000, format="OGG", subtype="VORBIS")


def write_short(path: Path) -> None:
    soundfile.write(path, np.zeros(8 * 16_000 - 1), 16_000, format="FLAC", subtype="PCM_24")


def write_tagged(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x00\x00" + content)


def write_padded(path: Path) -> None:
    """A block of 2 MB that is no audio, as a picture would be, after the first one of 34 bytes."""
    content = path.read_bytes()
    block = b"\x01" + (2**21).to_bytes(3, "big") + bytes(2**21)
    path.write_bytes(content[:42] + block + content[42:])


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: path.write_text("#EXTM3U\n/etc/passwd\n"), "no FLAC file"),
        (lambda path: path.write_bytes(b""), "no FLAC file"),
        (lambda path: path.write_bytes(b"fLaC"), "no FLAC file"),
        (write_wave, "no FLAC file"),
        (write_ogg, "no FLAC file"),
        (write_tagged, "no FLAC file"),
        (write_short, "it has 7.99994 s, expected 8 s"),
        (write_padded, "far more than its 8 s need"),
    ],
)
def test_samples_that_are_none_are_found_by_their_headers_in_all_clips(scores, write, reason):
    for name in ("mini_000000", "mini_000002", "mini_000003"):
        write(scores.parent / "samples" / f"{name}.flac")
    problems = check(scores, sample=0).problems
    assert "samples/mini_000000.flac is no sample of this run" in problems[0]
    assert sum(reason in problem for problem in problems) == 3


def test_features_that_are_huge_are_found_before_they_are_read(scores):
    for path in (scores.parent / "features" / "panns").rglob("*.safetensors"):
        with path.open("ab") as file:
            file.truncate(2**28)
    found(scores, "features/panns of mini_000000 has 268,435,456 bytes, which no features have")


# What the author states


def test_an_edit_that_digests_do_not_know_and_missing_digests_are_found(scores):
    edit_lines(scores / "failures.jsonl", lambda failure: failure.update(error="no reason"))
    assert check(scores).problems == (
        "digests.json: its failures.jsonl is not the file that `bench run` wrote: edited, "
        "half-written or copied; run it again",
    )
    (scores / "digests.json").unlink()
    found(scores, "digests.json: it has no digests.json")


def test_bounds_that_are_no_anchors_are_found(scores):
    results = load_results(scores)
    write_bounds(scores, [replace(results, system="silence", is_anchor=True)])
    assert check(scores).problems == ()
    write_bounds(scores, [replace(results, system="silence")])
    found(scores, "bounds.json", "a row of 'silence', which is no anchor")
    write_bounds(scores, [replace(results, system="mine", is_anchor=True)])
    found(scores, "bounds.json has a row of 'mine', which is no floor or ceiling")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("acfoley\u200b", "characters that are not printed"),
        ("\u202eyelofca", "characters that are not printed"),
        ("ac\nfoley", "characters that are not printed"),
        ("\x1b[2J", "characters that are not printed"),
        ("\ud800", "characters that are not printed"),
        ("ａｃｆｏｌｅｙ", "look like others"),
        ("Ame\u0301lie", "look like others"),
        ("\u0430cfoley", "mixes letters of several alphabets"),
        (" acfoley", "spaces around it"),
        ("ac  foley", "spaces around it"),
        ("", "is empty"),
        ("a" * 201, "more than 200 characters"),
        ("a" * 3_000, "a text of 3000 characters"),
    ],
)
def test_names_that_look_like_others_are_found(scores, name, reason):
    edit_json(scores / "scores.json", lambda results: results.update(system=name))
    write_digests(scores)
    edit_json(scores.parent / "run.json", lambda run: run["configuration"].update(system=name))
    found(scores, "scores.json", reason)
    assert all(problem.isprintable() for problem in check(scores).problems)


@pytest.mark.parametrize("name", ["Amélie", "音 効果", "Звук", "β-Foley 2 (large) = best"])
def test_names_of_one_alphabet_are_none_of_them(scores, name):
    configure(scores, system=name)
    assert check(scores).problems == ()


def test_names_of_systems_that_are_here_are_theirs(scores):
    for name in ("ground-truth", "acfoley-mini", "oracle-shift=0.2"):
        configure(scores, system=name)
        found(scores, f"{name!r} is the name of a system of bench list models")


def test_a_system_that_is_here_has_its_name_and_its_flag(scores, tmp_path):
    made = make_run("silence", tmp_path / "runs")
    assert check(made).problems == ()
    configure(made, is_anchor=False)
    found(made, "scores.json states is_anchor False, silence has True")
    configure(made, is_anchor=True, system="mine")
    found(made, "samples of 'silence' are of 'silence', not 'mine'")
    configure(scores, is_anchor=True)
    found(scores, "SECOND_FAILS' is no anchor of bench list models")


@pytest.mark.parametrize("notes", [("a" * 3_000,), ("a\u202eb",), ("ab",) * 200])
def test_notes_that_no_run_writes_are_found(scores, notes):
    change(scores, notes=(*load_results(scores).notes, *notes))
    found(scores, "scores.json has")


def test_texts_of_provenance_are_such_that_a_page_can_show(scores):
    edit_json(scores / "provenance.json", lambda facts: facts.update(commit="\u202ea"))
    write_digests(scores)
    found(scores, "provenance.json has a text with characters that are not printed")


@pytest.mark.parametrize("kept", [-1, 1, 4])
def test_a_number_of_kept_samples_that_the_notes_do_not_have_is_found(scores, kept):
    change(scores, kept=kept)
    found(scores, f"scores.json states kept = {kept}")


def test_samples_of_several_versions_are_kept_ones(scores):
    journal = scores.parent / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    (origin,) = [line for line in lines if line["kind"] == "origin"]
    other = SampleOrigin(**{**origin["origin"], "version": "0"})
    added = {"kind": "origin", "clip": other.key, "fingerprint": "", "origin": asdict(other)}
    for line in lines:
        if line["kind"] == "sample" and line["clip"] == "mini_000002":
            line["made_by"] = other.key
    journal.write_text("".join(json.dumps(line) + "\n" for line in [added, *lines]))
    split, opened = open_split("mini"), Journal(journal)
    clips = [clip for clip in split.clips[:4] if clip.name != "mini_000001"]
    change(scores, made_by=count_origins(opened, clips))
    run_file = scores.parent / "run.json"
    edit_json(run_file, lambda run: run.update(samples=count_origins(opened, split.clips)))
    assert check(scores).problems == ("scores.json states kept = 0, expected 1 to 3 by made_by",)
    note = "1 of 3 samples are kept that would be made otherwise now (version 0 is now 1)"
    change(scores, kept=1, notes=(*load_results(scores).notes, note))
    assert check(scores).problems == ()


@pytest.mark.parametrize(
    "values",
    [
        {"given": ("everything",)},
        {"given": ("video", "truth")},
        {"candidates": 0},
        {"judges_seen": (SeenJudge("none", "reward", ()),)},
        {"judges_seen": (SeenJudge("imagebind", "reward", ("kl_panns",)),)},
    ],
)
def test_fairness_that_nobody_can_declare_is_found(scores, values):
    declare(scores, **values)
    found(scores, "scores.json")


def test_fairness_of_a_system_that_is_here_is_what_it_declares(scores, tmp_path):
    made = make_run("silence", tmp_path / "runs")
    declare(made, trained_on=("nothing",), candidates=2)
    found(made, "scores.json declares trained_on ('nothing',), expected () by silence as it is")
    found(made, "scores.json declares candidates 2, expected 1")


@pytest.mark.parametrize("name", ["fully", "no-everything", "full+reference-same-class", ""])
def test_a_condition_that_no_run_has_is_found(scores, name):
    configure(scores, condition=name)
    found(scores, f"there is no condition {name!r}")


def test_references_that_the_run_did_not_draw_are_found(scores):
    name = "reference-other-class"
    configure(scores, condition=name)
    found(scores, "run.json states reference_from None, the condition is 'reference-other-class'")


def test_the_files_of_a_verification_are_those_that_were_checked(scores):
    files = hash_result_files(scores)
    assert check(scores).files == files
    # A board knows a run whose folder was not read, as far as nothing is read through a link.
    (scores / "odd").symlink_to("gone")
    assert check(scores).files == files
    (scores / "provenance.json").unlink()
    (scores / "provenance.json").symlink_to("/dev/zero")
    assert check(scores).files == {**files, "provenance.json": None}


@pytest.mark.parametrize("name", ["judge", "profile", "split"])
def test_names_that_are_not_known_here_are_refused(scores, name):
    change(scores, **{name: "unknown"})
    with pytest.raises(BenchError, match="unknown"):
        check(scores)


def test_columns_that_are_not_known_here_are_refused(scores):
    results = load_results(scores)
    column = replace(results.columns[0], name="unknown")
    change(scores, columns=(column,), metrics={"unknown": results.metrics["env_corr"]})
    with pytest.raises(BenchError, match="unknown"):
        check(scores)
