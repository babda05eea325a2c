"""``pairs:FILE``: targets, conditions, generated samples and annotated hits."""

from __future__ import annotations

import json
import shutil

import pytest

from bench.errors import BenchError
from bench.splits import open_split


@pytest.fixture
def folder(tmp_path, clicks_folder):
    for old, new in (("clip_000000", "t"), ("clip_000001", "c1"), ("clip_000002", "c2")):
        shutil.copy(clicks_folder / f"{old}.mp4", tmp_path / f"{new}.mp4")
    return tmp_path


def test_each_row_is_a_clip_named_by_its_pair(folder):
    (folder / "pairs.csv").write_text("target,condition\nt.mp4,c1.mp4\nt.mp4,c2.mp4\n")
    split = open_split(f"pairs:{folder / 'pairs.csv'}")
    assert [clip.name for clip in split.clips] == ["t_to_c1", "t_to_c2"]
    clip = split.clips[0]
    assert (clip.seconds, clip.audio.path.name, clip.reference.path.name) == (
        2.0,
        "t.mp4",
        "c1.mp4",
    )
    assert "mcd_ref" in split.metrics
    assert "onset_acc_hits" not in split.metrics


def test_a_row_may_name_its_sample_its_length_its_prompt_and_its_hits(folder):
    (folder / "hits.txt").write_text("1.5 metal hit\n\n0.25 metal hit\n3.5 wood\n")
    (folder / "pairs.tsv").write_text(
        "target\tcondition\tgenerated\tname\tprompt\tseconds\thits\n"
        "t.mp4\tc1.mp4\tc2.mp4\tone\ttapping\t3\t1.25;0.5\n"
        "t.mp4\tc2.mp4\t\ttwo\t\t\thits.txt\n"
    )
    split = open_split(f"pairs:{folder / 'pairs.tsv'}")
    one, two = split.clips
    assert (one.name, one.prompt, one.seconds, one.generated.name) == (
        "one",
        "tapping",
        3.0,
        "c2.mp4",
    )
    assert one.truth["hits"] == [0.5, 1.25]
    assert two.generated is None
    assert two.truth["hits"] == [0.25, 1.5]
    assert "onset_acc_hits" in split.metrics


def test_spellings_of_a_path_are_one_cluster(folder):
    (folder / "link.mp4").symlink_to("t.mp4")
    spelled = ("t.mp4", "./t.mp4", f"{folder}/../{folder.name}/t.mp4", "link.mp4")
    rows = "".join(f"{path},c1.mp4,n{n}\n" for n, path in enumerate((*spelled, "c2.mp4")))
    (folder / "pairs.csv").write_text(f"target,condition,name\n{rows}")
    clips = open_split(f"pairs:{folder / 'pairs.csv'}").clips
    assert [clip.cluster for clip in clips] == ["t.mp4"] * 4 + ["c2.mp4"]


def test_the_list_may_use_any_delimiter_and_breaks_lines_only_outside_of_quotes(folder):
    (folder / "pairs.csv").write_text('target;condition;prompt\nt.mp4;c1.mp4;"a\nb, c\u2028d"\n')
    [clip] = open_split(f"pairs:{folder / 'pairs.csv'}").clips
    assert clip.prompt == "a\nb, c\u2028d"


def test_the_json_list_of_condfoley_is_read(folder):
    (folder / "pairs.json").write_text(json.dumps({"t.mp4": ["c1.mp4", "c2.mp4"]}))
    assert len(open_split(f"pairs:{folder / 'pairs.json'}").clips) == 2


def test_a_pair_whose_file_is_missing_is_refused_by_name(folder):
    (folder / "pairs.csv").write_text("target,condition\nt.mp4,c1.mp4\nt.mp4,gone.mp4\n")
    split = open_split(f"pairs:{folder / 'pairs.csv'}")
    assert len(split.clips) == 1
    assert "condition file" in split.refused[0].reason
    assert "gone.mp4 is missing" in split.refused[0].reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("target,other\na,b\n", "needs target and condition"),
        ("target,condition,seconds\nt.mp4,c1.mp4,soon\n", "csv, line 2: 'soon' is not a time"),
        ("target,condition,hits\nt.mp4,c1.mp4\n", "csv, line 2: 2 cells under 3 columns"),
        ("target,condition\n\nt.mp4,c1.mp4,x\n", "csv, line 3: 3 cells under 2 columns"),
        ("target,condition\n ,c1.mp4\n", "csv, line 2: the target is blank"),
        ("target,condition\nt.mp4,c1.mp4\nt.mp4,\n", "csv, line 3: the condition is blank"),
        ("target,condition,target\nt.mp4,c1.mp4,c1.mp4\n", "has a column twice"),
        ("target,condition,hits\nt.mp4,c1.mp4,1;-2\n", "'-2' is not a time"),
        ("target,condition,hits\nt.mp4,c1.mp4,none.txt\n", "none.txt is missing"),
        ("target,condition\nt.mp4,c1.mp4\nt.mp4,c1.mp4\n", "more than once"),
        ("target,condition\n", "has no clips"),
    ],
)
def test_a_malformed_list_is_refused(folder, text, message):
    (folder / "pairs.csv").write_text(text)
    with pytest.raises(BenchError, match=message):
        open_split(f"pairs:{folder / 'pairs.csv'}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0.5 caf\xe9\n", r"the hits of .*csv, line 2, .*hits\.txt, line 1: it is not UTF-8"),
        (b"0.5\nlater\n", r"hits\.txt, line 2: 'later' is not a time"),
    ],
)
def test_hits_that_cannot_be_read_are_refused_with_their_line(folder, content, message):
    (folder / "hits.txt").write_bytes(content)
    (folder / "pairs.csv").write_text("target,condition,hits\nt.mp4,c1.mp4,hits.txt\n")
    with pytest.raises(BenchError, match=message):
        open_split(f"pairs:{folder / 'pairs.csv'}")


def test_a_blank_name_in_the_json_list_is_refused(folder):
    (folder / "pairs.json").write_text(json.dumps({"t.mp4": [" "]}))
    with pytest.raises(BenchError, match=r"json, a pair of the target 't\.mp4': the condition is"):
        open_split(f"pairs:{folder / 'pairs.json'}")


def test_a_list_that_is_missing_or_not_json_is_refused(tmp_path):
    with pytest.raises(BenchError, match="no list of pairs"):
        open_split(f"pairs:{tmp_path / 'none.csv'}")
    (tmp_path / "bad.json").write_text("[1, 2]")
    with pytest.raises(BenchError, match="not a list of pairs"):
        open_split(f"pairs:{tmp_path / 'bad.json'}")
