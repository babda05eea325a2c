"""Prompts from label files, in the forms of the published lists and of users."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.inputs import Prompts, find_labels, read_labels

CLIP, OTHER = "--U7joUcTCo_000030", "---g-f_I2yQ_000001"


def write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def prompts(path: Path, *clips: str) -> Prompts:
    return read_labels(path).assign({clip: Path(f"{clip}.mp4") for clip in clips})


@pytest.mark.parametrize(
    "text",
    [
        "--U7joUcTCo,30,people coughing,train\n---g-f_I2yQ,1,dog,test\n",
        "id,start,label,split\n--U7joUcTCo,30,people coughing,train\n",
        "--U7joUcTCo_000030.mp4,people coughing\n---g-f_I2yQ_000001.mp4,dog\n",
        "id\tlabel\n--U7joUcTCo_000030\tpeople coughing\n",
        "id;label\n--U7joUcTCo_000030;people coughing\n",
        "--U7joUcTCo_30000_40000,people coughing\n",
        "audiocap_id,youtube_id,start_time,caption\n103,--U7joUcTCo,30,people coughing\n",
        "video_id\tlabel_L0_raw\tlabel_L0\tlabel_L1_subject\n"
        "--U7joUcTCo_000030\traw, words\tpeople coughing\tx\n",
        "id,caption,caption_cot\n--U7joUcTCo_000030,people coughing,first think\n",
        "video,prompt\n/data/clips/--U7joUcTCo_000030.mp4,people coughing\n",
        "label,CLIP\npeople coughing,--U7joUcTCo_000030.WAV\n",
        "--U7joUcTCo_000030,people coughing,\nother,cat\n",
        "id,label\n--U7joUcTCo_000030,people coughing,,\n",
        'id, label\nother, "dog, loud"\n--U7joUcTCo_000030, people coughing\n',
    ],
)
def test_published_lists_and_headers_give_the_prompt_of_a_clip(tmp_path, text):
    assert prompts(write(tmp_path, text), CLIP).by_clip == {CLIP: "people coughing"}


@pytest.mark.parametrize("name", ["Y--U7joUcTCo", "--U7joUcTCo", "--U7joUcTCo_30", "103", CLIP])
def test_audiocaps_clips_are_found_by_every_name_that_users_give_them(tmp_path, name):
    text = "audiocap_id,youtube_id,start_time,caption\n103,--U7joUcTCo,30,people coughing\n"
    assert prompts(write(tmp_path, text), name).by_clip == {name: "people coughing"}


def test_the_audible_labels_of_vggsounder_are_merged(tmp_path):
    text = (
        "video_id,label,modality,background_music,static_image,voice_over\n"
        f'{CLIP},dog barking,AV,False,False,False\n{CLIP},"car, passing",V,False,False,False\n'
        f"{CLIP},wind noise,A,False,False,False\n"
    )
    found = prompts(write(tmp_path, text), CLIP)
    assert found.by_clip == {CLIP: "dog barking, wind noise"}
    [note] = found.notes
    assert note == "of the labels of a clip in labels.csv the audible ones are joined"


def test_a_bare_id_is_the_clip_of_that_video_and_of_two_windows_with_two_labels_none(tmp_path):
    path = write(
        tmp_path, "--U7joUcTCo,0,dog,train\n---g-f_I2yQ,1,cat,train\n---g-f_I2yQ,9,cow,test\n"
    )
    found = prompts(path, "--U7joUcTCo", "---g-f_I2yQ")
    assert found.by_clip == {"--U7joUcTCo": "dog", "---g-f_I2yQ": ""}
    assert found.notes == (
        "labels.csv has several prompts for 1 clips, which get none, e.g. ---g-f_I2yQ (lines 2, 3)",
    )


def test_another_window_of_a_video_gives_no_prompt_but_a_bare_id_is_every_window(tmp_path):
    path = write(tmp_path, "--U7joUcTCo,60,dog,train\n---g-f_I2yQ,1,cat,train\n")
    assert prompts(path, CLIP, OTHER).by_clip == {CLIP: "", OTHER: "cat"}
    path = write(tmp_path, "--U7joUcTCo,dog\n")
    assert prompts(path, CLIP).by_clip == {CLIP: "dog"}


def test_equal_names_in_folders_are_distinguished_by_their_path(tmp_path):
    path = write(tmp_path, "file,label\nset/dog/001.mp4,bark\nset/cat/001.mp4,meow\n002,rain\n")
    clips = {name: Path(f"{name}.mp4") for name in ("dog/001", "cat/001", "cat/002")}
    found = read_labels(path).assign(clips).by_clip
    assert found == {"dog/001": "bark", "cat/001": "meow", "cat/002": "rain"}


def test_both_spellings_of_an_accent_are_one_name(tmp_path):
    name = unicodedata.normalize("NFC", "café")
    path = write(tmp_path, f"{unicodedata.normalize('NFD', name)},cup\n")
    assert prompts(path, name).by_clip == {name: "cup"}


def test_a_label_file_that_names_no_clip_is_refused(tmp_path):
    with pytest.raises(BenchError, match=r"labels\.csv names none of the 1 clips: it has 'x'"):
        prompts(write(tmp_path, "x,dog\ny,cat\n"), CLIP)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\na,dog\nb,x\na,cat\n", "lines 2 and 4: two prompts for 'a', 'dog' and 'cat'"),
        (
            "id,label\n0DCit2EBtjs_000030,dog\n0DCit2EBtjs_30000_40000,cat\n",
            "lines 2 and 3: two prompts for '0DCit2EBtjs_30000_40000', 'dog' and 'cat'",
        ),
        ("a\nb\n", r"line 1: the row \['a'\] has no name or no label"),
        ("a,30\n", "line 1: the prompt of 'a' is the number 30, expected words"),
        ("id,label\na,0\n", "line 2: the prompt of 'a' is the number 0"),
        ("id,label\na,dog, loud\n", "line 2: 3 cells under 2 columns"),
        ("id,label,x\na\n", "line 2: the row .* has no name or no label"),
        ("when,where,what\na,b,c\n", r"line 1: \['when', 'where', 'what'\] is neither"),
        ("id,label\n,dog\n", "line 2: the name of the clip is blank"),
        ("id,start,label\na,soon,dog\n", "line 2: 'soon' is not the second"),
        ("id,label\n", "holds no label"),
        ("id,label\na,\n", "holds no label"),
        ("", "is empty"),
    ],
)
def test_rows_without_a_clear_prompt_are_refused_with_their_line(tmp_path, text, message):
    with pytest.raises(BenchError, match=message):
        read_labels(write(tmp_path, text))


def test_the_same_prompt_twice_is_one_and_the_chosen_column_is_noted(tmp_path):
    path = write(tmp_path, "name,caption,label\na,a dog,dog\na,a dog,dog\n")
    found = prompts(path, "a")
    assert found.by_clip == {"a": "dog"}
    assert found.notes == ("prompts are the column 'label' of labels.csv, not caption",)


def test_a_folder_has_one_label_file_in_any_case(tmp_path):
    assert find_labels(tmp_path) is None
    first = write(tmp_path, "a,dog\n", "Labels.CSV")
    assert find_labels(tmp_path) == first
    write(tmp_path, "a\tdog\n", "labels.tsv")
    with pytest.raises(BenchError, match=r"holds Labels\.CSV and labels\.tsv: keep the one"):
        find_labels(tmp_path)


def test_the_published_lists_are_read_completely(shared):
    lists = shared / "media" / "lists"
    official = read_labels(lists / "vggsound_test_official.csv")
    mmaudio = read_labels(lists / "vggsound_test_mmaudio.tsv")
    assert (len(official.labels), len(mmaudio.labels)) == (15_446, 15_221)
    known = {label.name: label.prompt for label in official.labels}
    assert all(known[label.name] == label.prompt for label in mmaudio.labels)
