"""What a run lacks and costs, examined before anything runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import api
from bench.pipeline.columns import JudgeOptions
from bench.pipeline.prepare import RunOptions
from bench.pipeline.readiness import UNKNOWN_SYSTEM, examine_run, find_clips
from bench.splits import open_split
from bench.splits.mini import count_to_render

COLUMNS = ("onset_acc",)


@pytest.fixture
def examine(home, tmp_path, clicks_folder):
    """Examine a run of a system on click clips."""
    split = f"folder:{clicks_folder}"

    def call(model, *, limit=None, **options):
        clips = find_clips(options.pop("split", split), COLUMNS, 9, limit=limit)
        asked = RunOptions(model=model, limit=limit, workers=0, runs=tmp_path / "runs", **options)
        return examine_run(asked, JudgeOptions(), clips)

    return call


def test_a_run_is_ready_then_finished_and_again_ready_where_clips_are_added(
    examine, tmp_path, clicks_folder
):
    ready = examine("silence", limit=2)
    assert ready.can_run
    assert (ready.ahead.to_generate, ready.ahead.to_score) == (2, 2)
    assert not ready.plan.results_directory.exists()
    split = find_clips(f"folder:{clicks_folder}", COLUMNS, 9).split
    made = api.run("silence", split=split, limit=2, workers=0, runs=tmp_path / "runs")
    done = examine("silence", limit=2)
    assert not done.can_run
    assert done.finished == made.results
    assert done.gpu_seconds == 0
    more = examine("silence", limit=3)
    assert more.can_run
    assert more.ahead.to_generate == 1
    # Without the scores the run is not finished, though every clip has its row.
    (made.directory / "scores.json").unlink()
    assert examine("silence", limit=2).can_run


def test_what_is_missing_is_listed_and_not_refused(examine):
    found = examine("no-such-system")
    assert [(each.kind, each.text) for each in found.obstacles] == [("system", UNKNOWN_SYSTEM)]
    assert found.ahead is None
    found = examine("acfoley", split="vggsound-ib0.3")
    assert [each.kind for each in found.obstacles] == ["clips", "needs"]
    assert "bench data filter vggsound" in found.obstacles[0].text
    assert "acfoley fetch" in found.obstacles[1].text
    # 9 clips at 5 s each, whatever is missing.
    assert found.gpu_seconds == pytest.approx(9 * 5.0)
    assert found.ahead.times["generate"].seconds > 0
    found = examine("silence", mask="audio")
    assert [each.kind for each in found.obstacles] == ["refused"]
    assert "cannot do without audio" in found.obstacles[0].text


def test_weights_of_the_judge_cost_columns_and_stop_no_run(home, tmp_path):
    clips = find_clips("vggsound-ib0.3", ("fd_vgg", "onset_acc"), 10)
    here = replace(clips, missing=())
    options = RunOptions(model="ground-truth", workers=0, runs=tmp_path)
    found = examine_run(options, JudgeOptions(), here)
    assert found.can_run
    (piece,) = found.missing
    assert piece.kind == "columns"
    assert "bench weights fetch vggish" in piece.text
    # The judge's time counts all the same, and a system without a network takes none.
    assert find_cost(options, clips) == pytest.approx(10 * 2.0)
    assert find_cost(options, find_clips("vggsound-ib0.3", COLUMNS, 10)) == 0


def find_cost(options, clips):
    return examine_run(options, JudgeOptions(), clips).gpu_seconds


def test_a_limit_counts_the_clips_of_a_split_that_is_not_here(home):
    assert find_clips("vggsound-ib0.3", COLUMNS, 8_676).n_clips == 8_676
    assert find_clips("vggsound-ib0.3", COLUMNS, 8_676, limit=12).n_clips == 12
    assert find_clips("greatesthits-pairs", COLUMNS, 582, limit=900).n_clips == 582


def test_references_need_what_their_targets_need(home):
    found = find_clips("wavcaps-references", COLUMNS, 77_230, targets="vggsound-test")
    assert ["prepare wavcaps" in each.text for each in found.missing] == [True, False]
    assert "prepare vggsound" in found.missing[1].text


def test_networks_stay_where_a_table_shows_their_columns(home):
    split = find_clips("mini", ("fd_vgg", "mcd"), 128).split
    assert {"fd_vgg", "mcd", "lsd"} <= set(split.metrics)
    assert "fd_passt" not in split.metrics


def test_mini_clips_are_counted_up_to_the_last_that_is_missing(mini_home, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    clips = open_split("mini").clips
    assert count_to_render(clips[:4]) == 0
    assert count_to_render(clips[:6]) == 6
    references = open_split("mini-references").clips
    assert count_to_render(references[:1]) == 0
    monkeypatch.setenv("BENCH_HOME", str(mini_home / "none"))
    assert count_to_render(open_split("mini-references").clips[:1]) == 1
    # A condition of the first target is the event of a later clip.
    assert count_to_render(open_split("mini-hits").clips[:1]) > 20
