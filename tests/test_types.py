"""Conditions and systems check their components."""

from __future__ import annotations

import pytest

from bench.system import System
from bench.types import Condition


@pytest.mark.parametrize(
    ("condition", "name"),
    [
        (Condition(), "full"),
        (Condition(frozenset({"audio"})), "no-audio"),
        (Condition(frozenset({"text", "sync"})), "no-sync+text"),
        (Condition(frozenset({"video"}), "vector"), "no-video-vector"),
    ],
)
def test_a_condition_names_what_is_masked_in_one_order(condition, name):
    assert condition.name == name


def test_a_system_that_masks_an_unknown_component_is_refused():
    with pytest.raises(ValueError, match=r"'x' masks \['picture'\], known: \['audio', 'sync'"):
        System("x", "x", frozenset(), lambda device: None, masks=frozenset({"picture"}))
