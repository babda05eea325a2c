"""``bench verify``: what is tampered with in a run folder is found and named."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from bench.errors import BenchError, MissingError, RunError
from bench.io import write_json
from bench.judges import Judge, open_judge
from bench.media import read_audio, write_audio
from bench.pipeline.roles import Scoring
from bench.results import load_results, write_results
from bench.splits import Refusal, open_split
from bench.types import Audio, Excerpt
from tests.pipeline.submissions import check, edit_lines, edit_rows, found, make_run


def test_a_run_that_nobody_touched_is_verified_wherever_it_is_and_stays_as_it_is(scores):
    before = {path: path.read_bytes() for path in scores.parent.rglob("*") if path.is_file()}
    outcome = check(scores)
    assert outcome.problems == ()
    assert outcome.is_verified
    assert sorted(outcome.sampled) == ["mini_000000", "mini_000002", "mini_000003"]
    after = {path: path.read_bytes() for path in scores.parent.rglob("*") if path.is_file()}
    assert after == before


def test_sampled_clips_are_few_and_nobody_knows_them_before_the_salt_is_drawn(scores):
    outcomes = [check(scores, sample=1) for _ in range(2)]
    assert [len(each.sampled) for each in outcomes] == [1, 1]
    assert outcomes[0].salt != outcomes[1].salt
    salts = [f"{i:032x}" for i in range(8)]
    chosen = [check(scores, sample=1, salt=salt).sampled for salt in salts]
    assert len(set(chosen)) > 1
    assert check(scores, sample=1, salt=salts[0]).sampled == chosen[0]


@pytest.mark.parametrize("salt", ["12", "0" * 31 + "g", "0" * 64])
def test_a_salt_that_no_check_has_drawn_is_refused(scores, salt):
    with pytest.raises(BenchError, match="32 digits"):
        check(scores, salt=salt)


def test_an_edited_score_of_a_clip_is_found(scores):
    def edit(frame):
        frame.loc[frame["clip"] == "mini_000002", "env_corr"] += 1e-12

    edit_rows(scores, edit)
    found(scores, "scores.parquet", "env_corr of mini_000002")


def test_a_score_edited_in_table_and_journal_is_found(scores):
    def edit(frame):
        frame.loc[frame["clip"] == "mini_000002", "kl_panns"] = 0.5

    def edit_entry(entry):
        if entry["clip"] == "mini_000002" and "scores" in entry:
            entry["scores"]["kl_panns"] = 0.5

    edit_rows(scores, edit)
    edit_lines(scores.parent / "journal.jsonl", edit_entry)
    found(scores, "kl_panns of mini_000002 is 0.5, its features give")


@pytest.mark.parametrize(
    ("column", "part"), [("fd_vgg", "value"), ("env_corr", "high"), ("onset_acc", "chance")]
)
def test_an_edited_aggregate_is_found(scores, column, part):
    results = load_results(scores)
    score = replace(results.metrics[column], **{part: getattr(results.metrics[column], part) * 0.9})
    write_results(scores, replace(results, metrics={**results.metrics, column: score}))
    found(scores, "scores.json", f"the {part} of {column}")


def test_swapped_samples_are_found(scores):
    samples = scores.parent / "samples"
    first, second = samples / "mini_000000.flac", samples / "mini_000002.flac"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    found(scores, "samples/mini_000000.flac is not the sample")
    found(scores, "samples/mini_000002.flac is not the sample")


def test_a_sample_that_is_gone_is_found(scores):
    (scores.parent / "samples" / "mini_000003.flac").unlink()
    found(scores, "samples/mini_000003.flac is missing")


@pytest.mark.parametrize("is_counted_down", [False, True])
def test_a_removed_failure_is_found(scores, is_counted_down):
    (scores / "failures.jsonl").write_text("")
    if is_counted_down:
        write_results(scores, replace(load_results(scores), expected=3, failed=0))
    found(scores, "mini_000001", "neither a row in scores.parquet nor one in failures.jsonl")


def test_a_part_that_does_not_state_to_be_one_is_found(scores):
    write_results(scores, replace(load_results(scores), notes=()))
    found(scores, "mini_000127", "neither a row")


def test_rows_of_another_list_of_clips_are_found(scores):
    edit_rows(scores, lambda frame: frame.replace("mini_000003", "mini_000003_to_mini_000004"))
    found(scores, "'mini_000003_to_mini_000004' is no clip of mini")
    found(scores, "mini_000003 is a clip of mini and has neither")


def test_the_name_of_another_split_is_found(scores):
    write_results(scores, replace(load_results(scores), split="mini-hits"))
    found(scores, "run.json states split 'mini', scores.json 'mini-hits'")


@pytest.mark.parametrize("name", ["protocol_version", "suite_version"])
def test_another_version_is_found_in_one_file_and_refused_in_all(scores, name):
    results = load_results(scores)
    write_results(scores, replace(results, **{name: 99}))
    found(scores, f"provenance.json states {name}", "scores.json 99")
    facts = json.loads((scores / "provenance.json").read_text())
    write_json(scores / "provenance.json", {**facts, name: 99})
    with pytest.raises(RunError, match="version 99, this is version"):
        check(scores)


@pytest.mark.parametrize(("extractor", "by"), [("spectrum", 1e-6), ("panns", 1e-3)])
def test_replaced_features_are_found(scores, extractor, by):
    for path in (scores.parent / "features" / extractor).rglob("*.safetensors"):
        changed = {name: array + array.dtype.type(by) for name, array in load_file(path).items()}
        save_file(changed, path)
    found(scores, f"features/{extractor} of mini_000000 is not what its sample gives", "differs by")


def test_rounding_of_networks_is_no_difference(scores):
    for path in (scores.parent / "features" / "panns").rglob("*.safetensors"):
        save_file(
            {name: array * np.float32(1 + 1e-6) for name, array in load_file(path).items()}, path
        )
    assert check(scores).problems == ()


def test_features_that_are_gone_or_damaged_are_found(scores):
    path = next((scores.parent / "features" / "vggish").rglob("*.safetensors"))
    path.write_bytes(b"no features")
    found(scores, "features/vggish", "cannot read")
    path.unlink()
    found(scores, "features/vggish", "is missing")


def test_duplicated_rows_are_found(scores):
    edit_rows(scores, lambda frame: pd.concat([frame, frame.iloc[:1]]))
    found(scores, "'mini_000000' has 2 rows")
    found(scores, "scored = 3", "have 4")


def test_a_system_and_an_extractor_that_the_journal_does_not_name_are_found(scores):
    results = load_results(scores)
    made_by = ({**results.made_by[0], "version": "99"},)
    write_results(scores, replace(results, made_by=made_by))
    facts = json.loads((scores / "provenance.json").read_text())
    facts["extractors"]["onset"] = "99"
    write_json(scores / "provenance.json", facts)
    found(scores, "made_by", "is not what journal.jsonl has")
    found(scores, "provenance.json states the extractor onset '99'", "for mini_000000")


def test_fairness_that_the_run_does_not_declare_is_found(scores):
    results = load_results(scores)
    fairness = replace(results.fairness, trained_on=("nothing at all",))
    write_results(scores, replace(results, fairness=fairness))
    found(scores, "run.json declares trained_on", "nothing at all")
    write_results(scores, replace(results, fairness=None))
    found(scores, "scores.json has no fairness, which run.json declares")


def test_values_of_other_types_are_refused_in_one_sentence(scores):
    results = load_results(scores)
    columns = (replace(results.columns[0], name={}), *results.columns[1:])
    write_results(scores, replace(results, columns=columns))
    with pytest.raises(RunError, match=r"columns\[0\].name is malformed: {}, expected a text"):
        check(scores)
    write_json(
        scores / "scores.json", {**json.loads((scores / "scores.json").read_text()), "metrics": []}
    )
    with pytest.raises(RunError, match="not a result of this version"):
        check(scores)


def test_another_version_of_an_extractor_cannot_be_checked_here(scores):
    facts = json.loads((scores / "provenance.json").read_text())
    facts["extractors"]["onset"] = "99"
    write_json(scores / "provenance.json", facts)

    def edit_entry(entry):
        if "extractors" in entry:
            entry["extractors"]["onset"] = "99"

    edit_lines(scores.parent / "journal.jsonl", edit_entry)
    with pytest.raises(RunError, match="by the extractor onset 99, here it is"):
        check(scores)


def test_truncated_files_are_found(scores):
    content = (scores / "scores.parquet").read_bytes()
    (scores / "scores.parquet").write_bytes(content[: len(content) // 2])
    found(scores, "scores.parquet cannot be read")
    (scores / "failures.jsonl").write_text('{"clip": "mini')
    found(scores, "failures.jsonl cannot be read")
    (scores / "scores.json").write_text((scores / "scores.json").read_text()[:300])
    with pytest.raises(BenchError, match=r"scores\.json"):
        check(scores)


@pytest.mark.parametrize("line", ["[]", '{"kind": "sample"', '{"kind": [], "clip": "a"}'])
def test_a_damaged_journal_is_found(scores, line):
    with (scores.parent / "journal.jsonl").open("a") as file:
        file.write(line + "\n")
    found(scores, "journal.jsonl cannot be read")


@pytest.mark.parametrize("name", ["keys", "scores", "extractors", "fingerprint", "file", "origin"])
def test_a_journal_without_a_part_is_found(scores, name):
    edit_lines(scores.parent / "journal.jsonl", lambda entry: entry.pop(name, None))
    assert check(scores).problems


@pytest.mark.parametrize("name", ["../mini_000000", "/etc/passwd", "..", "a/b"])
def test_names_that_are_paths_are_found_in_rows_and_failures(scores, name):
    edit_rows(scores, lambda frame: frame.replace("mini_000003", name))
    found(scores, "scores.parquet", f"{name!r} is no clip of mini")
    edit_lines(scores / "failures.jsonl", lambda failure: failure.update(clip=name))
    found(scores, "failures.jsonl", f"{name!r} is no clip of mini")


def test_links_are_found_before_anything_is_read_through_them(scores, tmp_path):
    outside = tmp_path / "outside.flac"
    sample = scores.parent / "samples" / "mini_000000.flac"
    sample.rename(outside)
    sample.symlink_to(outside)
    assert check(scores).problems == (
        "samples/mini_000000.flac is a link; put the file or folder itself there",
    )
    sample.unlink()
    outside.rename(sample)
    (scores.parent / "features").rename(tmp_path / "features")
    (scores.parent / "features").symlink_to(tmp_path / "features")
    found(scores, "features is a link")


def test_a_full_run_of_signal_columns_is_verified_with_its_split(
    home, clicks_folder, tmp_path, monkeypatch
):
    split = f"folder:{clicks_folder}"
    scores = make_run("reference-loop", tmp_path / "runs", split)
    assert check(scores, split=split).problems == ()
    with pytest.raises(RunError, match="name it with --split"):
        check(scores)
    with pytest.raises(RunError, match="--split opens folder-"):
        check(scores, split=f"folder:{shutil.copytree(clicks_folder, tmp_path / 'others')}")
    (scores / "failures.jsonl").write_text("")
    edit_rows(scores, lambda frame: frame.iloc[1:])
    assert any("clip_000000 is a clip of" in each for each in check(scores, split=split).problems)


def test_clips_that_are_not_here_are_no_fault_of_the_run(scores, home, mini_home, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(home))
    with pytest.raises(MissingError, match="bench data prepare mini"):
        check(scores)
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    split = open_split("mini")
    refusal = Refusal("mini_000000", "its audio lasts 3 s")
    damaged = replace(split, clips=split.clips[1:], refused=(refusal,))
    monkeypatch.setattr("bench.pipeline.verify.open_split", lambda _: damaged)
    with pytest.raises(RunError, match="mini_000000 has a row, .* its audio lasts 3 s"):
        check(scores)


def test_columns_that_cannot_be_computed_here_are_refused(scores, monkeypatch):
    def open_without(*options: object) -> Judge:
        judge = open_judge(*options)
        kept = tuple(each for each in judge.extractors if each.name != "panns")
        return replace(judge, extractors=kept, missing=("install it",))

    monkeypatch.setattr("bench.pipeline.verify.open_judge", open_without)
    with pytest.raises(RunError, match="mini cannot compute kl_panns; install it"):
        check(scores)


def test_weights_that_are_not_here_are_refused(scores, monkeypatch, tmp_path):
    monkeypatch.setattr(Scoring, "weights", lambda _: ("synchformer",))
    with pytest.raises(MissingError, match="synchformer"):
        check(scores, weights=tmp_path)


def test_samples_are_made_again(scores, mini_home, tmp_path):
    made = make_run("noise", tmp_path / "runs")
    outcome = check(made, sample=1, regenerate=2)
    assert outcome.problems == ()
    assert len(outcome.regenerated) == 2
    # All of a folder that somebody made by other means, which follows from its samples.
    for path in (made.parent / "samples").glob("*.flac"):
        audio = read_audio(Excerpt(path))
        write_audio(path, Audio(audio.samples * np.float32(0.9), audio.sample_rate_hz))
    found(made, "is not the sample that journal.jsonl names")


def test_samples_that_another_system_made_are_found(scores, mini_home, tmp_path, monkeypatch):
    made = make_run("noise", tmp_path / "runs")
    monkeypatch.setattr("bench.pipeline.plan.stable_seed", lambda *_: 1)
    problems = check(made, sample=1, regenerate=1).problems
    assert len(problems) == 1
    assert "is not what the system makes here: it differs by" in problems[0]


def test_code_that_a_submission_names_is_never_imported(scores):
    with pytest.raises(RunError, match="a system of bench list models"):
        check(scores, regenerate=1)
