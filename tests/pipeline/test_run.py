"""A run from end to end: the files that it writes and keeps, and its refusals."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from filelock import FileLock

from bench.errors import BenchError, RunError
from bench.judges import open_judge
from bench.pipeline.run import look_ahead, run
from bench.results import load_results, load_rows
from tests.pipeline.finished import read_failures

TONE = "tests.pipeline.systems:TONE"


def quiet(stage: str, done: int, total: int) -> None:
    """A progress callback that prints nothing."""


class Counter:
    """A progress callback that remembers how many items each stage handled."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.done[stage] = done


def test_the_ground_truth_is_perfect(make_plan):
    result = run(make_plan("ground-truth"), quiet)
    values = {name: score.value for name, score in result.results.metrics.items()}
    assert values["onset_acc"] == 1.0
    assert values["onset_ap"] == 1.0
    assert values["mcd"] == pytest.approx(0.0, abs=0.01)
    assert result.failures == ()


def test_a_run_leaves_samples_scores_rows_failures_and_provenance(make_plan):
    plan = make_plan("reference-loop")
    result = run(plan, quiet)
    info = soundfile.info(plan.directory / "samples" / "clip_000000.flac")
    assert (info.samplerate, info.frames) == (44_100, 8 * 44_100)
    rows = load_rows(plan.directory)
    assert list(rows["clip"]) == ["clip_000000", "clip_000001", "clip_000002"]
    assert {"onset_acc", "onset_ap", "mcd", "true_onsets", "generated_onsets"} <= set(rows.columns)
    assert load_results(plan.results_directory) == result.results
    assert read_failures(plan.directory) == []
    facts = json.loads((plan.directory / "run.json").read_text())
    assert facts["configuration"]["model"] == "reference-loop"
    assert facts["provenance"]["packages"]["numpy"]
    assert facts["seconds_per_clip"].keys() == {"generate", "extract", "score"}
    assert result.results.metrics["mcd"].value == pytest.approx(rows["mcd"].mean())


def test_the_chance_level_is_stored_with_the_onset_columns(make_plan):
    metrics = run(make_plan("ground-truth"), quiet).results.metrics
    assert 0.0 < metrics["onset_acc"].chance < 0.9
    assert metrics["mcd"].chance is None


def test_a_finished_run_is_not_repeated(make_plan):
    plan = make_plan(TONE)
    run(plan, quiet)
    before = (plan.directory / "scores.json").read_bytes()
    counter = Counter()
    run(plan, counter)
    assert set(counter.done.values()) == {0}
    assert (plan.directory / "scores.json").read_bytes() == before


def test_scores_do_not_depend_on_workers_or_interruptions(make_plan, tmp_path, home):
    metrics = ("onset_acc", "onset_ap", "mcd", "mcd_c1", "env_corr", "lsd")
    straight = make_plan(TONE, root=tmp_path / "a", metrics=metrics)
    run(straight, quiet)
    shutil.rmtree(home / "features")
    stepwise = make_plan(TONE, root=tmp_path / "b", limit=1, workers=2, metrics=metrics)
    run(stepwise, quiet)
    whole = make_plan(TONE, root=tmp_path / "b", workers=2, metrics=metrics)
    run(whole, quiet)
    for name in ("scores.json", "scores.parquet", "failures.jsonl"):
        assert (straight.directory / name).read_bytes() == (whole.directory / name).read_bytes()
    for sample in (straight.directory / "samples").iterdir():
        assert sample.read_bytes() == (whole.directory / "samples" / sample.name).read_bytes()


def test_a_larger_limit_does_only_the_further_clips(make_plan):
    run(make_plan(TONE, limit=1), quiet)
    counter = Counter()
    result = run(make_plan(TONE), counter)
    assert counter.done == {"generate": 2, "extract": 2, "score": 2}
    assert result.results.scored == 3


def test_another_column_is_added_without_generating_again_and_loses_none(make_plan):
    before = run(make_plan(TONE), quiet).results
    counter = Counter()
    after = run(make_plan(TONE, metrics=("mcd", "lsd")), counter).results
    assert counter.done == {"generate": 0, "extract": 3, "score": 3}
    assert set(after.metrics) == {"onset_acc", "onset_ap", "mcd", "lsd"}
    assert {name: after.metrics[name] for name in before.metrics} == before.metrics
    rows = load_rows(make_plan(TONE).results_directory)
    assert rows[["onset_acc", "onset_ap", "mcd", "lsd"]].notna().all(axis=None)


def test_a_single_column_of_a_finished_run_needs_no_work(make_plan):
    plan = make_plan(TONE)
    run(plan, quiet)
    before = (plan.directory / "scores.json").read_bytes()
    counter = Counter()
    run(make_plan(TONE, metrics=("mcd",)), counter)
    assert set(counter.done.values()) == {0}
    assert (plan.directory / "scores.json").read_bytes() == before


def test_a_part_of_a_finished_run_has_its_own_folder(make_plan):
    whole, part = make_plan(TONE), make_plan(TONE, limit=2)
    run(whole, quiet)
    before = {path: path.read_bytes() for path in whole.directory.glob("*scores*")}
    counter = Counter()
    result = run(part, counter)
    assert set(counter.done.values()) == {0}
    assert result.results.scored == 2
    assert result.directory == whole.directory / "first-2"
    assert load_results(whole.directory / "first-2") == result.results
    assert {path: path.read_bytes() for path in whole.directory.glob("*scores*")} == before


def test_a_part_that_is_made_again_leaves_the_other_clips(make_plan):
    run(make_plan(TONE), quiet)
    counter = Counter()
    run(make_plan(TONE, limit=1), counter, fresh=True)
    assert counter.done == {"generate": 1, "extract": 1, "score": 1}
    run(make_plan(TONE), counter)
    assert counter.done["generate"] == 0


def test_a_part_of_shuffled_samples_never_replaces_those_of_the_full_run(make_plan):
    whole = make_plan("shuffled")
    run(whole, quiet)
    run(make_plan("shuffled", limit=2), quiet)
    counter = Counter()
    run(whole, counter)
    assert set(counter.done.values()) == {0}


def test_a_changed_clip_is_done_again_and_the_others_are_kept(make_plan, clicks_folder, tmp_path):
    folder = tmp_path / "clips"
    shutil.copytree(clicks_folder, folder)
    run(make_plan(TONE, split=f"folder:{folder}"), quiet)
    shutil.copy(folder / "clip_000002.mp4", folder / "clip_000001.mp4")
    counter = Counter()
    run(make_plan(TONE, split=f"folder:{folder}"), counter)
    assert counter.done == {"generate": 1, "extract": 1, "score": 1}


def test_a_sample_that_was_deleted_or_changed_is_made_again(make_plan):
    plan = make_plan(TONE)
    before = run(plan, quiet).results
    (plan.directory / "samples" / "clip_000000.flac").unlink()
    (plan.directory / "samples" / "clip_000001.flac").write_bytes(b"damaged")
    counter = Counter()
    assert run(plan, counter).results == before
    assert counter.done["generate"] == 2


def test_a_failing_clip_is_a_row_and_the_means_are_of_the_others(make_plan):
    plan = make_plan("tests.pipeline.systems:SECOND_FAILS")
    result = run(plan, quiet)
    assert [(f.clip, f.stage) for f in read_failures(plan.directory)] == [
        ("clip_000001", "generate")
    ]
    assert "cannot be done" in result.failures[0].error
    assert (result.results.expected, result.results.scored, result.results.failed) == (3, 2, 1)
    assert list(load_rows(plan.directory)["clip"]) == ["clip_000000", "clip_000002"]
    assert result.results.metrics["mcd"].n == 2


def test_a_clip_that_the_split_refuses_is_a_failure_of_the_run(make_plan, clicks_folder, tmp_path):
    folder = tmp_path / "clips"
    shutil.copytree(clicks_folder, folder)
    (folder / "broken.mp4").write_text("not a video")
    result = run(make_plan(TONE, split=f"folder:{folder}"), quiet)
    assert [(f.clip, f.stage) for f in result.failures] == [("broken", "split")]
    assert (result.results.expected, result.results.scored) == (4, 3)


def test_a_system_that_cannot_be_opened_ends_the_run_with_its_reason(make_plan):
    for workers in (0, 2):
        with pytest.raises(BenchError, match="the weights are missing: fetch them"):
            run(make_plan("tests.pipeline.systems:BROKEN", workers=workers), quiet)


def test_a_second_process_on_the_same_run_is_refused(make_plan):
    plan = make_plan(TONE)
    plan.directory.mkdir(parents=True)
    with (
        FileLock(plan.directory / ".lock"),
        pytest.raises(RunError, match="another process works on"),
    ):
        run(plan, quiet)


def test_a_directory_of_another_run_is_refused_unless_it_is_discarded(make_plan):
    plan = make_plan(TONE)
    run(plan, quiet)
    path = plan.directory / "run.json"
    path.write_text(path.read_text().replace('"seed": 42', '"seed": 43'))
    with pytest.raises(RunError, match="holds another run"):
        run(plan, quiet)
    assert run(plan, quiet, fresh=True).results.scored == 3


def test_a_torn_last_line_of_the_journal_costs_only_its_clip(make_plan):
    plan = make_plan(TONE)
    before = run(plan, quiet).results
    journal = plan.directory / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    counter = Counter()
    assert run(plan, counter).results == before
    assert counter.done == {"generate": 0, "extract": 1, "score": 1}


def test_a_journal_damaged_in_the_middle_is_refused(make_plan):
    plan = make_plan(TONE)
    run(plan, quiet)
    journal = plan.directory / "journal.jsonl"
    journal.write_text("not json\n" + journal.read_text())
    with pytest.raises(RunError, match="line 1, is damaged.*--fresh"):
        run(plan, quiet)


def test_a_preview_counts_the_remaining_work_and_changes_nothing(make_plan):
    plan = make_plan(TONE)
    ahead = look_ahead(plan)
    assert (ahead.clips, ahead.to_generate, ahead.to_score) == (3, 3, 3)
    assert ahead.seconds > 0
    assert not any(each.is_measured for each in ahead.times.values())
    assert not plan.directory.exists()
    run(make_plan(TONE, limit=2), quiet)
    ahead = look_ahead(plan)
    assert (ahead.to_generate, ahead.to_score) == (1, 1)
    assert all(each.is_measured for each in ahead.times.values())


def test_the_seed_of_a_clip_depends_on_system_clip_and_run_alone(make_plan):
    plan, few = make_plan(TONE), make_plan(TONE, limit=1, workers=2)
    clip = plan.clips[0]
    assert plan.clip_seed(clip) == few.clip_seed(clip)
    assert plan.clip_seed(clip) != plan.clip_seed(plan.clips[1])
    assert plan.clip_seed(clip) != make_plan("silence").clip_seed(clip)


def test_shuffled_never_pairs_a_clip_with_itself(make_plan):
    plan = make_plan("shuffled")
    assert all(plan.other(clip).name != clip.name for clip in plan.clips)
    result = run(plan, quiet)
    assert result.results.metrics["onset_acc"].value < 0.9
    with pytest.raises(BenchError, match="has only one"):
        run(make_plan("shuffled", limit=1), quiet)


def test_shuffled_never_pairs_a_clip_with_its_own_audio_if_clips_share_a_target(make_plan):
    for split in ("mini-hits", "mini-references"):
        for seed in range(5):
            plan = replace(make_plan("shuffled", split=split), seed=seed)
            assert all(plan.other(clip).audio != clip.audio for clip in plan.clips)


def test_a_run_whose_shared_features_are_gone_makes_them_again(make_plan, home):
    plan = make_plan(TONE)
    before = run(plan, quiet).results
    shutil.rmtree(home / "features")
    counter = Counter()
    assert run(plan, counter).results == before
    assert counter.done == {"generate": 0, "extract": 3, "score": 3}


def test_another_version_of_an_extractor_is_scored_again(make_plan):
    plan = make_plan(TONE)
    run(plan, quiet)
    newer = tuple(replace(each, version=f"{each.version}-new") for each in plan.judge.extractors)
    counter = Counter()
    run(replace(plan, judge=replace(plan.judge, extractors=newer)), counter)
    assert counter.done == {"generate": 0, "extract": 3, "score": 3}


def test_a_published_sample_that_was_replaced_is_read_again(make_plan, clicks_folder, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    for number in range(3):
        shutil.copy(clicks_folder / f"clip_00000{number}.mp4", made)
    model = f"precomputed:{made}"
    assert run(make_plan(model), quiet).results.metrics["onset_acc"].value == 1.0
    shutil.copy(clicks_folder / "clip_000002.mp4", made / "clip_000000.mp4")
    counter = Counter()
    (made / "log.txt").touch()
    changed = run(make_plan(model), counter)
    assert counter.done["generate"] == 1
    assert changed.results.metrics["onset_acc"].value < 1.0
    assert "1 file is neither audio nor video in made: log.txt" in changed.results.notes


def test_a_run_that_was_moved_is_still_done(make_plan, tmp_path):
    plan = make_plan(TONE, root=tmp_path / "a")
    run(plan, quiet)
    (tmp_path / "a").rename(tmp_path / "b")
    counter = Counter()
    run(make_plan(TONE, root=tmp_path / "b"), counter)
    assert set(counter.done.values()) == {0}


def test_profiles_keep_their_results_apart_and_share_the_samples(make_plan):
    published, strict = make_plan("silence"), make_plan("silence", profile="strict")
    before = run(published, quiet).results
    counter = Counter()
    run(strict, counter)
    assert counter.done["generate"] == 0
    assert load_results(published.results_directory) == before
    assert load_results(strict.results_directory).profile == "strict"
    counter = Counter()
    run(published, counter)
    assert set(counter.done.values()) == {0}


def test_a_limited_run_states_its_limit_and_reports_its_own_clips_only(
    make_plan, clicks_folder, tmp_path
):
    folder = tmp_path / "clips"
    shutil.copytree(clicks_folder, folder)
    (folder / "zz_broken.mp4").write_text("not a video")
    result = run(make_plan(TONE, split=f"folder:{folder}", limit=1), quiet)
    assert (result.results.expected, result.results.failed, result.failures) == (1, 0, ())
    assert "only the first 1 of 4 clips" in result.results.notes
    assert "1 of 1 clips have a prompt (labels.csv)" in result.results.notes


def test_a_preview_leaves_a_torn_journal_unchanged(make_plan):
    plan = make_plan(TONE)
    run(plan, quiet)
    journal = plan.directory / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"kind": "ro')
    before = journal.read_bytes()
    look_ahead(plan)
    assert journal.read_bytes() == before


def test_groups_have_their_own_means_and_levels_of_chance(make_plan, clicks_folder):
    plan = make_plan("ground-truth")
    clips = tuple(replace(c, group="x" if n else "y") for n, c in enumerate(plan.clips))
    groups = run(replace(plan, clips=clips), quiet).results.groups
    assert groups["x"]["onset_acc"].n == 2
    assert groups["x"]["onset_acc"].chance is not None
    assert groups["y"]["onset_acc"].chance is None


def test_the_strict_profile_is_named_and_gives_other_scores(make_plan, tmp_path):
    published = run(make_plan("silence", root=tmp_path / "a"), quiet).results
    strict = run(make_plan("silence", root=tmp_path / "b", profile="strict"), quiet).results
    assert published.metrics["onset_ap"].value == 1.0
    assert strict.metrics["onset_ap"].value == 0.0
    assert (published.profile, strict.profile) == ("av-benchmark", "strict")
    assert "3 of 3 samples have no onset" in published.notes


def test_similar_arguments_have_different_directories(make_plan, tmp_path):
    for name in ("x", "y"):
        (tmp_path / name / "out").mkdir(parents=True)
    first = make_plan(f"precomputed:{tmp_path / 'x' / 'out'}").directory
    second = make_plan(f"precomputed:{tmp_path / 'y' / 'out'}").directory
    assert first != second
    assert make_plan("silence").directory.parts[-3] == "silence"


def test_annotated_hits_are_scored_beside_detected_onsets(make_plan, clicks_folder):
    pairs = clicks_folder.parent / "pairs.csv"
    target, condition = (clicks_folder / f"clip_00000{n}.mp4" for n in (0, 1))
    pairs.write_text(f"target,condition,hits\n{target},{condition},0.8;1.5\n")
    metrics = ("onset_acc", "onset_acc_hits", "mcd_ref")
    result = run(make_plan("ground-truth", split=f"pairs:{pairs}", metrics=metrics), quiet)
    scores = result.results.metrics
    assert scores["onset_acc"].value == 1.0
    assert scores["onset_acc_hits"].value is not None
    assert scores["mcd_ref"].value > 0.1
    Path(pairs).unlink()


def test_results_of_another_judge_are_stored_beside_the_first_and_state_what_made_them(make_plan):
    usual = make_plan("silence")
    other = replace(usual, judge=open_judge("signal", "av-benchmark"))
    before = run(usual, quiet).results
    run(other, quiet)
    assert load_results(usual.results_directory) == before
    assert load_results(other.results_directory).judge == "signal"
    facts = json.loads((usual.results_directory / "provenance.json").read_text())
    assert (facts["judge"], facts["profile"]) == ("paper", "av-benchmark")


def test_fresh_removes_the_results_of_every_judge(make_plan):
    usual = make_plan("silence")
    other = replace(usual, judge=open_judge("signal", "av-benchmark"))
    run(other, quiet)
    run(usual, quiet, fresh=True)
    assert not other.results_directory.exists()
