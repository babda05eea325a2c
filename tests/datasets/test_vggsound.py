"""VGGSound in every form that people have it in, and the line for each clip that is not usable."""

from __future__ import annotations

import errno
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.datasets.index import open_index
from bench.datasets.vggsound import prepare, vggsound_directory
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.inputs.manifest import MANIFEST, read_manifest
from bench.media import read_audio
from bench.splits import open_split
from bench.splits.verify import verify_split
from tests.datasets.videos import RATE_HZ, write_mp4

NAMES = ("glLQrEijrKg_000300", "-1pRmoJIGQc_000010", "6jiO0tPLK7U_000090")
LONG_PATH = "scratch/shared/beegfs/hchen/train_data/VGGSound_final/video"


@pytest.fixture(scope="session")
def videos(tmp_path_factory) -> list[Path]:
    """Three clips of the official test list."""
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate(NAMES):
        write_mp4(folder / f"{name}.mp4", 10 + 0.1 * number)
    return [folder / f"{name}.mp4" for name in NAMES]


def prepare_here(source: Path, **options):
    """The manifest of a folder."""
    return prepare(source, InlineEngine(), lambda stage, done, total: None, **options)


def make_flat(folder, videos):
    for path in videos:
        shutil.copy(path, folder)


def make_nested(folder, videos):
    below = folder / LONG_PATH
    below.mkdir(parents=True)
    make_flat(below, videos)
    (below / f"._{NAMES[0]}.mp4").write_bytes(b"AppleDouble")


def make_class_folders(folder, videos):
    for number, path in enumerate(videos):
        (folder / f"class {number}").mkdir()
        shutil.copy(path, folder / f"class {number}" / f"{path.stem}.MP4")


def make_links(folder, videos):
    for path in videos:
        (folder / path.name).symlink_to(path)


def make_milliseconds(folder, videos):
    for path in videos:
        video_id, start_ms = path.stem[:-7], 1000 * int(path.stem[-6:])
        shutil.copy(path, folder / f"{video_id}_{start_ms}_{start_ms + 10_000}.mp4")


def make_shards(folder, videos, suffix="tar", mode="w"):
    for number in range(2):
        with tarfile.open(folder / f"vggsound_0{number}.{suffix}", mode) as tar:
            for path in videos[number::2]:
                tar.add(path, f"{LONG_PATH}/{path.name}")
                # WebDataset: everything about a sample has one stem.
                (folder / "info").write_text("{}")
                tar.add(folder / "info", f"{LONG_PATH}/{path.stem}.json")
    (folder / "info").unlink()


def make_packed_shards(folder, videos):
    make_shards(folder, videos, "tar.gz", "w:gz")


def make_wrongly_named_shards(folder, videos):
    make_shards(folder, videos, "tar", "w:gz")


def make_rows(folder, videos):
    rows = {"video_id": [path.stem for path in videos], "video": [p.read_bytes() for p in videos]}
    pq.write_table(pa.table(rows), folder / "rows.parquet")


def make_structs(folder, videos):
    held = [{"bytes": path.read_bytes(), "path": path.name} for path in videos]
    rows = {"key": [path.stem for path in videos], "video": held}
    pq.write_table(pa.table(rows), folder / "rows.parquet")


FORMS = [
    make_flat, make_nested, make_class_folders, make_links, make_milliseconds, make_shards,
    make_packed_shards, make_wrongly_named_shards, make_rows, make_structs,
]  # fmt: skip


@pytest.mark.parametrize("make", FORMS)
def test_every_form_gives_the_same_manifest_but_for_paths(make, videos, home, tmp_path):
    flat, other = tmp_path / "flat", tmp_path / "other"
    for folder, form in ((flat, make_flat), (other, make)):
        folder.mkdir()
        form(folder, videos)
    expected = [replace(row, path="") for row in prepare_here(flat).rows]
    (vggsound_directory() / MANIFEST).unlink()
    found = prepare_here(other)
    assert [replace(row, path="") for row in found.rows] == expected
    assert read_manifest(vggsound_directory() / MANIFEST) == found
    assert sum(not row.problem for row in found.rows) == len(NAMES)
    assert len(found.rows) == 15_446
    split = open_split("vggsound-test")
    assert {clip.name for clip in split.clips} == set(NAMES)
    for clip in split.clips:
        assert read_audio(clip.audio).seconds == 8.0
        assert read_audio(clip.reference).seconds == 2.0


def test_a_full_video_is_cut_at_the_start_of_each_clip(home, tmp_path):
    write_mp4(tmp_path / "-1pRmoJIGQc.mp4", 21)
    [row] = [row for row in prepare_here(tmp_path).rows if not row.problem]
    assert (row.clip, row.start_s, row.seconds) == ("-1pRmoJIGQc_000010", 10.0, 10.0)
    [clip] = open_split("vggsound-test").clips
    assert (clip.audio.start_s, clip.video.start_s, clip.reference.start_s) == (10.0, 10.0, 18.0)


def test_audio_beside_a_silent_video_is_its_audio(videos, home, tmp_path):
    for kind in ("videos", "audios"):
        (tmp_path / kind).mkdir()
    write_mp4(tmp_path / "videos" / f"{NAMES[0]}.mp4", 10, has_audio=False)
    with av.open(str(videos[0])) as source:
        frames = [frame.to_ndarray() for frame in source.decode(audio=0)]
    import soundfile

    wav = tmp_path / "audios" / f"{NAMES[0]}.wav"
    soundfile.write(wav, np.concatenate(frames, axis=1)[0], RATE_HZ)
    [row] = [row for row in prepare_here(tmp_path).rows if not row.problem]
    assert (row.audio_path, row.audio_codec) == (str(wav), "pcm_s16le")
    [clip] = open_split("vggsound-test").clips
    assert clip.audio.path == wav
    assert clip.video.path.suffix == ".mp4"


def test_each_clip_that_cannot_be_used_has_its_own_reason(videos, home, tmp_path):
    named = {row.clip: row for row in prepare_here(videos[0].parent).rows}
    missing = [clip for clip in named if clip not in NAMES][:6]
    (vggsound_directory() / MANIFEST).unlink()
    make_flat(tmp_path, videos[:1])
    paths = [tmp_path / f"{clip}.mp4" for clip in missing]
    write_mp4(paths[0], 3)
    write_mp4(paths[1], 10, has_audio=False)
    paths[2].write_bytes(videos[0].read_bytes()[:3000])
    paths[3].touch()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(videos[1], tmp_path / folder / paths[4].name)
    shutil.copy(videos[1], tmp_path / "AAAAAAAAAAA_000001.mp4")
    manifest = prepare_here(tmp_path)
    rows = {row.clip: row for row in manifest.rows}
    expected = (
        "its audio lasts 3.",
        f"{paths[1].name} has no audio stream, and no audio file is beside it",
        "cannot read ",
        "cannot read ",
        "2 videos are this clip, keep one: ",
        "no video",
    )
    for clip, sentence in zip(missing, expected, strict=True):
        assert rows[clip].problem.startswith(sentence)
    assert "the file is empty" in rows[missing[3]].problem
    assert manifest.notes == ("1 videos are no clips of the list: AAAAAAAAAAA_000001.mp4",)
    split = open_split("vggsound-test")
    assert {each.clip: each.reason for each in split.refused}[missing[0]] == rows[
        missing[0]
    ].problem


def test_silent_and_still_clips_are_named_by_verify(home, tmp_path):
    write_mp4(tmp_path / f"{NAMES[0]}.mp4", 10, is_silent=True)
    write_mp4(tmp_path / f"{NAMES[1]}.mp4", 10, is_still=True)
    write_mp4(tmp_path / f"{NAMES[2]}.mp4", 10)
    prepare_here(tmp_path)
    split = replace(open_split("vggsound-test"), refused=())
    expected = [f"{NAMES[1]}: its video is a still picture", f"{NAMES[0]}: its audio is silent"]
    for _ in range(2):  # read from the media, then from memory
        found = verify_split(split, InlineEngine(), lambda done, total: None)
        assert found == ([], expected)


def test_a_broken_shard_is_named_and_the_rest_goes_on(videos, home, tmp_path):
    make_shards(tmp_path, videos)
    make_packed_shards(tmp_path, videos[1:2])
    for name in ("vggsound_01.tar", "vggsound_01.tar.gz"):
        shard = tmp_path / name
        shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    manifest = prepare_here(tmp_path)
    broken = [note.partition(" is damaged")[0] for note in manifest.notes]
    assert broken == ["vggsound_01.tar", "vggsound_01.tar.gz"]
    assert {row.clip for row in manifest.rows if not row.problem} >= {NAMES[0], NAMES[2]}


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder beside ``home``."""
    (tmp_path / "copy").mkdir()
    return tmp_path / "copy"


@pytest.mark.parametrize("make", [make_packed_shards, make_rows])
def test_a_longer_list_gets_its_clips_from_archives_that_were_unpacked(make, videos, home, folder):
    make(folder, videos)
    lines = [f"{name[:-7]},{int(name[-6:])},dog,test\n" for name in NAMES]
    for n in (1, 3):
        (folder / "vggsound.csv").write_text("".join(lines[:n]))
        assert sum(not row.problem for row in prepare_here(folder).rows) == n


@pytest.mark.parametrize(("suffix", "mode"), [("tar", "w"), ("tar.gz", "w:gz")])
def test_links_in_an_archive_are_named(suffix, mode, videos, home, folder):
    with tarfile.open(folder / f"a.{suffix}", mode) as tar:
        tar.add(videos[0], videos[0].name)
        link = tarfile.TarInfo(videos[1].name)
        link.type, link.linkname = tarfile.LNKTYPE, videos[0].name
        tar.addfile(link)
    for _ in range(2):  # read from the archive, then from memory
        assert prepare_here(folder).notes == (
            f"a.{suffix} has 1 media files that are links or sparse, which are not read: unpack it "
            f"({videos[1].name})",
        )


def test_an_archive_that_could_not_be_read_once_is_read_again(videos, home, folder, monkeypatch):
    make_shards(folder, videos)
    make_flat(folder, videos[:1])

    def fail(path, mode):
        raise OSError("the server does not answer")

    with monkeypatch.context() as patched:
        patched.setattr("bench.datasets.scan.tarfile.open", fail)
        assert "does not answer" in prepare_here(folder).notes[0]
    assert prepare_here(folder).notes == ()


def test_what_is_unpacked_needs_no_space_again(videos, home, folder, monkeypatch):
    make_packed_shards(folder, videos)
    first = prepare_here(folder)
    full = shutil._ntuple_diskusage(10**6, 10**6, 10_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    assert prepare_here(folder) == first


@pytest.mark.parametrize("make", [make_packed_shards, make_rows])
def test_a_disk_that_fills_while_clips_are_unpacked_is_no_damage(
    make, videos, home, folder, monkeypatch
):
    make(folder, videos)
    unpacked = vggsound_directory() / "unpacked"
    copy = shutil.copyfileobj

    def fill(source, target, *length):
        if any(unpacked.glob("[!.]*")):
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(source, target, *length)

    with monkeypatch.context() as patched:
        patched.setattr("bench.datasets.scan.shutil.copyfileobj", fill)
        with pytest.raises(BenchError, match=r"the disk of .*unpacked is full \(No space left"):
            prepare_here(folder)
    assert len([*unpacked.iterdir()]) == 1  # and no half of another
    manifest = prepare_here(folder)
    assert manifest.notes == ()
    assert sum(not row.problem for row in manifest.rows) == len(NAMES)


def test_an_index_that_cannot_be_written_is_an_error_of_its_file(tmp_path):
    with open_index(tmp_path / "index.sqlite") as index:
        index._rows.execute("PRAGMA max_page_count = 5")
        with pytest.raises(
            BenchError, match=r"cannot write .*index\.sqlite: database or disk is f"
        ):
            index.remember_archive("state", ["x" * 100_000])


def test_archives_in_forms_that_are_not_read_are_named_with_what_to_do(videos, home, folder):
    for name in ("a.zip", "b.7z", "c.tar.zst", "d.txt", "e.z01", "e.zip"):
        (folder / name).write_bytes(b"content")
    hint = r"3 archives \(\.7z, \.zip, \.zst\) are not read: unpack them, and name that folder by "
    with pytest.raises(MissingError, match=hint):
        prepare_here(folder)
    make_flat(folder, videos)
    notes = prepare_here(folder).notes
    assert notes[0].startswith("e.z01 is a part of a zip file")
    assert notes[1].endswith("by --from (a.zip, b.7z, c.tar.zst)")


def test_a_damaged_member_is_named_by_archive_and_name(videos, home, folder):
    (folder / videos[0].name).write_bytes(b"no video at all")
    with tarfile.open(folder / "a.tar", "w") as tar:
        for path in (folder / videos[0].name, videos[1]):
            tar.add(path, f"{LONG_PATH}/{path.name}")
    (folder / videos[0].name).unlink()
    rows = {row.clip: row for row in prepare_here(folder).rows}
    assert rows[NAMES[0]].problem.startswith(f"cannot read {folder}/a.tar/{videos[0].name}: ")
    assert rows[NAMES[1]].problem == ""


def test_a_parquet_file_of_something_else_is_no_damage(videos, home, folder):
    make_flat(folder, videos)
    pq.write_table(pa.table({"clip": ["a"], "score": [0.5]}), folder / "scores.parquet")
    for _ in range(2):  # read from the file, then from memory
        [note] = prepare_here(folder).notes
        assert note.startswith("scores.parquet is not read: its columns are clip, score: expected")


def test_a_clip_in_two_archives_is_named_by_archive_and_member(videos, home, folder):
    for suffix, mode in (("tar", "w"), ("tar.gz", "w:gz")):
        make_shards(folder, videos, suffix, mode)
        (folder / f"more.{suffix}").write_bytes((folder / f"vggsound_01.{suffix}").read_bytes())
        clip = videos[1].name
        manifest = prepare_here(folder)
        rows = {row.clip: row for row in manifest.rows}
        if suffix == "tar":
            assert rows[NAMES[1]].problem == (
                f"2 videos are this clip, keep one: more.tar/{clip}, vggsound_01.tar/{clip}"
            )
            for path in folder.iterdir():
                path.unlink()
        else:
            assert rows[NAMES[1]].problem == ""
            assert manifest.notes == (
                "1 clips are in compressed archives twice, and the first of each counts: "
                f"more.tar.gz/{clip} and vggsound_01.tar.gz/{clip}",
            )


def test_an_unchanged_tree_is_not_opened_again(videos, home, tmp_path, monkeypatch):
    first = prepare_here(videos[0].parent)
    monkeypatch.setattr("bench.media.probe", lambda path: pytest.fail(f"{path} is opened again"))
    assert prepare_here(videos[0].parent) == first


def test_data_on_several_disks_make_one_manifest(videos, home, tmp_path):
    for number, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        shutil.copy(videos[number], tmp_path / folder)
        prepare_here(tmp_path / folder)
    assert {clip.name for clip in open_split("vggsound-test").clips} == set(NAMES[:2])


def test_clips_in_the_folder_of_another_class_are_named(videos, home, folder):
    labels = {row.clip: row.label for row in prepare_here(videos[0].parent).rows}
    for name, label in ((NAMES[0], labels[NAMES[0]]), (NAMES[1], labels[NAMES[2]])):
        below = folder / label.replace(" ", "_").upper()
        below.mkdir()
        shutil.copy(videos[0], below / f"{name}.mp4")
    [note] = prepare_here(folder).notes
    assert note == (
        "1 clips are in the folder of another class, and the label of the list counts: "
        f"{below.name}/{NAMES[1]}.mp4 ({labels[NAMES[1]]})"
    )


def test_a_damaged_copy_does_not_replace_a_good_one_elsewhere(videos, home, folder, tmp_path):
    make_flat(folder, videos)
    prepare_here(folder)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(videos[0], other)
    (other / videos[1].name).write_bytes(b"damaged")
    rows = {row.clip: row for row in prepare_here(other).rows}
    assert (rows[NAMES[0]].path, rows[NAMES[1]].path) == (
        str(other / videos[0].name),
        str(folder / videos[1].name),
    )
    (folder / videos[1].name).write_bytes(b"damaged since")
    rows = {row.clip: row for row in prepare_here(folder).rows}
    assert rows[NAMES[1]].problem.startswith("cannot read ")


def test_the_official_table_gives_clips_to_train_on(videos, home, tmp_path):
    make_flat(tmp_path, videos)
    (tmp_path / "vggsound.csv").write_text(
        'glLQrEijrKg,300,"organ, old",train\n-1pRmoJIGQc,10,dog,test\nzzzzzzzzzzz,1,rain,train\n'
    )
    rows = {row.clip: row for row in prepare_here(tmp_path).rows}
    assert (rows[NAMES[0]].label, rows[NAMES[0]].split) == ("organ, old", "train")
    assert rows["zzzzzzzzzzz_000001"].problem == "no video"
    assert [clip.name for clip in open_split("vggsound-test").clips] == [NAMES[1]]


def test_a_table_that_is_named_has_to_be_one_and_a_shorter_one_is_noted(videos, home, tmp_path):
    folder = videos[0].parent
    with pytest.raises(MissingError, match=r"there is no table .*gone\.csv"):
        prepare_here(folder, table=tmp_path / "gone.csv")
    (tmp_path / "list.json").write_text("{}")
    with pytest.raises(BenchError, match=r"list\.json is no table: expected vggsound\.csv"):
        prepare_here(folder, table=tmp_path / "list.json")
    prepare_here(folder)
    assert open_split("vggsound-test").notes == ()
    (tmp_path / "fewer.tsv").write_text(f"id\tlabel\n{NAMES[0]}\torgan\n{NAMES[1]}\tdog\n")
    prepare_here(folder, table=tmp_path / "fewer.tsv")
    assert open_split("vggsound-test").notes == (
        "fewer.tsv has 2 test clips, the official list 15,446",
    )


def test_a_folder_without_a_listed_clip_and_a_full_disk_are_refused(
    videos, home, tmp_path, monkeypatch
):
    with pytest.raises(MissingError, match="there is no folder"):
        prepare_here(tmp_path / "gone")
    (tmp_path / "a.txt").touch()
    with pytest.raises(MissingError, match="has none of the 15446 clips of the list: expected"):
        prepare_here(tmp_path)
    make_packed_shards(tmp_path, videos)
    full = shutil._ntuple_diskusage(10, 10, 0)
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    with pytest.raises(BenchError, match=r"of 2 archives takes up to 0\.0 GiB, and .* 0\.0 GiB"):
        prepare_here(tmp_path)


def test_the_filtered_split_has_the_clips_of_its_list_in_its_order(videos, home):
    prepare_here(videos[0].parent)
    path = vggsound_directory() / "ib0.3.txt"
    with pytest.raises(MissingError, match=r"needs .*ib0\.3\.txt: names of the test clips"):
        open_split("vggsound-ib0.3")
    path.write_text(f"{NAMES[1]}\n\n{NAMES[0]}.mp4\n")
    split = open_split("vggsound-ib0.3")
    assert [clip.name for clip in split.clips] == [NAMES[1], NAMES[0]]
    assert split.refused == ()
    assert split.notes[0].startswith("ib0.3.txt names 2 clips, the paper has 8,676 (SHA-256 ")
    path.write_text("someone_else_000001\n")
    with pytest.raises(BenchError, match=r"names 'someone_else_000001', .* \(1 of 1 names\)"):
        open_split("vggsound-ib0.3")


def test_without_a_manifest_the_message_has_the_command(home):
    with pytest.raises(MissingError, match=r"VGGSound is not prepared: run `bench data prepare"):
        open_split("vggsound-test")
    vggsound_directory().mkdir(parents=True)
    (vggsound_directory() / MANIFEST).write_bytes(b"no Parquet")
    with pytest.raises(BenchError, match="cannot read the manifest"):
        open_split("vggsound-test")
    pq.write_table(pa.table({"a": [1]}), vggsound_directory() / MANIFEST)
    with pytest.raises(BenchError, match="is no manifest of this package"):
        open_split("vggsound-test")


def test_real_clips_are_found_in_place(shared, home):
    manifest = prepare_here(shared / "media" / "vggsound")
    assert sum(not row.problem for row in manifest.rows) == 8
    assert manifest.notes[0].startswith("3 videos are no clips of the list: ")


def test_a_list_of_the_user_picks_clips_and_may_bring_prompts(videos, home, tmp_path):
    prepare_here(videos[0].parent)
    path = tmp_path / "mine.txt"
    path.write_text(f"{NAMES[1][:-7]}_10000_20000\n{NAMES[0]}.mp4\n")
    split = open_split(f"vggsound-list:{path}")
    assert [clip.name for clip in split.clips] == [NAMES[1], NAMES[0]]
    assert split.notes[0].startswith("mine.txt names 2 clips (SHA-256 ")
    path = tmp_path / "mine.tsv"
    path.write_text(f"id\tlabel\n{NAMES[0]}\tan old organ\n")
    assert [clip.prompt for clip in open_split(f"vggsound-list:{path}").clips] == ["an old organ"]
    path.write_text("id\tlabel\nzzzzzzzzzzz_000001\train\n")
    with pytest.raises(BenchError, match=r"names 'zzzzzzzzzzz_000001', .* \(1 of 1 names\)"):
        open_split(f"vggsound-list:{path}")
    with pytest.raises(MissingError, match=r"there is no list .*gone\.txt"):
        open_split(f"vggsound-list:{tmp_path / 'gone.txt'}")


def test_published_lists_are_known(shared, videos, home):
    prepare_here(videos[0].parent)
    lists = shared / "media" / "lists"
    for name, count, words in (
        ("vggsound_test_mmaudio.tsv", 15_221, "MMAudio's test list"),
        ("vggsound_test_official.csv", 15_446, "the official test list"),
    ):
        split = open_split(f"vggsound-list:{lists / name}")
        assert len(split.clips) + len(split.refused) == count
        assert f"{count:,} clips, {words} (SHA-256 " in split.notes[0]
