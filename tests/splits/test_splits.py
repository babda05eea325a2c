"""The table of splits, and the rules that every split keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from bench.cli.data import verify
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.splits import SPLITS, Refusal, Split, open_split, require_files
from bench.splits.mini import N_CLIPS, mini_directory, prepare_mini
from bench.splits.split import slugify_path
from bench.splits.verify import verify_split
from bench.synthetic.actions import ACTIONS
from bench.types import Clip, Excerpt

AUDIO = Excerpt(Path("a.mp4"), 0.0, 8.0)


def test_every_built_in_split_opens_without_its_files(home):
    for name in SPLITS:
        if name.startswith("mini"):
            assert open_split(name).clips


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("vggsound", "no split 'vggsound'; there are: mini"),
        ("folder", "write it as folder:PATH"),
        ("mini:3", "write it as mini"),
    ],
)
def test_a_split_that_is_not_understood_is_refused(spec, message):
    with pytest.raises(BenchError, match=message):
        open_split(spec)


def test_two_clips_of_one_name_are_refused():
    clip = Clip("twin", AUDIO, 8.0)
    with pytest.raises(BenchError, match="'twin' more than once"):
        Split("s", (clip, clip))
    with pytest.raises(BenchError, match="'twin' more than once"):
        Split("s", (clip,), refused=(Refusal("twin", "too short"),))


@pytest.mark.parametrize("name", ["../up", "a/b", "", "..", "x" * 201, "nul\0"])
def test_a_clip_name_that_is_no_file_name_is_refused(name):
    with pytest.raises(BenchError, match=r"cannot be a file name: .* and \._\+@=,-$"):
        Split("s", (Clip(name, AUDIO, 8.0),))


def test_slugs_of_different_paths_with_one_name_differ():
    assert slugify_path(Path("/a/clips")) != slugify_path(Path("/b/clips"))
    assert slugify_path(Path("/a/my clips")).startswith("my-clips-")


def test_a_run_on_clips_that_are_not_prepared_names_the_command(home):
    split = open_split("mini")
    with pytest.raises(MissingError, match="128 are missing.*bench data prepare mini"):
        require_files(split, split.clips)


def test_preparing_a_few_clips_makes_just_those_usable(home):
    rows = list(prepare_mini(2, InlineEngine()).rows)
    split = open_split("mini")
    require_files(split, split.clips[:2])
    with pytest.raises(MissingError, match="1 are missing"):
        require_files(split, split.clips[:3])
    assert [row["name"] for row in rows] == [clip.name for clip in split.clips[:2]]
    few = Split("mini", split.clips[:2], is_mini=True)
    assert verify_split(few, InlineEngine(), lambda done, total: None) == ([], [])


def test_a_damaged_mini_clip_is_found(home):
    list(prepare_mini(1, InlineEngine()).rows)
    clip = open_split("mini").clips[0]
    clip.audio.path.write_bytes(clip.audio.path.read_bytes()[:2000])
    few = Split("mini", (clip,), is_mini=True)
    problems = verify_split(few, InlineEngine(), lambda done, total: None).problems
    assert len(problems) == 2  # its hash, and its decoding
    assert all(clip.name in problem for problem in problems)
    list(prepare_mini(1, InlineEngine()).rows)
    assert verify_split(few, InlineEngine(), lambda done, total: None) == ([], [])


def test_a_damaged_reference_is_found(home):
    list(prepare_mini(1, InlineEngine()).rows)
    clip = open_split("mini-references").clips[0]
    clip.reference.path.write_bytes(clip.reference.path.read_bytes() + b"more")
    few = Split("mini-references", (clip,), is_mini=True)
    problems = verify_split(few, InlineEngine(), lambda done, total: None).problems
    assert problems == ["ref_a: ref_a.mp4 is not the file that was written"]


def test_preparing_again_keeps_existing_files(home):
    list(prepare_mini(1, InlineEngine()).rows)
    path = mini_directory() / "mini_000000.mp4"
    before = path.stat().st_mtime_ns
    list(prepare_mini(2, InlineEngine()).rows)
    assert path.stat().st_mtime_ns == before


def test_verifying_a_split_prints_its_notes(clicks_folder, tmp_path, capsys):
    (tmp_path / "a.mp4").symlink_to(clicks_folder / "clip_000000.mp4")
    (tmp_path / "b.txt").write_text("words")
    with pytest.raises(typer.Exit) as end:
        verify(f"folder:{tmp_path}")
    assert end.value.exit_code == 0
    found = " ".join(capsys.readouterr().err.split())
    assert "1 file is neither audio nor video" in found
    assert "1 clips, 0 problems" in found


@pytest.mark.parametrize("n_clips", [0, N_CLIPS + 1])
def test_a_number_of_clips_out_of_range_is_refused(home, n_clips):
    with pytest.raises(BenchError, match="1 to 128 clips"):
        prepare_mini(n_clips, InlineEngine())


def test_the_conditions_of_mini_hits_are_other_clips(home):
    split = open_split("mini-hits")
    assert len(split.clips) == 96
    for clip in split.clips:
        assert clip.audio.path != clip.reference.path
        assert clip.seconds == clip.audio.seconds == clip.reference.seconds == 2.0


@pytest.mark.parametrize("name", ["mini", "mini-hits", "mini-references"])
def test_every_mini_clip_has_the_action_and_material_of_its_truth(home, name):
    clips = open_split(name).clips
    for clip in clips:
        assert clip.groups == {key: clip.truth[key] for key in ("action", "material")}
    assert len({clip.groups["action"] for clip in clips} & set(ACTIONS)) >= 7


def test_mini_conflict_gives_every_target_the_same_video_and_reference_under_five_prompts(home):
    split, mini = open_split("mini-conflict"), open_split("mini")
    assert len(split.clips) == 80
    for number, clip in enumerate(split.clips):
        target = mini.clips[number // 5]
        assert clip.name == f"{target.name}_{clip.group}"
        assert (clip.video, clip.audio, clip.reference) == (
            target.video,
            target.audio,
            target.reference,
        )
        assert (clip.prompt == target.prompt) == (clip.group == "L0")
        assert (clip.label, clip.cluster) == (target.prompt, target.name)
    assert [clip.group for clip in split.clips[:5]] == [
        "L0",
        "L1-subject",
        "L1-action",
        "L2",
        "L3",
    ]


def test_mini_references_gives_every_target_the_same_five(home):
    split = open_split("mini-references")
    groups = {clip.group for clip in split.clips}
    assert groups == {"ref_a", "ref_b", "ref_c", "ref_d", "ref_e"}
    for group in groups:
        assert len({c.reference.path for c in split.clips if c.group == group}) == 1
        assert len({c.audio.path for c in split.clips if c.group == group}) == 16
