"""``bench samples``: the choice of clips, and the refusal of a run of a split without a name."""

from __future__ import annotations

import pytest
from PIL import Image

import bench
from bench.cli.pages import samples
from bench.errors import RunError
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


def test_a_run_of_a_split_without_a_name_is_refused(home, tmp_path, clicks_folder):
    directory = finished(f"folder:{clicks_folder}", tmp_path)
    with pytest.raises(RunError, match="expected a split that is opened by name: mini, "):
        samples(directory, 8, tmp_path / "page.png")
