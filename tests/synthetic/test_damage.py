"""Damage is exactly what it says and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.errors import BenchError
from bench.synthetic.damage import shift_events, with_other_class, with_timbre_at
from bench.synthetic.world import make_scene

SCENE = make_scene("mini", 4)


def test_a_shift_moves_every_event_and_nothing_else() -> None:
    shifted = shift_events(SCENE, 0.05)
    assert replace(shifted, events=SCENE.events) == SCENE
    moved_s = [b.time_s - a.time_s for a, b in zip(SCENE.events, shifted.events, strict=True)]
    np.testing.assert_allclose(moved_s, 0.05, atol=1e-12)
    assert [e.number for e in shifted.events] == [e.number for e in SCENE.events]


@pytest.mark.parametrize("offset_s", [-3.0, 3.0])
def test_events_that_leave_the_clip_are_dropped(offset_s: float) -> None:
    kept = [e for e in SCENE.events if 0.0 <= e.time_s + offset_s < SCENE.seconds]
    assert 0 < len(kept) < len(SCENE.events)
    assert [e.number for e in shift_events(SCENE, offset_s).events] == [e.number for e in kept]


def test_a_shift_beyond_the_clip_leaves_no_event() -> None:
    assert shift_events(SCENE, 20.0).events == ()


@pytest.mark.parametrize("distance", [0.0, 0.1, 0.5, 1.0, 1.5])
def test_a_timbre_lies_at_the_distance_asked_for_and_in_bounds(distance: float) -> None:
    for index in range(20):
        scene = make_scene("mini", index)
        other = with_timbre_at(scene, distance, seed=index)
        moved = other.timbre.vector() - scene.timbre.vector()
        assert np.linalg.norm(moved) == pytest.approx(distance, abs=1e-9)
        assert 0.0 <= other.timbre.vector().min() <= other.timbre.vector().max() <= 1.0
        assert replace(other, timbre=scene.timbre) == scene


def test_the_farthest_corner_can_be_reached_and_no_farther() -> None:
    start = SCENE.timbre.vector()
    farthest = float(np.linalg.norm(np.maximum(start, 1.0 - start)))
    reached = with_timbre_at(SCENE, farthest, seed=0).timbre.vector()
    np.testing.assert_allclose(np.abs(reached - start), np.maximum(start, 1.0 - start), atol=1e-9)
    with pytest.raises(BenchError, match=r"the timbre distance is 3, expected 0 to \d"):
        with_timbre_at(SCENE, 3.0, seed=0)
    with pytest.raises(BenchError, match="the timbre distance is -0.1"):
        with_timbre_at(SCENE, -0.1, seed=0)


def test_the_seed_chooses_the_direction() -> None:
    assert with_timbre_at(SCENE, 0.5, 1) == with_timbre_at(SCENE, 0.5, 1)
    assert with_timbre_at(SCENE, 0.5, 1) != with_timbre_at(SCENE, 0.5, 2)


def test_another_class_keeps_the_events_and_changes_material_and_timbre() -> None:
    drawn = [with_other_class(SCENE, seed) for seed in range(40)]
    assert {scene.material for scene in drawn} == {"metal", "wood", "glass", "plastic", "rubber"}
    assert SCENE.material == "stone"
    for scene in drawn:
        assert scene.timbre != SCENE.timbre
        assert replace(scene, material="stone", timbre=SCENE.timbre) == SCENE
