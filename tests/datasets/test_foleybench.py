"""FoleyBench: rows of Parquet to videos, manifest and split."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.datasets.foleybench import foleybench_directory, prepare
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.inputs.manifest import MANIFEST, read_manifest
from bench.splits import open_split
from tests.datasets.videos import write_mp4


def unpack(source: Path, **options):
    return prepare(source, InlineEngine(), lambda stage, done, total: None, **options)


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> list[bytes]:
    """Three videos: long enough for target and reference, for the target alone, and too short."""
    folder = tmp_path_factory.mktemp("videos")
    contents = []
    for name, seconds in (("a", 10.2), ("bb", 8.4), ("ccc", 5.0)):
        write_mp4(folder / f"{name}.mp4", seconds)
        contents.append((folder / f"{name}.mp4").read_bytes())
    return contents


def write_table(path: Path, videos: list[bytes], **columns) -> Path:
    """Write rows as the hub has them, in row groups of two."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {
        "caption": [f"caption {number}" for number in range(len(videos))],
        "duration": [8.0] * len(videos),
        "video_data": [base64.b64encode(video).decode() for video in videos],
        **columns,
    }
    pq.write_table(pa.table(rows), path, row_group_size=2)
    return path


def test_rows_become_videos_and_the_split_follows_the_protocol(videos, home, tmp_path):
    write_table(tmp_path / "data" / "train-00000-of-00002.parquet", videos[:2], ucs=["RAIN", "DOG"])
    third = {"ucs": ["RAIN"], "caption": ["caption 2"]}
    write_table(tmp_path / "data" / "train-00001-of-00002.parquet", videos[2:], **third)
    manifest = unpack(tmp_path)
    assert [row.split for row in manifest.rows] == ["test"] * 3
    by_caption = {row.label: row for row in manifest.rows}
    for number, video in enumerate(videos):
        row = by_caption[f"caption {number}"]
        assert row.clip.startswith("foley_")
        assert Path(row.path).read_bytes() == video
    assert by_caption["caption 2"].problem.endswith("lasts 5.00 s, the protocol needs 8 s")
    assert "groups are the 2 kinds of the column 'ucs'" in manifest.notes
    split = open_split("foleybench")
    clips = {clip.prompt: clip for clip in split.clips}
    assert clips["caption 0"].reference is not None
    assert (clips["caption 0"].reference.start_s, clips["caption 0"].reference.seconds) == (
        8.0,
        2.0,
    )
    assert clips["caption 1"].reference is None
    assert {clip.group for clip in split.clips} == {"RAIN", "DOG"}
    assert [refusal.clip for refusal in split.refused] == [by_caption["caption 2"].clip]


def test_names_are_of_the_id_column_where_it_names_every_row_once(videos, home, tmp_path):
    path = write_table(tmp_path / "a.parquet", videos[:2], id=["first", "second"])
    assert [row.clip for row in unpack(path).rows] == ["first", "second"]
    path = write_table(tmp_path / "a.parquet", videos[:2], id=["same", "same"])
    assert all(row.clip.startswith("foley_") for row in unpack(path).rows)
    path = write_table(tmp_path / "a.parquet", videos[:2], id=["../up", "a b"])
    assert all(row.clip.startswith("foley_") for row in unpack(path).rows)


def test_names_depend_on_bytes_and_not_on_the_order_of_rows(videos, home, tmp_path):
    first = unpack(write_table(tmp_path / "a.parquet", videos))
    turned = unpack(write_table(tmp_path / "b.parquet", videos[::-1]))
    assert [row.clip for row in first.rows] == [row.clip for row in turned.rows]
    assert first.lists == turned.lists


def test_the_same_call_again_writes_only_what_is_missing(videos, home, tmp_path):
    path = write_table(tmp_path / "a.parquet", videos)
    first = unpack(path)
    kept, lost = (Path(row.path) for row in first.rows[:2])
    written_ns = kept.stat().st_mtime_ns
    lost.unlink()
    assert unpack(path) == first
    assert lost.is_file()
    assert kept.stat().st_mtime_ns == written_ns


def as_text(video: bytes) -> str:
    lines = base64.encodebytes(video).decode()
    return f"data:video/mp4;base64,{lines}"


@pytest.mark.parametrize(
    ("video", "caption", "hold"),
    [
        ("video", "prompt", bytes),
        ("mp4", "text", lambda video: {"bytes": video, "path": "a.mp4"}),
        ("video_base64", "audio_caption", as_text),
    ],
)
def test_columns_of_a_copy_that_was_written_anew_are_found(
    video, caption, hold, videos, home, tmp_path
):
    expected = {row.label: row for row in unpack(write_table(tmp_path / "a.parquet", videos)).rows}
    shutil.rmtree(foleybench_directory())
    columns = {
        "more": [{"path": "x", "size": 1}] * 3,  # nested: two columns on disk
        caption: [f"caption {number}" for number in range(3)],
        video: [hold(each) for each in videos],
        "ucs": ["RAIN", "DOG", "DOG"],
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    found = unpack(tmp_path / "a.parquet")
    assert {row.label: row for row in found.rows} == expected
    assert "groups are the 2 kinds of the column 'ucs'" in found.notes


def test_a_row_that_holds_no_video_is_named_with_the_reason(videos, home, tmp_path):
    path = write_table(tmp_path / "a.parquet", videos[:1])
    text = [*pq.read_table(path)["video_data"].to_pylist(), "no base64!", "", "aGVsbG8="]
    columns = {"caption": list("abcd"), "video_data": text, "id": ["w", "x", "y", "z"]}
    pq.write_table(pa.table(columns), path)
    rows = {row.clip: row.problem for row in unpack(path).rows}
    assert rows["w"] == ""
    assert rows["x"].startswith("its video_data is no base64 text")
    assert rows["y"] == "its video_data is empty"
    assert "z.mp4" in rows["z"]


def test_a_row_without_a_video_has_a_name_for_files_whatever_its_table_is_called(
    videos, home, tmp_path
):
    path = write_table(tmp_path / "my table.parquet", [videos[0], b""])
    [row] = [row for row in unpack(path).rows if row.problem]
    assert [refusal.clip for refusal in open_split("foleybench").refused] == [row.clip]


def test_a_full_disk_another_table_and_a_damaged_one_are_refused(
    videos, home, tmp_path, monkeypatch
):
    path = write_table(tmp_path / "a.parquet", videos)
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(BenchError, match="set BENCH_HOME to a larger disk"):
            unpack(path)
    with pytest.raises(BenchError, match="takes no --table"):
        unpack(path, table=path)
    with pytest.raises(MissingError, match=r"1 clips and none can be used \(.*lasts 5\.00 s"):
        unpack(write_table(tmp_path / "short.parquet", videos[2:]))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BenchError, match=r"cannot read .*a\.parquet"):
        unpack(path)
    pq.write_table(pa.table({"text": ["a"]}), path)
    expected = r"a\.parquet has the columns text, expected are a video \(video_data, .*caption"
    with pytest.raises(MissingError, match=expected):
        unpack(path)
    with pytest.raises(MissingError, match="run `bench data prepare foleybench --from PATH`"):
        open_split("foleybench")


def test_a_video_in_two_rows_is_one_clip(videos, home, tmp_path):
    manifest = unpack(write_table(tmp_path / "a.parquet", [videos[0], videos[0]]))
    assert len(manifest.rows) == 1
    assert "1 of 2 rows hold a video that another row has" in manifest.notes
    assert read_manifest(foleybench_directory() / MANIFEST) == manifest
