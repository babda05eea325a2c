"""The design file, read strictly, and the balance of what raters are given."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import pytest

from bench.errors import BenchError
from bench.study.assignment import assign_trials
from bench.study.design import read_design
from tests.study.designs import make_design, write_study

SIZES = [(16, 16, 2), (32, 16, 2), (16, 16, 3), (16, 8, 4), (10, 7, 3), (32, 16, 3), (3, 3, 2)]


def main_trials(design, n):
    return [[t for t in assign_trials(design, i) if t.kind == "main"] for i in range(n)]


@pytest.fixture(params=SIZES, ids=lambda each: "-".join(map(str, each)))
def raters(request):
    """The design and the main trials of raters, until everything came round."""
    n_clips, per_rater, n_systems = request.param
    design = make_design(n_clips, per_rater, [f"s{i}" for i in range(n_systems)])
    return design, main_trials(design, 8 * n_clips * len(design.pairs))


def test_a_design_is_what_was_written(tmp_path):
    study = write_study(tmp_path / "study")
    found = read_design(study)
    digest = hashlib.sha256((study / "design.toml").read_bytes()).hexdigest()
    assert found == replace(make_design(), digest=digest)


def test_a_rater_judges_a_clip_once_and_both_sides_equally_often(raters):
    design, sessions = raters
    for trials in sessions:
        assert len({t.clip for t in trials}) == len(trials) == design.per_rater
        pairs = Counter(tuple(sorted((t.a, t.b))) for t in trials)
        for pair, n in pairs.items():
            left = sum((t.a, t.b) == pair for t in trials)
            assert abs(2 * left - n) <= 3


def test_every_clip_has_every_pair_on_both_sides_equally_often(raters):
    design, sessions = raters
    count = Counter((t.clip, t.a, t.b) for trials in sessions for t in trials)
    assert len(count) == len(design.clips) * len(design.pairs) * 2
    assert max(count.values()) - min(count.values()) <= 2


def test_every_clip_is_in_every_place_and_no_place_prefers_a_side(raters):
    design, sessions = raters
    places = Counter((t.clip, k) for trials in sessions for k, t in enumerate(trials))
    assert len(places) == len(design.clips) * design.per_rater
    assert max(places.values()) == min(places.values())
    for k in range(design.per_rater):
        left = sum(trials[k].a < trials[k].b for trials in sessions)
        assert left == pytest.approx(len(sessions) / 2, rel=0.1)


def test_clips_follow_one_another_equally_often():
    sessions = main_trials(make_design(16), 16)
    follows = Counter(
        (one.clip, two.clip) for t in sessions for one, two in zip(t, t[1:], strict=False)
    )
    assert set(follows.values()) <= {1, 2}
    assert len(follows) >= 120


def test_practice_is_first_and_checks_are_in_between():
    design = make_design()
    for number in range(20):
        trials = assign_trials(design, number)
        assert [t.position for t in trials] == list(range(20))
        assert trials[0].kind == "practice"
        assert trials[1].kind == "main"
        kinds = Counter(t.kind for t in trials)
        assert kinds == {"practice": 1, "main": 16, "mismatch": 2, "identical": 1}
        assert all({t.a, t.b} == {"true", "other"} for t in trials if t.kind == "mismatch")
    sides = {assign_trials(design, n)[0].a for n in range(20)}
    assert sides == {"true", "other"}


def test_the_same_seed_gives_the_same_sessions():
    assert assign_trials(make_design(), 5) == assign_trials(make_design(), 5)
    other = make_design(seed=1)
    assert [assign_trials(other, n) for n in range(9)] != [
        assign_trials(make_design(), n) for n in range(9)
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "has format 2, expected 1"),
        ("format = 1", "format 1", "cannot read .* as TOML"),
        ("seed = 0", "seed = 'x'", "seed is 'x', expected int"),
        ("seed = 0", "seed = true", "seed is True, expected int"),
        ("seed = 0", "", "seed is missing"),
        ("seed = 0", "sede = 0\nseed = 0", "there is no sede; known are format, split"),
        ("per_rater = 16", "per_rater = 17", "per_rater must be 1 to 16"),
        ('"two"', '"one"', "two or more different ones"),
        ('"two"', '"true"', "none called true or other"),
        ("max_failed_checks = 0", "max_failed = 0", r"there is no rules.max_failed; known are"),
        ('name = "sync"', 'name = "fidelity"', "questions must be one or more different"),
        ('kind = "practice"', 'kind = "warm-up"', "checks must be of kind"),
        ('name = "clip_000001"', "name = 3", r"clips\[1\].name is 3, expected str"),
        ("[rules]", "[[rules]]", "expected a table"),
        ("min_play_s = 5.0", "min_play_s = 0.0", "min_play_s and the seconds of clips must be ab"),
        ("min_play_s = 5.0", "min_play_s = nan", "min_play_s is nan, expected a finite number"),
        ("seconds = 8.0", "seconds = -8.0", "min_play_s and the seconds of clips must be above 0"),
        ("seconds = 8.0", "seconds = inf", r"clips\[0\].seconds is inf, expected a finite"),
        ("min_answered = 0.5", "min_answered = 50.0", "rules must have shares from 0 to 1"),
        ("min_median_s = 8.0", "min_median_s = -1", "rules must have shares from 0 to 1, and no"),
        ('name = "sync"', 'name = ""', "names and texts of questions must not be empty"),
        ('other = "clip_000000"', 'other = ""', "must name the clip of their other audio"),
    ],
)
def test_a_bad_design_is_one_clear_line(tmp_path, old, new, message):
    study = write_study(tmp_path / "study")
    text = (study / "design.toml").read_text("utf-8")
    assert old in text
    (study / "design.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BenchError, match=message) as caught:
        read_design(study)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_design_is_no_study(tmp_path):
    with pytest.raises(BenchError, match=r"holds no study: there is no design.toml"):
        read_design(tmp_path)
