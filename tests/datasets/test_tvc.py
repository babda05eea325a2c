"""VGGSound-TVC: the list of prompts in conflict, and the split under them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.cli.data import prepare as prepare_command
from bench.datasets.tvc import HEADER, TABLE, prepare, summarize, tvc_directory
from bench.datasets.vggsound import vggsound_directory
from bench.engine import InlineEngine
from bench.errors import BenchError, MissingError
from bench.inputs.labels import read_labels
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, write_manifest
from bench.splits import open_split
from bench.splits.references import draw_references
from bench.synthetic.protocols import CONFLICT_LEVELS

DOG, ORGAN, RAIN = "-1pRmoJIGQc_000010", "glLQrEijrKg_000300", "zzzzzzzzzzz_000001"


def make_row(clip: str, words: str) -> list[str]:
    return [clip, f"{words}, raw", *(f"{words} {level}" for level in CONFLICT_LEVELS)]


ROWS = (make_row(DOG, "dog barking"), make_row(ORGAN, "organ"), make_row(RAIN, "rain"))


def write_list(path: Path, *rows: list[str], header: list[str] = HEADER) -> Path:
    path.write_text("".join("\t".join(cells) + "\n" for cells in (header, *rows)))
    return path


def prepare_here(source: Path, **options):
    return prepare(source, InlineEngine(), lambda stage, done, total: None, **options)


@pytest.fixture
def vggsound(home):
    """A manifest of VGGSound with two of the three clips, of which one cannot be used."""
    rows = (
        MediaRow(DOG, "dog barking", "test", "/data/dog.mp4", audio_s=10.0),
        MediaRow(ORGAN, "playing organ", "test", problem="no video"),
    )
    write_manifest(vggsound_directory() / MANIFEST, Manifest("vggsound", rows))


def test_the_header_is_that_of_the_published_file():
    assert HEADER == [
        "video_id",
        "label_L0_raw",
        "label_L0",
        "label_L1_subject",
        "label_L1_action",
        "label_L2",
        "label_L3",
    ]


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_checked_copy_of_the_list_is_kept(is_folder, home, tmp_path):
    (tmp_path / "controlfoley" / "VGGSound-TVC").mkdir(parents=True)
    path = write_list(tmp_path / "controlfoley" / "VGGSound-TVC" / TABLE, *ROWS)
    found = prepare_here(tmp_path / "controlfoley" if is_folder else path)
    assert (tvc_directory() / TABLE).read_bytes() == path.read_bytes()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert found.notes == (f"{TABLE} has 3 clips, the published list 5,001 (SHA-256 {digest})",)
    assert summarize(found).startswith("3 clips under 5 prompts")
    assert list(found.prompts[DOG].items()) == [
        (level, f"dog barking {level}") for level in CONFLICT_LEVELS
    ]


def test_the_command_prints_the_licence_first(home, tmp_path, capsys):
    write_list(tmp_path / TABLE, *ROWS)
    prepare_command("tvc", tmp_path, workers=0)
    out, err = capsys.readouterr()
    assert err.startswith("VGGSound-TVC: CC BY-NC 4.0")
    assert "3 clips under 5 prompts" in out
    with pytest.raises(BenchError, match="name your copy of tvc by --from"):
        prepare_command("tvc")


BROKEN = {
    "columns": (write_list, {"header": [*HEADER[:-1], "label_L4"]}, "label_L4, expected video_id"),
    "a clip": (make_row("dog", "dog"), {}, "line 5: 'dog' is no clip of VGGSound, <id>_<start"),
    "ms": (make_row("-1pRmoJIGQc_10000_20000", "dog"), {}, "line 5: '-1pRmoJIGQc_10000_20000' is"),
    "twice": (make_row(RAIN, "rain"), {}, f"line 5: {RAIN} has a row already"),
    "blank": (
        [*make_row("aaaaaaaaaaa_000001", "cow")[:-2], " ", "a cow"],
        {},
        "line 5: aaaaaaaaaaa_000001 has no prompt in label_L2",
    ),
    "width": (make_row("aaaaaaaaaaa_000001", "cow")[:-1], {}, "line 5: 6 cells under 7 columns"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_not_the_list_is_refused_and_not_kept(case, home, tmp_path):
    row, options, message = BROKEN[case]
    rows = ROWS if row is write_list else (*ROWS, row)
    with pytest.raises(BenchError, match=message):
        prepare_here(write_list(tmp_path / TABLE, *rows, **options))
    assert not (tvc_directory() / TABLE).exists()


def test_a_folder_without_the_list_or_with_two_is_refused(home, tmp_path):
    with pytest.raises(MissingError, match=f"does not hold {TABLE}"):
        prepare_here(tmp_path)
    for name, rows in (("a", ROWS), ("b", ROWS[:1])):
        (tmp_path / name).mkdir()
        write_list(tmp_path / name / TABLE, *rows)
    with pytest.raises(BenchError, match="holds 2 different files"):
        prepare_here(tmp_path)
    with pytest.raises(BenchError, match="has a header and no row"):
        prepare_here(write_list(tmp_path / TABLE))


def test_every_clip_is_under_five_prompts_and_missing_ones_are_refused_by_name(vggsound, tmp_path):
    with pytest.raises(MissingError, match="run `bench data prepare tvc --from"):
        open_split("vggsound-tvc")
    prepare_here(write_list(tmp_path / TABLE, *ROWS))
    split = open_split("vggsound-tvc")
    assert [clip.name for clip in split.clips] == [f"{DOG}_{level}" for level in CONFLICT_LEVELS]
    assert [clip.prompt for clip in split.clips] == ROWS[0][2:]
    assert [clip.group for clip in split.clips] == list(CONFLICT_LEVELS)
    assert {clip.cluster for clip in split.clips} == {"-1pRmoJIGQc"}
    assert {clip.label for clip in split.clips} == {"dog barking"}
    assert {each.clip: each.reason for each in split.refused} == {
        f"{clip}_{level}": reason
        for clip, reason in ((ORGAN, "no video"), (RAIN, "no clip of the manifest of VGGSound"))
        for level in CONFLICT_LEVELS
    }
    assert "mcd_ref" in split.metrics
    assert split.notes[0].startswith(f"{TABLE} has 3 clips, the published list 5,001 (SHA-256 ")


def test_without_vggsound_or_any_of_its_clips_the_split_names_the_command(home, tmp_path):
    prepare_here(write_list(tmp_path / TABLE, *ROWS))
    with pytest.raises(MissingError, match="VGGSound is not prepared"):
        open_split("vggsound-tvc")
    rows = (MediaRow("aaaaaaaaaaa_000001", "cow", "test", "/data/cow.mp4"),)
    write_manifest(vggsound_directory() / MANIFEST, Manifest("vggsound", rows))
    with pytest.raises(MissingError, match="has 3 clips and none is here"):
        open_split("vggsound-tvc")


def test_references_of_the_same_class_go_by_the_label_of_the_clip_and_not_by_its_prompts(
    home, tmp_path
):
    rows = (
        MediaRow(DOG, "dog barking", "test", "/data/dog.mp4", audio_s=10.0),
        MediaRow(ORGAN, "dog barking", "test", "/data/other.mp4", audio_s=10.0),
    )
    write_manifest(vggsound_directory() / MANIFEST, Manifest("vggsound", rows))
    prepare_here(write_list(tmp_path / TABLE, *ROWS[:2]))
    found = draw_references(open_split("vggsound-tvc"), "same-class", 42)
    assert len(found.clips) == 10
    assert {clip.reference.path.stem for clip in found.clips[:5]} == {"other"}


def test_a_label_file_of_this_form_gives_the_true_prompts(tmp_path):
    labels = read_labels(write_list(tmp_path / "labels.tsv", *ROWS)).labels
    assert [label.prompt for label in labels] == [row[2] for row in ROWS]
