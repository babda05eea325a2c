"""Published archives work as they are downloaded: copies with their names, and real outputs."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.errors import BenchError, MissingError
from bench.inputs import list_folder
from bench.pipeline.run import run
from bench.plugins import open_system
from bench.system import System
from bench.types import Request
from tests.baselines.calls import generate_one
from tests.pipeline.conftest import make_plan as make_plan  # noqa: PLC0414 - a fixture

CLIPS = ("-Qowmc0P9ic_000034", "0DCit2EBtjs_000030", "Yabcdefghij_000010")


def tone(level: float, kind: str) -> bytes:
    """A file of one second at 16 kHz, whose level tells it from others."""
    file = io.BytesIO()
    soundfile.write(file, np.full(16_000, level, np.float32), 16_000, format=kind)
    return file.getvalue()


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write files to a .zip, a .tar or a .tar.gz, or below a folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            for name, content in files.items():
                made.writestr(name, content)
    elif path.suffix:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as made:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                made.addfile(info, io.BytesIO(content))
    else:
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    return path


def knowing(path: Path, *clips: str) -> System:
    """The system that reads ``path`` for these clips."""
    system = open_system(f"precomputed:{path}")
    assert system.with_clips is not None
    return system.with_clips(clips)


def levels(path: Path, *clips: str) -> list[float]:
    """The level of the sample of each clip."""
    generate = knowing(path, *clips).open("cpu")
    made = [generate_one(generate, Request(name, 1.0, 0)) for name in clips]
    return [round(float(audio.samples.max()), 2) for audio in made]


def test_frieren_is_read_at_sample_0_and_the_others_are_counted(tmp_path: Path) -> None:
    files = {
        f"frieren_noreflow_25/Y{clip}_{k}.wav": tone(0.1 * (i + 1) + 0.01 * k, "WAV")
        for i, clip in enumerate(CLIPS)
        for k in range(10)
    }
    archive = pack(tmp_path / "frieren_noreflow_25.zip", files)
    assert levels(archive, *CLIPS) == [0.1, 0.2, 0.3]
    system = knowing(archive, *CLIPS[:2])
    assert system.notes is not None
    assert system.notes() == (
        "10 files of the samples belong to no clip of the split",
        "18 further samples of the same clips not used",
    )


def test_a_clip_without_sample_0_is_noted(tmp_path: Path) -> None:
    files = {f"Y{CLIPS[0]}_{k}.wav": tone(0.1 + 0.01 * k, "WAV") for k in range(3)}
    files |= {f"Y{CLIPS[1]}_{k}.wav": tone(0.2 + 0.01 * k, "WAV") for k in (1, 2)}
    archive = pack(tmp_path / "a.zip", files)
    assert levels(archive, *CLIPS[:2]) == [0.1, 0.21]
    system = knowing(archive, *CLIPS[:2])
    assert system.notes is not None
    assert "1 clips have no sample 0, and their lowest is used" in system.notes()


def test_a_clip_without_sample_0_is_noted_in_a_shard_too(tmp_path: Path) -> None:
    files = {f"Y{CLIPS[0]}_{k}.generated.wav": tone(0.1 * k, "WAV") for k in (1, 2)}
    system = knowing(pack(tmp_path / "a.tar", files), CLIPS[0])
    assert system.notes is not None
    assert "1 clips have no sample 0, and their lowest is used" in system.notes()


def test_mmaudio_is_read_from_its_tar(tmp_path: Path) -> None:
    files = {f"vggsound/{clip}.flac": tone(0.1 * (i + 1), "FLAC") for i, clip in enumerate(CLIPS)}
    archive = pack(tmp_path / "mmaudio_large_44k_vggsound.tar", files)
    assert levels(archive, *CLIPS) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("name", ["{}.wav", "{}.generated.wav", "audio/{}.flac"])
def test_multifoley_is_read_from_shards_of_webdataset(name: str, tmp_path: Path) -> None:
    for i, clip in enumerate(CLIPS):
        kind = name.rpartition(".")[2].upper()
        files = {name.format(clip): tone(0.1 * (i + 1), kind), f"{clip}.json": b"{}"}
        pack(tmp_path / "set" / f"test-{i:05}.tar", files)
    assert levels(tmp_path / "set", *CLIPS) == [0.1, 0.2, 0.3]
    assert levels(tmp_path / "set" / "test-00001.tar", CLIPS[1]) == [0.2]


def test_the_row_of_multifoley_reads_the_samples_that_were_put_in_its_folder(home: Path) -> None:
    system = open_system("multifoley")
    assert system.lacks is not None
    assert str(home / "samples" / "multifoley") in system.lacks()
    with pytest.raises(MissingError, match="czyang/MultiFoley-VGGSound-Test-Audio"):
        system.open("cpu")
    files = {f"{clip}.flac": tone(0.1 * (i + 1), "FLAC") for i, clip in enumerate(CLIPS)}
    pack(home / "samples" / "multifoley" / "test-00000.tar", files)
    assert system.lacks() == ""
    assert system.with_clips is not None
    informed = system.with_clips(CLIPS)
    audio = generate_one(informed.open("cpu"), Request(CLIPS[1], 1.0, seed=0))
    assert float(audio.samples.max()) == pytest.approx(0.2, abs=1e-3)
    assert informed.name == "multifoley"


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ""])
@pytest.mark.parametrize(
    "stem",
    ["-Qowmc0P9ic_34000_44000", "deep/er/-Qowmc0P9ic_34000_44000_7", "-Qowmc0P9ic_000034_12"],
)
def test_other_schemes_are_read_from_every_form(
    suffix: str, stem: str, tmp_path: Path, home: Path
) -> None:
    other = {"0DCit2EBtjs_30000_40000.wav": tone(0.5, "WAV")}
    path = pack(tmp_path / f"made{suffix}", {f"{stem}.wav": tone(0.3, "WAV"), **other})
    assert levels(path, CLIPS[0]) == [0.3]


def test_folders_in_an_archive_keep_clips_of_one_name_apart(tmp_path: Path) -> None:
    files = {"dog/001.wav": tone(0.1, "WAV"), "cat/001.wav": tone(0.2, "WAV")}
    archive = pack(tmp_path / "a.zip", files)
    assert levels(archive, "cat/001", "dog/001") == [0.2, 0.1]
    assert levels(archive, "dog=001") == [0.1]


@pytest.mark.parametrize("form", ["two.zip", "shards"])
def test_two_files_for_a_clip_are_refused_by_name(form: str, tmp_path: Path) -> None:
    if form == "shards":
        for shard in "ab":
            pack(tmp_path / form / f"{shard}.tar", {f"{CLIPS[0]}.wav": tone(0.1, "WAV")})
        named = rf"a\.tar/{CLIPS[0]}\.wav, b\.tar/{CLIPS[0]}\.wav"
    else:
        pack(tmp_path / form, {f"{f}/{CLIPS[0]}.wav": tone(0.1, "WAV") for f in "ab"})
        named = rf"a/{CLIPS[0]}\.wav, b/{CLIPS[0]}\.wav"
    with pytest.raises(BenchError, match=rf"2 files .* could be clip .*keep one: {named}"):
        levels(tmp_path / form, CLIPS[0])


def test_rows_of_a_table_name_no_clip(tmp_path: Path) -> None:
    archive = pack(tmp_path / "h.tar", {f"{i:04}.wav": tone(0.1, "WAV") for i in range(3)})
    with pytest.raises(BenchError, match=r"e\.g\. '0000\.wav', named by the row of a table"):
        levels(archive, CLIPS[0])


def test_a_damaged_sample_in_an_archive_fails_alone(tmp_path: Path) -> None:
    files = {f"{CLIPS[0]}.wav": b"no audio", f"{CLIPS[1]}.wav": tone(0.2, "WAV")}
    generate = knowing(pack(tmp_path / "a.zip", files), *CLIPS[:2]).open("cpu")
    bad, good = generate([Request(name, 1.0, 0) for name in CLIPS[:2]])
    assert "not a media file" in str(bad)
    assert good.seconds == 1.0


def test_a_changed_archive_is_another_input(tmp_path: Path, home: Path) -> None:
    from bench.digests import file_digest

    digests = []
    for level in (0.1, 0.2):
        path = pack(tmp_path / str(level) / "a.tar", {f"{CLIPS[0]}.wav": tone(level, "WAV")})
        system = knowing(path, CLIPS[0])
        assert system.inputs is not None
        digests += [file_digest(file) for file in system.inputs(CLIPS[0])]
    assert len(set(digests)) == 2


FORMS = [".zip", ".tar", ".tar.gz"]


def test_real_outputs_have_the_same_scores_from_every_form(
    shared: Path, tmp_path: Path, make_plan: Callable[..., object]
) -> None:
    outputs, videos = shared / "media" / "v2a-outputs" / "vta-ldm", tmp_path / "videos"
    videos.mkdir()
    files = {}
    for path in sorted(outputs.glob("*.wav"))[:2]:
        (videos / f"{path.stem}.mp4").symlink_to(shared / "media" / "vggsound" / f"{path.stem}.mp4")
        files[f"vta-ldm/{path.name}"] = path.read_bytes()
    scores = []
    for form in [outputs, *(pack(tmp_path / f"made{suffix}", files) for suffix in FORMS)]:
        plan = make_plan(
            f"precomputed:{form}",
            split=f"folder:{videos}",
            metrics=("onset_acc", "onset_ap", "mcd", "lsd"),
        )
        results = run(plan, lambda *_: None).results
        assert (results.scored, results.failed) == (2, 0)
        content = json.loads((plan.results_directory / "scores.json").read_text())
        scores.append({name: content[name] for name in ("metrics", "clips")})
    assert scores[1:] == scores[:1] * len(FORMS)


def test_real_pairs_of_condfoley_are_the_same_from_every_form(shared: Path, tmp_path: Path) -> None:
    folder = shared / "media" / "greatesthits" / "generated"
    files = {path.name: path.read_bytes() for path in list_folder(folder).videos}
    stems = [Path(name).stem for name in files]
    clips = [
        stem.replace("_denoised_trim_to_2s_from_", "_").replace("_new_fps_resized", "")
        for stem in stems
        if "trim_to_2s" in stem
    ]
    forms = [folder, *(pack(tmp_path / f"made{suffix}", files) for suffix in FORMS)]
    for clip in clips:
        expected, *found = [
            generate_one(knowing(form, *clips).open("cpu"), Request(clip, 2.0, 0)) for form in forms
        ]
        assert expected.seconds > 1.8
        for audio in found:
            assert np.array_equal(audio.samples, expected.samples)
    assert len(clips) == 4
