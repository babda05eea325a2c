"""Pairs of hits, shared references and prompts in conflict follow the rules of their protocols."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

import bench.synthetic
from bench.errors import BenchError
from bench.synthetic.actions import ACTIONS
from bench.synthetic.audio import render_audio
from bench.synthetic.materials import MATERIALS
from bench.synthetic.protocols import (
    CONFLICT_LEVELS,
    HitsExcerpt,
    conflict_prompts,
    hits_indices,
    hits_pairs,
    reference_scenes,
    similar_action,
)
from bench.synthetic.scene import make_scene


def n_events_inside(excerpt: HitsExcerpt) -> int:
    times_s = [event.time_s - excerpt.start_s for event in make_scene("mini", excerpt.index).events]
    return sum(0.1 <= time_s < 1.9 for time_s in times_s)


def test_pairs_are_always_the_same() -> None:
    assert hits_pairs(12) == hits_pairs(12)
    assert [pair.target.name for pair in hits_pairs(5)] == [
        pair.target.name for pair in hits_pairs(12)[:5]
    ]


@pytest.mark.parametrize("n_targets", [1, 12, 60])
def test_every_target_is_another_clip_with_three_conditions(n_targets: int) -> None:
    pairs = hits_pairs(n_targets)
    assert len({pair.target.name for pair in pairs}) == n_targets
    assert {len(pair.conditions) for pair in pairs} == {3}
    used = {excerpt.index for pair in pairs for excerpt in (pair.target, *pair.conditions)}
    assert used <= set(hits_indices(n_targets))


def test_a_target_and_its_conditions_have_four_classes() -> None:
    for pair in hits_pairs(60):
        scenes = [make_scene("mini", one.index) for one in (pair.target, *pair.conditions)]
        assert len({(scene.action, scene.material) for scene in scenes}) == 4
        assert len({scene.timbre for scene in scenes}) == 4
        assert not any(ACTIONS[scene.action].is_stroke for scene in scenes)


def test_every_excerpt_is_inside_its_clip_starts_on_a_frame_and_has_an_event() -> None:
    for pair in hits_pairs(60):
        for excerpt in (pair.target, *pair.conditions):
            assert excerpt.name == f"mini_{excerpt.index:06d}"
            assert excerpt.seconds == 2.0
            assert 0.0 <= excerpt.start_s <= 8.0
            assert excerpt.start_s * 25 == pytest.approx(round(excerpt.start_s * 25), abs=1e-9)
            assert n_events_inside(excerpt) >= 1


def test_conditions_are_spread_over_the_clips() -> None:
    pairs = hits_pairs(60)
    uses = Counter(one.index for pair in pairs for one in pair.conditions)
    assert len(uses) > 45
    assert max(uses.values()) <= 9


def test_no_targets_is_refused() -> None:
    with pytest.raises(BenchError, match="number of targets is 0, expected 1 or more"):
        hits_pairs(0)


def test_five_references_of_two_seconds_are_of_five_materials() -> None:
    scenes = reference_scenes()
    assert list(scenes) == ["ref_a", "ref_b", "ref_c", "ref_d", "ref_e"]
    assert len({scene.material for scene in scenes.values()}) == 5
    for scene in scenes.values():
        audio = render_audio(scene)
        assert audio.shape == (88_200,)
        assert scene.events[0].time_s < 0.7
        assert np.abs(audio).max() > 0.15


CLASS_BY_PROMPT = {
    action.words.format(material): (action.name, material)
    for action in ACTIONS.values()
    for material in MATERIALS
}


@pytest.mark.parametrize("index", range(60))
def test_each_level_of_conflict_changes_what_it_is_named_for(index):
    scene = make_scene("mini", index)
    prompts = conflict_prompts(scene)
    assert tuple(prompts) == CONFLICT_LEVELS
    true, subject, action, alike, other = (CLASS_BY_PROMPT[words] for words in prompts.values())
    assert true == (scene.action, scene.material)
    assert subject[0] == true[0]
    assert action[1] == true[1]
    assert alike[0] == similar_action(scene.action)
    assert len({true, subject, action, alike, other}) == 5
    for both in (alike, other):
        assert both[0] != true[0]
        assert both[1] != true[1]
    assert other[0] != alike[0]
    assert conflict_prompts(scene) == prompts


def test_prompts_in_conflict_are_not_the_same_for_all_clips_of_a_class():
    found = [tuple(conflict_prompts(make_scene("mini", index)).values()) for index in (0, 60, 120)]
    assert len(set(found)) == 3
    materials = {CLASS_BY_PROMPT[conflict_prompts(make_scene("mini", i))["L3"]] for i in range(60)}
    assert len(materials) > 25


def test_a_similar_action_has_the_same_kind_of_events_at_a_similar_interval():
    assert similar_action("sawing") == "scraping"
    assert similar_action("bouncing") == "stepping"
    for name, action in ACTIONS.items():
        other = ACTIONS[similar_action(name)]
        assert other.name != name
        assert other.is_stroke == action.is_stroke


def test_the_modules_of_the_mini_world_import_no_heavy_package() -> None:
    names = [
        f"bench.synthetic.{each.name}" for each in pkgutil.iter_modules(bench.synthetic.__path__)
    ]
    script = (
        f"import sys, {', '.join(names)}\n"
        "heavy = 'scipy.signal', 'torch', 'pandas', 'librosa', 'numba', 'av', 'matplotlib'\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_mini_split_is_listed_without_the_renderer_and_heavy_packages() -> None:
    script = (
        "import sys\nfrom bench.splits.mini import open_mini\n"
        "assert len(open_mini().clips) == 128\n"
        "heavy = 'scipy', 'torch', 'pandas', 'librosa', 'numba', 'av', 'soxr', 'PIL'\n"
        "own = 'bench.media', 'bench.synthetic.audio', 'bench.synthetic.video'\n"
        "print([name for name in (*heavy, *own) if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
