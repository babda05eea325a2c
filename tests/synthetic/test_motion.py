"""Agents touch at the times of events, and positions are the integrals of speeds."""

from __future__ import annotations

import numpy as np
import pytest

from bench.synthetic.actions import ACTIONS
from bench.synthetic.motion import (
    foot_height,
    sample_grains,
    striker_height,
    stroke_position,
    stroke_speed,
    swing_position,
)
from bench.synthetic.scene import Event, make_scene

NEAR_S = 1e-6
EVENTS = (Event(1.0, 0.8, 0.0, 0), Event(1.25, 0.6, 0.0, 1), Event(2.5, 1.0, 0.0, 2))
STROKES = (Event(1.0, 1.0, 0.4, 0), Event(2.0, 0.5, 0.6, 1))


@pytest.mark.parametrize("height", [striker_height, foot_height])
def test_an_agent_touches_exactly_at_every_event(height) -> None:
    for event in EVENTS:
        assert height(EVENTS, event.time_s) == pytest.approx(0.0, abs=1e-12)
        assert 0.0 < height(EVENTS, event.time_s - 0.02) < event.strength


def test_an_agent_is_fastest_at_the_contact_and_reverses_there() -> None:
    for event in EVENTS:
        before = striker_height(EVENTS, event.time_s - NEAR_S) / NEAR_S
        earlier = (
            striker_height(EVENTS, event.time_s - 0.08)
            - striker_height(EVENTS, event.time_s - 0.06)
        ) / 0.02
        assert before > earlier > 0.0
        assert striker_height(EVENTS, event.time_s + NEAR_S) / NEAR_S > 1.0


def test_a_stronger_impact_starts_from_higher() -> None:
    assert striker_height(EVENTS, 2.2) == pytest.approx(1.0)
    assert striker_height(EVENTS, 0.5) == pytest.approx(0.8)


def test_a_foot_stays_down_until_it_is_lifted_for_the_next_step() -> None:
    assert foot_height(EVENTS, 1.5) == foot_height(EVENTS, 2.0) == foot_height(EVENTS, 3.0) == 0.0
    assert foot_height(EVENTS, 2.3) > 0.5


def test_a_rattle_reverses_at_every_event_on_alternate_sides() -> None:
    assert swing_position(EVENTS, 1.0) == pytest.approx(0.8)
    assert swing_position(EVENTS, 1.25) == pytest.approx(-0.6)
    assert swing_position(EVENTS, 0.99) < swing_position(EVENTS, 1.0) > swing_position(EVENTS, 1.01)


@pytest.mark.parametrize("height", [striker_height, foot_height, swing_position])
def test_paths_have_no_jumps(height) -> None:
    path = np.array([height(EVENTS, time_s) for time_s in np.arange(0.0, 4.0, 1e-4)])
    assert np.abs(np.diff(path)).max() < 0.005


def test_the_position_of_a_stroke_is_the_integral_of_its_speed() -> None:
    times_s = np.arange(0.0, 0.4, 1e-5)
    speed = stroke_speed(times_s / 0.4)
    integral = np.cumsum(speed) / speed.sum()
    positions = [stroke_position(STROKES, 1.0 + float(time_s)) for time_s in times_s[::1000]]
    np.testing.assert_allclose(positions, integral[::1000], atol=1e-3)
    assert speed.max() == pytest.approx(1.0)


def test_strokes_go_to_and_fro_and_rest_between() -> None:
    assert stroke_position(STROKES, 0.5) == 0.0
    assert stroke_position(STROKES, 1.4) == stroke_position(STROKES, 1.9) == pytest.approx(1.0)
    assert stroke_position(STROKES, 2.6) == pytest.approx(0.0)


def test_grains_land_within_their_event_and_the_first_with_it() -> None:
    scene = make_scene("mini", 9)
    assert ACTIONS[scene.action].name == "sprinkling"
    for event in scene.events:
        fall = sample_grains(scene.name, event)
        assert fall.times_s[0] == event.time_s
        assert (np.diff(fall.times_s) >= 0.0).all()
        assert fall.times_s[-1] <= event.time_s + event.duration_s
        assert fall.times_s.shape == fall.strengths.shape == fall.positions.shape
