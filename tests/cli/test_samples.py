"""``bench samples``: which clips are shown, and that a run of a nameless split is refused."""

from __future__ import annotations

import pytest
from PIL import Image

from bench.cli.judge import Choice
from bench.cli.plan import Order, plan_run
from bench.cli.samples import samples_command, true_events, varied_clips
from bench.engine import open_engine
from bench.errors import RunError
from bench.pipeline import run
from bench.splits import open_split
from bench.splits.mini import open_mini, prepare_mini
from bench.types import Clip, Excerpt


def clip(name: str, prompt: str, **about: object) -> Clip:
    return Clip(name, Excerpt("clip.mp4", 1.0, 2.0), 2.0, prompt=prompt, **about)


def finished(split: str, tmp_path):
    choice = Choice("mcd", "av-benchmark", None, None, "cpu")
    opened = open_split(split)
    order = Order("reference-loop", opened, opened.clips[:2], 42, 0, tmp_path / "runs")
    plan = plan_run(order, choice)
    run(plan, lambda stage, done, total: None)
    return plan.results_directory


def test_prompts_that_begin_alike_come_late():
    clips = [clip("a", "sawing wood"), clip("b", "sawing metal"), clip("c", "tapping wood"),
             clip("d", "tapping glass")]  # fmt: skip
    assert [each.name for each in varied_clips(clips, 3)] == ["a", "d", "b"]
    assert len(varied_clips(clips, 9)) == 4


def test_events_are_counted_from_the_start_of_the_window():
    assert true_events(clip("a", "", truth={"hits": [0.5, 1.5]})) == (0.5, 1.5)
    scene = {"events": [{"time_s": 0.5}, {"time_s": 1.5}, {"time_s": 3.5}]}
    assert true_events(clip("a", "", truth=scene)) == (0.5,)
    assert true_events(clip("a", "")) == ()
    assert len(true_events(open_mini().clips[0])) > 3


def test_a_run_without_a_scored_clip_is_refused(home, tmp_path, monkeypatch):
    monkeypatch.setattr("bench.cli.samples.load_results", lambda run: None)
    monkeypatch.setattr("bench.cli.samples._clips", lambda run, results: [])
    with pytest.raises(RunError, match="has no scored clip to draw: failures.jsonl there says why"):
        samples_command(tmp_path, 8, tmp_path / "page.png")


def test_the_clips_of_a_run_are_drawn(home, tmp_path):
    list(prepare_mini(2, open_engine(0)).rows)
    samples_command(finished("mini", tmp_path), 8, tmp_path / "page.png")
    with Image.open(tmp_path / "page.png") as image:
        assert min(image.size) > 300


def test_a_run_of_a_split_without_a_name_is_refused(home, tmp_path, clicks_folder):
    directory = finished(f"folder:{clicks_folder}", tmp_path)
    with pytest.raises(RunError, match="expected a split that is opened by name: mini, "):
        samples_command(directory, 8, tmp_path / "page.png")
