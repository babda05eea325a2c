"""Movie Gen Audio Bench: videos without true audio, from the list to a result."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from bench.datasets.moviegen import LIST, MUSIC_LIST, prepare
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.pipeline.bounds import plan_bounds
from bench.pipeline.columns import JudgeOptions
from bench.pipeline.prepare import RunOptions, plan_run
from bench.splits import open_split
from tests.datasets.videos import write_mp4

IDS = (0, 1, 31)


def find(source: Path, **options):
    return prepare(source, InlineEngine(), lambda stage, done, total: None, **options)


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy as Meta packs it, with a video that is too short and one that is missing."""
    folder = tmp_path_factory.mktemp("copy") / "MovieGenAudioBenchSfx"
    (folder / "video_with_audio").mkdir(parents=True)
    for number in (0, 1):
        write_mp4(folder / "video_with_audio" / f"{number}.mp4", 8.2)
    write_mp4(folder / "video_with_audio" / "2.mp4", 4.0)
    rows = [{"id": n, "video_prompt": "v", "audio_prompt": f"sound {n}"} for n in (*IDS, 2)]
    (folder / LIST).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_videos_are_found_by_id_and_have_no_truth(copy, home):
    rows = {row.clip: row for row in find(copy).rows}
    assert [clip for clip, row in rows.items() if not row.problem] == ["0", "1"]
    assert rows["31"].problem == "no video"
    assert rows["2"].problem == "its video lasts 4.00 s, the protocol needs 8 s"
    split = open_split("moviegen")
    assert [clip.audio for clip in split.clips] == [None, None]
    assert [clip.reference for clip in split.clips] == [None, None]
    assert [clip.prompt for clip in split.clips] == ["sound 0", "sound 1"]
    assert split.metrics == ("ib", "desync")


def test_the_archive_alone_is_unpacked_with_its_list(copy, home, tmp_path):
    path = tmp_path / "MovieGenAudioBenchSfx.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(copy, copy.name)
    found = find(path)
    assert [row.problem for row in found.rows] == [row.problem for row in find(copy).rows]
    assert found.lists == find(copy).lists
    assert (home / "data" / "moviegen" / "unpacked" / "0.mp4").is_file()


def test_of_two_videos_of_an_id_the_one_with_audio_counts(copy, home, tmp_path):
    for folder in ("other", "video_with_audio"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "0.mp4").symlink_to(copy / "video_with_audio" / "0.mp4")
    rows = {row.clip: row for row in find(tmp_path, table=copy / LIST).rows}
    assert rows["0"].path == str(tmp_path / "video_with_audio" / "0.mp4")
    (tmp_path / "video_with_audio").rename(tmp_path / "third")
    with pytest.raises(MissingError, match="2 videos have this id, keep one"):
        find(tmp_path, table=copy / LIST)


def test_the_list_with_music_counts_alone_and_other_names_of_fields_are_read(copy, home, tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    for path in copy.glob("video_with_audio/*.mp4"):
        (folder / path.name).symlink_to(path)
    row = {"id": 0, "video_prompt": "v", "audio_prompt": "a", "music_prompt": "m"}
    (folder / MUSIC_LIST).write_text(json.dumps(row))
    found = find(folder)
    assert list(found.lists) == [MUSIC_LIST]
    assert found.notes == (f"the prompts of {MUSIC_LIST} ask for music",)
    (folder / LIST).write_text('{"video_id": "1.mp4", "caption": "rain"}')
    found = find(folder)
    assert (list(found.lists), found.notes) == ([LIST], ())
    assert [(row.clip, row.label) for row in found.rows] == [("1", "rain")]


def test_a_list_that_is_missing_or_no_list_is_refused(copy, home, tmp_path):
    with pytest.raises(MissingError, match=r"name it by --table"):
        find(copy / "video_with_audio" / "0.mp4")
    for text in ('{"id": 1}\n', "[1]\n", "text\n"):
        (tmp_path / LIST).write_text(text)
        with pytest.raises(BenchError, match=r"line 1 is no row of the list"):
            find(copy, table=tmp_path / LIST)
    (tmp_path / LIST).write_text('{"number": 1, "audio_prompt": "a"}\n')
    with pytest.raises(BenchError, match="its fields are number, audio_prompt, expected an id"):
        find(copy, table=tmp_path / LIST)
    row = json.dumps({"id": 1, "audio_prompt": "a"})
    (tmp_path / LIST).write_text(f"{row}\n{row}\n")
    with pytest.raises(BenchError, match=r"line 2: the id '1' is listed twice"):
        find(copy, table=tmp_path / LIST)


@pytest.mark.parametrize("column", ["mcd", "fd_panns", "kl_passt", "onset_acc", "lsd", "env_corr"])
def test_columns_that_compare_with_true_audio_are_refused_by_name(copy, home, column):
    find(copy)
    options = RunOptions(model="noise", split="moviegen")
    expected = (
        rf"the clips of moviegen have no true audio to compare with, as {column} would; columns "
        r"without it are ib, desync, is_passt, is_panns, clap"
    )
    with pytest.raises(BenchError, match=expected):
        plan_run(options, JudgeOptions(metrics=f"ib,{column}"), lambda _: None)


@pytest.mark.parametrize("model", ["ground-truth", "shuffled"])
def test_systems_that_read_true_audio_are_refused(copy, home, model):
    find(copy)
    options = RunOptions(model=model, split="moviegen")
    with pytest.raises(BenchError, match=f"{model} reads true audio, which the clips of moviegen"):
        plan_run(options, JudgeOptions(judge="mini"), lambda _: None)


def test_only_bounds_that_need_no_truth_are_planned(copy, home, tmp_path):
    find(copy)
    options = RunOptions(model="noise", split="moviegen", runs=tmp_path / "runs")
    plan = plan_run(options, JudgeOptions(judge="mini"), lambda _: None)
    assert [metric.name for metric in plan.metrics] == ["ib", "desync"]
    assert [bound.system.name for bound in plan_bounds(plan)] == ["silence"]
