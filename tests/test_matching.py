"""Every published naming scheme maps a sample to its clip, and to no other."""

from __future__ import annotations

import csv
import json
import string
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.inputs import list_folder
from bench.io import require_safe_name
from bench.matching import (
    Catalogue,
    make_clip_name,
    match,
    parse_canonical_name,
    parse_stem,
)

VGG_IDS = st.text(string.ascii_letters + string.digits + "-_", min_size=11, max_size=11)
START_SECONDS = st.integers(0, 990)

TARGET = "2015-09-29-16-17-33-365_denoised_trim_to_2s_from_10.1333_new_fps_resized"
CONDITION = "2015-03-20-01-23-48_denoised_trim_to_2s_from_11.8667_new_fps_resized"

SCHEMES = {
    "MMAudio": ("---g-f_I2yQ_000001", "---g-f_I2yQ_000001"),
    "SpecVQGAN": ("---g-f_I2yQ_1000_11000", "---g-f_I2yQ_000001"),
    "SpecVQGAN from the first second": ("-Qowmc0P9ic_0_10000", "-Qowmc0P9ic_000000"),
    "V-AURA late in a video": ("_3JYjNHFJfO_363000_373000", "_3JYjNHFJfO_000363"),
    "Frieren": ("Y0DCit2EBtjs_000030_0", "0DCit2EBtjs_000030"),
    "Frieren, one sample kept": ("Y0DCit2EBtjs_000030", "0DCit2EBtjs_000030"),
    "Frieren, id that begins with Y": ("YYabcdefghij_000030_9", "Yabcdefghij_000030"),
    "Frieren, id that begins with _": ("Y_abcdefghi__000030_2", "_abcdefghi__000030"),
    "an id that begins with Y": ("Yabcdefghij_000030", "Yabcdefghij_000030"),
    "an id that ends like a second": ("abcd_123456_000010", "abcd_123456_000010"),
    "an id that ends like a sample": ("abcd_1234_5_000010_1", "abcd_1234_5_000010"),
    "Frieren mel": ("0DCit2EBtjs_000030_mel", "0DCit2EBtjs_000030"),
    "Diff-Foley": ("0DCit2EBtjs_000030_new_fps_21.5_truncate_0_10.0", "0DCit2EBtjs_000030"),
    "SSV2A": ("0DCit2EBtjs_000030_1204", "0DCit2EBtjs_000030"),
    "SSV2A on SpecVQGAN's clips": ("0DCit2EBtjs_30000_40000_7", "0DCit2EBtjs_000030"),
    "HunyuanVideo-Foley": ("0DCit2EBtjs_000030_generated", "0DCit2EBtjs_000030"),
    "Video-Foley": ("0DCit2EBtjs_000030_0_generated_audio", "0DCit2EBtjs_000030"),
    "Video-Foley on a name of its own": ("my_holiday_0_generated_audio", "my_holiday"),
    "ThinkSound or V-AURA on any stem": ("my_holiday", "my_holiday"),
    "FoleyCrafter": ("this and that", "this+and+that"),
    "the mini world": ("mini_000001", "mini_000001"),
    "a sample of the mini world": ("mini_000001_0", "mini_000001"),
    "CondFoley": (
        f"{TARGET}_to_{CONDITION}",
        "2015-09-29-16-17-33-365_10.1333_to_2015-03-20-01-23-48_11.8667",
    ),
    "a CondFoley target": (TARGET, "2015-09-29-16-17-33-365_10.1333"),
}


@pytest.mark.parametrize(("stem", "clip"), SCHEMES.values(), ids=SCHEMES.keys())
def test_a_name_of_every_scheme_is_parsed_to_its_clip(stem: str, clip: str) -> None:
    assert match([clip], [Path(f"{stem}.wav")]).found == {clip: Path(f"{stem}.wav")}


@given(VGG_IDS, START_SECONDS)
def test_millisecond_names_are_the_same_clip_as_canonical_ones(video: str, second: int) -> None:
    milliseconds = f"{video}_{second * 1000}_{second * 1000 + 10_000}"
    assert parse_canonical_name(milliseconds) == parse_canonical_name(f"{video}_{second:06d}")
    assert parse_canonical_name(milliseconds) == f"{video}_{second:06d}"


@given(VGG_IDS, START_SECONDS, st.integers(0, 9))
def test_every_sample_of_frieren_names_its_clip_and_its_number(
    video: str, second: int, number: int
) -> None:
    clip = f"{video}_{second:06d}"
    assert parse_stem(f"Y{clip}_{number}")[-1] == (clip, number)
    assert parse_stem(f"{clip}_generated")[0] == (clip, 0)


@given(st.text(string.ascii_letters + string.digits + "-_ .+"))
def test_a_canonical_name_is_its_own_canonical_name(stem: str) -> None:
    first = parse_canonical_name(stem)
    assert first is None or parse_canonical_name(first) == first


@pytest.mark.parametrize(
    "stem",
    [
        "0DCit2EBtjs_11000_1000",  # ends before it starts
        "0DCit2EBtjs_1500_11500",  # no clip starts within a second
        "0DCit2EBtjs_1000_99000",  # far longer than a clip
        "0DCit2EBtjs_30",
        "my_holiday_1",
        "0042",
        "",
    ],
)
def test_a_stem_of_no_scheme_has_no_canonical_name(stem: str) -> None:
    assert parse_canonical_name(stem) is None


def test_plain_stems_match_only_themselves_and_case_counts() -> None:
    files = [Path("Door.wav"), Path("door_1.wav"), Path("door2.wav")]
    assert list(match(["door"], files).missing) == ["door"]
    assert match(["door2"], files).found == {"door2": Path("door2.wav")}


def test_cuts_of_another_length_are_other_clips() -> None:
    long = TARGET.replace("to_2s", "to_8s")
    assert parse_canonical_name(long) != parse_canonical_name(TARGET)
    assert list(match([TARGET], [Path(f"{long}.wav")]).missing) == [TARGET]


def test_the_exact_stem_comes_before_every_reading() -> None:
    files = [Path("a/0DCit2EBtjs_000030_generated.wav"), Path("b/0DCit2EBtjs_000030.wav")]
    matching = match(["0DCit2EBtjs_000030"], files)
    assert matching.found == {"0DCit2EBtjs_000030": files[1]}
    assert matching.spare == {"0DCit2EBtjs_000030": [files[0]]}


def test_the_lowest_sample_counts_and_the_others_are_recorded() -> None:
    files = [Path(f"Y0DCit2EBtjs_000030_{k}.wav") for k in (10, 9, 2)]
    matching = match(["0DCit2EBtjs_000030"], files)
    assert matching.found == {"0DCit2EBtjs_000030": files[2]}
    assert matching.spare == {"0DCit2EBtjs_000030": [files[1], files[0]]}
    assert matching.ambiguous == {}
    assert matching.unused == []


@pytest.mark.parametrize(
    "stems",
    [
        ("a/0DCit2EBtjs_000030", "b/0DCit2EBtjs_000030"),
        ("0DCit2EBtjs_000030_generated", "0DCit2EBtjs_30000_40000"),
        ("Y0DCit2EBtjs_000030_1", "0DCit2EBtjs_000030_1"),
    ],
)
def test_of_two_files_of_equal_rank_none_is_chosen(stems: tuple[str, str]) -> None:
    files = [Path(f"{stem}.wav") for stem in stems]
    matching = match(["0DCit2EBtjs_000030"], files)
    assert sorted(matching.ambiguous["0DCit2EBtjs_000030"]) == sorted(files)
    assert matching.found == {}
    assert matching.missing == {}


def test_a_file_with_the_name_of_a_clip_is_never_assigned_to_another() -> None:
    names = ["walk_202401", "walk_202401_1", "walk_202401_generated"]
    files = [Path("walk_202401_1.wav"), Path("walk_202401_generated.wav")]
    matching = match(names, files)
    assert matching.missing == {"walk_202401": ""}
    assert matching.found == {path.stem: path for path in files}


def test_files_of_no_clip_are_reported() -> None:
    files = [Path("0DCit2EBtjs_000030.wav"), Path("0001.wav")]
    assert match(["0DCit2EBtjs_000030"], files).unused == [Path("0001.wav")]


@pytest.mark.parametrize(
    ("relative", "name"),
    [
        ("a.mp4", "a"),
        ("x/y/a.b.mp4", "x=y=a.b"),
        ("my dog.mp4", "my_dog-9902cb4b"),
        ("犬.mp4", "_-1e82f9b0"),
    ],
)
def test_a_clip_is_named_by_its_path_with_a_hash_if_characters_are_replaced(relative, name) -> None:
    assert make_clip_name(Path(relative)) == name
    assert make_clip_name(Path(relative).with_suffix(".flac")) == name


@given(st.lists(st.text(st.characters(exclude_characters="/\0=."), min_size=1), min_size=1))
def test_every_path_has_a_unique_safe_name(parts: list[str]) -> None:
    path = Path(*parts)
    name = make_clip_name(path)
    assert require_safe_name(name) == name
    assert name != make_clip_name(path.with_name(path.name + "犬"))
    assert name != make_clip_name(path.with_name("猫" + path.name))


def test_long_names_that_differ_at_their_end_stay_apart() -> None:
    first, second = (make_clip_name(Path("a" * 200 + end)) for end in "xy")
    assert first != second
    assert len(require_safe_name(first)) <= 200


def test_below_a_root_a_file_has_the_name_of_its_path() -> None:
    root = Path("/samples")
    files = [root / name for name in ("a.wav", "x/a.wav", "my dog.wav", "犬.wav", "猫.wav")]
    names = [make_clip_name(path.relative_to(root)) for path in files]
    catalogue = Catalogue(files, names, root)
    assert [catalogue.choose(name).best for name in names] == [[path] for path in files]
    assert Catalogue(files, (), root).choose("a").best == files[:2]


def vggsound_names(shared: Path) -> list[str]:
    lists = shared / "media" / "lists"
    with (lists / "vggsound_test_mmaudio.tsv").open(encoding="utf-8") as rows:
        mmaudio = [row["id"] for row in csv.DictReader(rows, delimiter="\t")]
    with (lists / "vggsound_test_official.csv").open(encoding="utf-8") as rows:
        official = [row[0].removesuffix(".mp4") for row in csv.reader(rows)]
    assert (len(mmaudio), len(official)) == (15_221, 15_446)
    return sorted(set(mmaudio) | set(official))


def in_milliseconds(name: str) -> str:
    start_ms = int(name[12:]) * 1000
    return f"{name[:11]}_{start_ms}_{start_ms + 10_000}"


def test_every_real_clip_is_found_under_every_scheme_within_a_second(shared: Path) -> None:
    names = vggsound_names(shared)
    spellings = [
        [f"{name}.flac" for name in names],
        [f"{in_milliseconds(name)}.wav" for name in names],
        [f"Y{name}_0.wav" for name in names],
        [f"{name}_generated.wav" for name in names],
        [f"{name}_{index}.wav" for index, name in enumerate(names)],
    ]
    for spelling in spellings:
        files = [Path(file) for file in spelling]
        start = time.process_time()
        matching = match(names, files)
        assert time.process_time() - start < 1.0
        assert matching.found == dict(zip(names, files, strict=True))
        assert not matching.missing
        assert not matching.unused
        assert not matching.ambiguous


def test_every_real_name_is_its_own_canonical_name(shared: Path) -> None:
    assert all(parse_canonical_name(name) == name for name in vggsound_names(shared))


def test_condfoleys_files_and_its_list_name_the_same_582_pairs(shared: Path) -> None:
    lists = shared / "media" / "lists"
    short = json.loads((lists / "AMT_test_set.json").read_text(encoding="utf-8"))
    paths = json.loads((lists / "AMT_test_set_path.json").read_text(encoding="utf-8"))
    names = [f"{target}_to_{condition}" for target in short for condition in short[target]]
    files = [
        Path("sound") / f"{Path(target).stem}_to_{Path(condition).stem}.wav"
        for target in paths
        for condition in paths[target]
    ]
    matching = match(names, files)
    assert matching.found == dict(zip(names, files, strict=True))
    assert len(matching.found) == len(set(matching.found.values())) == 582


def test_real_condfoley_samples_are_found_by_the_names_of_its_list(shared: Path) -> None:
    files = list_folder(shared / "media" / "greatesthits" / "generated").with_audio
    names = [
        name for name in (parse_canonical_name(path.stem) for path in files) if name is not None
    ]
    assert len(set(names)) == len(files) == 5
    assert list(match(names, files).found.values()) == list(files)
