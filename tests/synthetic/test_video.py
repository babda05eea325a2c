"""Rendered video shows the events and the material, and does not depend on the hidden timbre."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from bench.synthetic.actions import ACTIONS
from bench.synthetic.animations import ANIMATIONS
from bench.synthetic.canvas import Canvas, box, capsule, disc
from bench.synthetic.corruptions import change_class, change_timbre, shift_events
from bench.synthetic.materials import MATERIALS
from bench.synthetic.motion import stroke_speed
from bench.synthetic.scene import CLASSES, Scene, make_scene
from bench.synthetic.video import make_tile, render_frames


def frames(scene: Scene) -> np.ndarray:
    """All frames ``[T, 128, 128, 3]`` as numbers that can be subtracted."""
    return np.stack(list(render_frames(scene))).astype(np.int16)


@cache
def change(scene: Scene) -> np.ndarray:
    """Mean change from each frame to the next, ``[T - 1]``, beyond the grain of the camera."""
    # Pair by pair: the arrays of one pair stay in the cache of the processor.
    steps = (
        np.abs(np.subtract(after, before, dtype=np.int16))
        for before, after in pairwise(render_frames(scene))
    )
    return np.array([step[step > 14].sum() / step.size for step in steps])


def scene_of(action: str, block: int = 0) -> Scene:
    return make_scene("mini", list(ACTIONS).index(action) + 10 * block)


def test_every_action_has_an_animation() -> None:
    assert set(ANIMATIONS) == set(ACTIONS)


def test_the_same_scene_gives_the_same_frames() -> None:
    scene = make_scene("mini", 9, seconds=2.0)
    assert frames(scene).tobytes() == frames(scene).tobytes()


@pytest.mark.parametrize("action", ACTIONS)
def test_a_video_has_25_frames_per_second_of_128_by_128(action: str) -> None:
    video = list(render_frames(make_scene("mini", list(ACTIONS).index(action), seconds=2.2)))
    assert len(video) == 55
    assert {frame.shape for frame in video} == {(128, 128, 3)}
    assert all(frame.dtype == np.uint8 for frame in video)


@pytest.mark.parametrize("action", ACTIONS)
def test_the_video_does_not_depend_on_the_hidden_timbre(action: str) -> None:
    scene = make_scene("mini", list(ACTIONS).index(action), seconds=2.0)
    np.testing.assert_array_equal(frames(change_timbre(scene, 1.0, seed=5)), frames(scene))


@pytest.mark.parametrize("action", ACTIONS)
def test_a_scene_without_events_does_not_move(action: str) -> None:
    scene = shift_events(make_scene("mini", list(ACTIONS).index(action), seconds=1.0), 5.0)
    assert scene.events == ()
    assert np.abs(np.diff(frames(scene), axis=0)).max() < 40


def test_material_and_events_change_the_video() -> None:
    scene = make_scene("mini", 0, seconds=3.0)
    original = frames(scene)
    assert (frames(change_class(scene, seed=1)) != original).any()
    assert (frames(shift_events(scene, 0.2)) != original).any()


@pytest.mark.parametrize("action", [name for name in ACTIONS if not ACTIONS[name].is_stroke])
def test_motion_agrees_with_the_events_better_than_with_shifted_ones(action: str) -> None:
    offsets_s = np.array([-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6])
    agreement = np.zeros(offsets_s.size)
    for block in range(3):
        scene = scene_of(action, block)
        moved = change(scene)
        times_s = np.array([event.time_s for event in scene.events])
        for number, offset_s in enumerate(offsets_s):
            at = np.floor((times_s + offset_s) * scene.fps).astype(int)
            at = at[(at >= 0) & (at < moved.size)]
            agreement[number] += moved[at].mean() / moved.mean()
    assert offsets_s[agreement.argmax()] == 0.0
    assert agreement.max() / 3.0 > 1.15


@pytest.mark.parametrize("action", ["scraping", "sawing"])
def test_the_visible_speed_of_a_stroke_is_that_of_its_audio(action: str) -> None:
    scene = scene_of(action)
    moved = change(scene)
    times_s = (np.arange(moved.size) + 0.5) / scene.fps
    speed = sum(
        event.strength * stroke_speed((times_s - event.time_s) / event.duration_s)
        for event in scene.events
    )
    assert np.corrcoef(moved, speed)[0, 1] > 0.75


def test_grains_land_in_the_video_only_while_they_do_in_the_audio() -> None:
    scene = scene_of("sprinkling")
    moved = change(scene)
    times_s = (np.arange(moved.size) + 0.5) / scene.fps
    is_audible = np.zeros(moved.size, dtype=bool)
    for event in scene.events:
        is_audible |= (times_s > event.time_s) & (times_s < event.time_s + event.duration_s)
    assert moved[is_audible].mean() > 1.5 * moved[~is_audible].mean()


def test_materials_look_different_from_each_other() -> None:
    look = make_scene("mini", 0).look
    means = {}
    for material in MATERIALS:
        tile = make_tile(material, look, np.random.default_rng(0))
        assert tile.shape == (128, 128, 3)
        assert 0.0 <= tile.min() <= tile.max() <= 255.0
        means[material] = np.append(tile.mean(axis=(0, 1)), 2.0 * tile.std())
    for one in means:
        for other in means:
            assert one == other or np.linalg.norm(means[one] - means[other]) > 25.0


def test_the_camera_and_the_colours_vary_between_clips_of_a_class() -> None:
    first, second = (
        next(render_frames(make_scene("mini", CLASSES.index(("clapping", "wood")) + 60 * k)))
        for k in range(2)
    )
    assert np.abs(first.astype(int) - second.astype(int)).mean() > 10.0


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        (disc(64.3, 60.1, 10.0), np.pi * 100.0),
        (box((60.2, 64.0), (12.0, 5.0), 0.0), 240.0),
        (box((64.0, 64.0), (12.0, 5.0), 0.0, 0.7), 240.0),
        (capsule((40.0, 40.0), (70.0, 80.0), 4.0), 2.0 * 4.0 * 50.0 + np.pi * 16.0),
    ],
)
def test_a_shape_covers_its_area(shape, area: float) -> None:
    canvas = Canvas.create(np.zeros((3, 128, 128), dtype=np.float32), 1.0, (0.0, 0.0))
    outlined = Canvas.create(np.full((3, 128, 128), 1.0, dtype=np.float32), 1.0, (0.0, 0.0))
    canvas.paint(shape, (1.0, 1.0, 1.0))
    outlined.paint(shape, (0.0, 0.0, 0.0))
    assert (1.0 - outlined.pixels[0]).sum() == pytest.approx(area, rel=0.02)
    assert canvas.pixels.max() == pytest.approx(1.0, abs=1e-5)


def test_a_shape_outside_the_frame_paints_nothing() -> None:
    canvas = Canvas.create(np.zeros((3, 128, 128), dtype=np.float32), 1.0, (0.0, 0.0))
    canvas.paint(disc(300.0, -50.0, 10.0), (255.0, 255.0, 255.0))
    assert not canvas.pixels.any()
