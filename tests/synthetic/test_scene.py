"""Scenes: their content, their balance, and their ground truth as JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from bench.errors import BenchError
from bench.synthetic.actions import ACTIONS
from bench.synthetic.audio import render_audio
from bench.synthetic.materials import MATERIALS
from bench.synthetic.scene import (
    CLASSES,
    LONGEST_FLIGHT_S,
    WORLD_VERSION,
    Scene,
    label,
    make_scene,
    scene_from_truth,
    scene_to_truth,
)
from bench.synthetic.video import render_frames


def scenes(action: str, n_scenes: int = 6) -> list[Scene]:
    indices = (index for index in range(600) if CLASSES[index % len(CLASSES)][0] == action)
    return [make_scene("mini", index) for index, _ in zip(indices, range(n_scenes), strict=False)]


def test_a_scene_depends_on_its_split_and_index_only() -> None:
    assert make_scene("mini", 7) == make_scene("mini", 7)
    assert make_scene("mini", 7).timbre != make_scene("mini", 67).timbre
    assert make_scene("mini", 7).timbre != make_scene("mini-train", 7).timbre


def test_the_world_changes_only_with_its_version() -> None:
    """Pinned values: where one moves, clips on disk are stale, and the version must be raised."""
    scene = make_scene("mini", 0)
    assert WORLD_VERSION == 1
    assert len(scene.events) == 14
    assert scene.events[0].time_s == pytest.approx(0.5913223208219937, abs=1e-12)
    assert scene.timbre.pitch == pytest.approx(0.8547722759499734, abs=1e-12)
    audio = render_audio(scene).astype(np.float64)
    assert np.sqrt(np.mean(audio**2)) == pytest.approx(0.053676, rel=1e-4)
    video = np.stack(list(render_frames(scene)))
    assert video.mean() == pytest.approx(139.7128, abs=0.01)


def test_a_name_is_the_split_and_six_digits() -> None:
    assert make_scene("mini", 42).name == "mini_000042"
    assert re.fullmatch(r"[A-Za-z0-9-]+_\d{6}", make_scene("mini-train", 999_999).name)


@pytest.mark.parametrize("index", [-1, 1_000_000])
def test_an_index_of_more_than_six_digits_is_refused(index: int) -> None:
    with pytest.raises(BenchError, match="expected 0 to 999,999"):
        make_scene("mini", index)


def test_sixty_neighbours_hold_every_class_once() -> None:
    drawn = [make_scene("mini", index) for index in range(60, 120)]
    assert set(Counter((scene.action, scene.material) for scene in drawn).values()) == {1}
    assert len(CLASSES) == len(ACTIONS) * len(MATERIALS) == 60


def test_ten_neighbours_hold_every_action_and_every_material() -> None:
    drawn = [make_scene("mini", index) for index in range(120, 130)]
    assert {scene.action for scene in drawn} == set(ACTIONS)
    assert {scene.material for scene in drawn} == set(MATERIALS)


def test_truth_survives_json_exactly() -> None:
    for index in range(10):
        scene = make_scene("mini", index)
        assert scene_from_truth(json.loads(json.dumps(scene_to_truth(scene)))) == scene


def test_a_truth_of_another_world_is_refused_with_the_command_that_fixes_it() -> None:
    truth = scene_to_truth(make_scene("mini", 0))
    with pytest.raises(BenchError, match=r"'mini_000000'.*bench data prepare mini"):
        scene_from_truth({**truth, "timbre": {"pitch": 0.5}})
    with pytest.raises(BenchError, match="weather"):
        scene_from_truth({**truth, "weather": "fine"})
    with pytest.raises(BenchError, match="events"):
        scene_from_truth({"name": "mini_000001"})


def test_a_prompt_names_the_action_and_the_material() -> None:
    assert label(make_scene("mini", 0)) == "striking metal with a mallet"
    prompts = {label(make_scene("mini", index)) for index in range(60)}
    assert len(prompts) == 60


@pytest.mark.parametrize("action", ACTIONS)
def test_events_are_sorted_inside_the_clip_and_do_not_overlap(action: str) -> None:
    for scene in scenes(action):
        assert scene.events[0].time_s >= 0.2
        for before, after in pairwise(scene.events):
            assert after.time_s - before.time_s - before.duration_s >= 0.02
        last = scene.events[-1]
        assert last.time_s + last.duration_s <= scene.seconds - 0.2
        assert all(0.0 < event.strength <= 1.0 for event in scene.events)
        assert [event.number for event in scene.events] == list(range(len(scene.events)))


@pytest.mark.parametrize("action", ACTIONS)
def test_target_and_reference_windows_both_hold_events(action: str) -> None:
    for scene in scenes(action):
        assert sum(event.time_s < 8.0 for event in scene.events) >= 4
        assert any(8.0 <= event.time_s < 10.0 for event in scene.events)


@pytest.mark.parametrize("action", ACTIONS)
def test_gaps_are_too_uneven_for_a_shifted_clip_to_match(action: str) -> None:
    for scene in scenes(action):
        gaps_s = np.diff([event.time_s for event in scene.events])
        assert gaps_s.std() / gaps_s.mean() > 0.15
        assert ACTIONS[action].is_stroke or gaps_s.min() > 0.12
        assert gaps_s.max() < 2.2


def test_a_ball_loses_speed_by_its_restitution() -> None:
    for scene in scenes("bouncing"):
        events = scene.events
        flights_s = [event.strength * LONGEST_FLIGHT_S for event in events]
        landed = [
            k
            for k, (before, after) in enumerate(pairwise(events))
            if abs(after.time_s - before.time_s - flights_s[k]) < 1e-9
        ]
        assert len(landed) >= len(events) // 2
        for k in landed:
            assert 0.66 <= events[k + 1].strength / events[k].strength <= 0.82


def test_a_faster_stroke_is_a_stronger_one() -> None:
    for scene in scenes("scraping") + scenes("sawing"):
        by_duration = sorted(scene.events, key=lambda event: event.duration_s)
        strengths = [event.strength for event in by_duration]
        assert strengths == sorted(strengths, reverse=True)
