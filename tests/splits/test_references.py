"""Where references are from: the clip itself, another of its class, or one of another class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.splits import Refusal, Split, open_split
from bench.splits.references import ORIGINS, draw_references
from bench.types import Clip, Excerpt


def make_clip(number: int, prompt: str, **changes) -> Clip:
    path = Path(f"/data/{number}.mp4")
    clip = Clip(
        f"clip_{number}",
        Excerpt(path, 0.0, 8.0),
        8.0,
        Excerpt(path, 0.0, 8.0),
        Excerpt(path, 8.0, 2.0),
        prompt,
        cluster=f"video_{number}",
    )
    return replace(clip, **changes)


def make_split(*clips: Clip) -> Split:
    return Split("some", clips, refused=(Refusal("gone", "no video"),), notes=("a note",))


DOGS_AND_BELLS = make_split(*(make_clip(n, "dog" if n % 2 else "Bell") for n in range(40)))


@pytest.fixture
def clips() -> dict[str, Clip]:
    return {clip.name: clip for clip in DOGS_AND_BELLS.clips}


@pytest.mark.parametrize("origin", ["same-class", "other-class"])
def test_the_reference_is_that_of_another_clip_with_the_same_or_another_label(origin, clips):
    found = draw_references(DOGS_AND_BELLS, origin, 42)
    assert [clip.name for clip in found.clips] == list(clips)
    for clip in found.clips:
        source = clips[found.sources[clip.name]]
        assert source.name != clip.name
        assert clip.reference == source.reference
        assert (source.prompt == clip.prompt) == (origin == "same-class")
        assert replace(clip, reference=None) == replace(clips[clip.name], reference=None)


@pytest.mark.parametrize("origin", ["same-class", "other-class"])
def test_the_draw_depends_on_the_seed_and_on_the_clip(origin):
    draws = [draw_references(DOGS_AND_BELLS, origin, seed).sources for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    changed = sum(draws[0][name] != draws[2][name] for name in draws[0])
    assert changed > 25
    assert len(set(draws[0].values())) > 10


@pytest.mark.parametrize("origin", ["same-class", "other-class"])
def test_a_missing_clip_changes_only_the_draws_of_its_reference(origin):
    everyone = draw_references(DOGS_AND_BELLS, origin, 42).sources
    gone = everyone["clip_3"]
    rest = [clip for clip in DOGS_AND_BELLS.clips if clip.name != gone]
    fewer = draw_references(make_split(*rest), origin, 42).sources
    kept = {name: source for name, source in everyone.items() if source != gone and name != gone}
    assert {name: fewer[name] for name in kept} == kept
    assert gone not in fewer.values()


def test_the_same_clip_is_the_protocol_as_it_is_with_the_distance_from_the_reference():
    found = draw_references(DOGS_AND_BELLS, "same-clip", 42)
    assert found == replace(DOGS_AND_BELLS, metrics=(*DOGS_AND_BELLS.metrics, "mcd_ref"))
    assert draw_references(found, "same-clip", 42).metrics == found.metrics


def test_drawn_references_are_described_in_the_split():
    found = draw_references(DOGS_AND_BELLS, "other-class", 7)
    assert found.references == "other-class"
    assert found.metrics[-1] == "mcd_ref"
    assert found.notes == (
        "a note",
        "references are from another clip with another label, drawn by seed 7 (run.json)",
    )


def test_a_clip_without_a_partner_is_refused_with_the_reason():
    split = make_split(
        make_clip(0, "dog"),
        make_clip(1, "DOG "),
        make_clip(2, "cow"),
        make_clip(3, ""),
        # Another window of the only other cow: its reference is of the same recording.
        make_clip(4, "cow", cluster="video_2"),
    )
    alike = draw_references(split, "same-class", 42)
    assert alike.sources == {"clip_0": "clip_1", "clip_1": "clip_0"}
    assert [clip.name for clip in alike.clips] == ["clip_0", "clip_1"]
    assert {each.clip: each.reason for each in alike.refused} == {
        "gone": "no video",
        "clip_2": "no other clip with a reference has the label 'cow'",
        "clip_3": "it has no label, which a reference from same-class needs",
        "clip_4": "no other clip with a reference has the label 'cow'",
    }
    other = draw_references(split, "other-class", 42)
    assert [each.clip for each in other.refused] == ["gone", "clip_3"]
    assert "clip_3" not in other.sources.values()


@pytest.mark.parametrize("origin", ["same-class", "other-class"])
def test_references_are_of_clips_whose_files_are_here(origin, tmp_path):
    clips = []
    for number, clip in enumerate(DOGS_AND_BELLS.clips):
        path = tmp_path / f"{number}.mp4"
        if number < 6:
            path.touch()
        clips.append(replace(clip, reference=replace(clip.reference, path=path), audio=None))
        clips[-1] = replace(clips[-1], audio=replace(clip.audio, path=path))
    found = draw_references(make_split(*clips), origin, 42)
    assert set(found.sources.values()) <= {f"clip_{number}" for number in range(6)}
    assert len(found.clips) == 40
    assert found.notes[-1].endswith("seed 42, among the 6 of 40 clips that are here (run.json)")
    everyone = draw_references(DOGS_AND_BELLS, origin, 42).sources
    kept = [name for name, source in everyone.items() if source in {"clip_0", "clip_1"}]
    assert all(found.sources[name] == everyone[name] for name in kept)
    (tmp_path / "0.mp4").unlink()
    (tmp_path / "2.mp4").unlink()
    alone = [clip for clip in clips if clip.name in ("clip_4", "clip_6", "clip_1")]
    alike = draw_references(make_split(*alone), "same-class", 42)
    assert {each.clip: each.reason for each in alike.refused}["clip_4"] == (
        "no other clip with a reference has the label 'Bell', among the 2 of 3 clips that are here"
    )


def test_a_clip_that_is_too_short_for_a_reference_gets_one_and_gives_none():
    split = make_split(make_clip(0, "dog", reference=None), make_clip(1, "dog"))
    found = draw_references(split, "same-class", 42)
    assert found.sources == {"clip_0": "clip_1"}
    assert found.clips[0].reference == split.clips[1].reference
    assert found.refused[1].clip == "clip_1"


def test_the_label_counts_where_the_prompt_is_something_else():
    split = make_split(
        make_clip(0, "a cow", label="dog"), make_clip(1, "a bell", label="dog"), make_clip(2, "dog")
    )
    found = draw_references(split, "same-class", 42)
    assert len(found.clips) == 3
    with pytest.raises(
        BenchError, match=r"no clip of some has a reference from other-class.*'dog'"
    ):
        draw_references(split, "other-class", 42)


def test_splits_whose_references_are_not_their_own_are_refused(home):
    for name in ("mini-hits", "mini-references"):
        for origin in ORIGINS:
            with pytest.raises(BenchError, match=f"split {name} has clips whose reference is not"):
                draw_references(open_split(name), origin, 42)
    with pytest.raises(
        BenchError, match="no references from 'same'; there are: same-clip, same-cl"
    ):
        draw_references(DOGS_AND_BELLS, "same", 42)


def test_clips_that_are_all_too_short_for_a_reference_are_refused():
    with pytest.raises(BenchError, match="no clip of some has a reference: all end with their"):
        draw_references(make_split(make_clip(0, "dog", reference=None)), "same-clip", 42)


def test_every_mini_clip_has_a_partner_of_its_class_and_of_another(home):
    mini = open_split("mini")
    classes = {clip.name: (clip.truth["action"], clip.truth["material"]) for clip in mini.clips}
    for origin in ("same-class", "other-class"):
        found = draw_references(mini, origin, 42)
        assert len(found.clips) == 128
        for name, source in found.sources.items():
            assert (classes[name] == classes[source]) == (origin == "same-class")
