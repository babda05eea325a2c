"""``bench samples``: the choice of clips, and the refusal of a run of a split without a name."""

from __future__ import annotations

import pytest
from PIL import Image

import bench
from bench.cli.samples import samples
from bench.errors import BenchError, RunError
from bench.pipeline.spectrograms import choose_varied_clips, find_true_events
from bench.splits.mini import open_mini
from bench.types import Clip, Excerpt


def clip(name: str, prompt: str, **about: object) -> Clip:
    return Clip(name, Excerpt("clip.mp4", 1.0, 2.0), 2.0, prompt=prompt, **about)


def finished(split: str, tmp_path):
    folder = tmp_path / "runs"
    done = bench.run("reference-loop", split=split, limit=2, metrics="mcd", workers=0, runs=folder)
    return done.directory


def test_prompts_that_begin_alike_come_late():
    clips = [clip("a", "sawing wood"), clip("b", "sawing metal"), clip("c", "tapping wood"),
             clip("d", "tapping glass")]  # fmt: skip
    assert [each.name for each in choose_varied_clips(clips, 3)] == ["a", "d", "b"]
    assert len(choose_varied_clips(clips, 9)) == 4


def test_events_are_counted_from_the_start_of_the_window():
    assert find_true_events(clip("a", "", truth={"hits": [0.5, 1.5]})) == (0.5, 1.5)
    scene = {"events": [{"time_s": 0.5}, {"time_s": 1.5}, {"time_s": 3.5}]}
    assert find_true_events(clip("a", "", truth=scene)) == (0.5,)
    assert find_true_events(clip("a", "")) == ()
    assert len(find_true_events(open_mini().clips[0])) > 3


def test_a_run_without_a_scored_clip_is_refused(home, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.results.load_results", lambda run: None)
    monkeypatch.setattr("bench.pipeline.spectrograms.find_scored_clips", lambda run, results: [])
    with pytest.raises(RunError, match="has no scored clip to draw: failures.jsonl there says why"):
        samples(tmp_path, 8, tmp_path / "page.png")


def test_the_clips_of_a_run_are_drawn(mini_home, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    samples(finished("mini", tmp_path), 8, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as image:
        assert min(image.size) > 300


@pytest.mark.parametrize(("name", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_format_is_that_of_the_option_or_of_the_suffix(
    mini_home, tmp_path, monkeypatch, name, start
):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    monkeypatch.chdir(tmp_path)
    run = finished("mini", tmp_path)
    samples(run, 1, None, name)
    samples(run, 1, tmp_path / f"page.{name}")
    for file in (f"samples.{name}", f"page.{name}"):
        assert (tmp_path / file).read_bytes().startswith(start)


def test_formats_that_contradict_one_another_are_refused(tmp_path):
    with pytest.raises(BenchError, match="names a png and --format svg was asked for"):
        samples(tmp_path, 8, tmp_path / "page.png", "svg")
    with pytest.raises(BenchError, match="no figure format 'jpg'; there are: png, svg, pdf"):
        samples(tmp_path, 8, None, "jpg")
    with pytest.raises(BenchError, match="no figure 3 of samples; there is 4, as in the paper"):
        samples(tmp_path, 8, None, None, 3)


def test_figure_4_has_two_videos_under_three_references(mini_home, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    drawn = []
    monkeypatch.setattr(
        "reports.conditions_figure.plot_conditions",
        lambda title, videos, out: drawn.append((title, videos)),
    )
    folder = tmp_path / "runs"
    options = {"metrics": "mcd_ref", "workers": 0, "runs": folder}
    run = bench.run("reference-loop", split="mini-references", limit=10, **options)
    samples(run.directory, 8, tmp_path / "page.png", None, 4)
    ((title, videos),) = drawn
    assert title == "reference-loop on mini-references, mini world"
    assert [[each.name for each in video.conditions] for video in videos] == [
        ["ref_a", "ref_c", "ref_e"]
    ] * 2
    assert len({video.title for video in videos}) == 2
    assert {video.frames.shape[0] for video in videos} == {8}
    assert all("MCD ref." in each.scores for video in videos for each in video.conditions)
    # The sample of each condition and no other: those of a loop follow their references.
    levels = [each.generated.level_db.mean() for each in videos[0].conditions]
    assert len(set(levels)) == 3


def test_figure_4_of_a_run_with_one_reference_for_each_video_is_refused(
    mini_home, tmp_path, monkeypatch
):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    with pytest.raises(RunError, match="0 videos under 3 references or more, Figure 4 needs 2"):
        samples(finished("mini", tmp_path), 8, tmp_path / "page.png", None, 4)


def test_a_run_of_a_split_without_a_name_is_refused(home, tmp_path, clicks_folder):
    directory = finished(f"folder:{clicks_folder}", tmp_path)
    with pytest.raises(RunError, match="expected a split that is opened by name: mini, "):
        samples(directory, 8, tmp_path / "page.png")
