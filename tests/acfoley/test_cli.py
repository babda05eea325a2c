"""The command line: its files, and one clear line for every refusal."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import acfoley.loading
import acfoley.memory
import bench.media
from acfoley import cli
from acfoley.official import COMMON_FILES, FLOW_FILES, SHIPPED, Paths, needed_files
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.errors import MediaError
from bench.media import probe, read_audio, write_audio, write_video
from bench.types import Audio, Excerpt
from tests.acfoley.fakes import fake_model
from tests.acfoley.shipping import ship_drawn
from tests.media.samples import numbered_frames, write_frames


@pytest.fixture
def folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a video of 2 s, references good and bad, and no weights."""
    monkeypatch.chdir(tmp_path)
    write_video(Path("in.mp4"), (np.full((48, 64, 3), s, np.uint8) for s in range(50)), 25)
    tone = 0.3 * np.sin(np.arange(44_100) / 20)[None].astype(np.float32)
    write_audio(Path("tone.wav"), Audio(tone, 44_100))
    write_audio(Path("silent.wav"), Audio(0 * tone, 44_100))
    write_audio(Path("short.wav"), Audio(tone[:, :100], 44_100))
    Path("empty.wav").touch()
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["acfoley", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch):
    """A seeded network between fakes instead of the published model."""
    model, orders = fake_model(), []

    def open_model(*arguments, **options):
        orders.append((arguments, options))
        return model

    monkeypatch.setattr(acfoley.loading, "open_model", open_model)
    return orders


GENERATE = ("generate", "--video", "in.mp4", "--seconds", "2", "--steps", "2")


def test_a_video_gets_generated_audio(folder, run, model):
    code, out, _ = run(*GENERATE, "--reference", "tone.wav", "--prompt", "a dog")
    assert code == 0
    assert out == "in_acfoley.mp4: 2 s, 88,200 samples\n"
    info = probe(Path("in_acfoley.mp4"))
    assert info.video.seconds == pytest.approx(2, abs=0.05)
    assert info.audio.sample_rate_hz == 44_100


def test_audio_is_written_alone_and_the_same_each_time(folder, run, model):
    waveforms = []
    for name in ("first.wav", "second.flac"):
        assert run(*GENERATE, "-o", name)[0] == 0
        waveforms.append(read_audio(Excerpt(Path(name))).samples)
    assert waveforms[0].shape == (1, 88_200)
    np.testing.assert_allclose(*waveforms, atol=1e-6)


def test_a_codec_that_the_output_cannot_hold_is_refused_before_the_model_is_loaded(
    folder, run, model
):
    write_frames(Path("vp8.webm"), list(numbered_frames(50)), np.arange(50) / 25, "libvpx")
    code, _, err = run(*GENERATE, "--video", "vp8.webm")
    assert code == 2
    assert "does not hold vp8" in err
    assert model == []
    assert run(*GENERATE, "--video", "vp8.webm", "-o", "out.wav")[0] == 0


@pytest.mark.parametrize("error", [MediaError("the video broke"), OSError(28, "No space left")])
def test_finished_audio_is_kept_where_the_video_cannot_be_written(
    folder, run, model, monkeypatch, error
):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(bench.media, "mux_audio", fail)
    Path("in_acfoley.flac").write_bytes(b"mine")
    code, _, err = run(*GENERATE)
    assert code == 2
    assert "the audio is kept in in_acfoley_2.flac" in " ".join(err.split())
    assert read_audio(Excerpt(Path("in_acfoley_2.flac"))).seconds == 2.0
    assert Path("in_acfoley.flac").read_bytes() == b"mine"


def test_finished_audio_is_kept_where_writing_the_video_is_interrupted(tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.media, "mux_audio", interrupt)
    audio = Audio(np.zeros((1, 4_410), np.float32), 44_100)
    with pytest.raises(KeyboardInterrupt):
        cli.write_result(tmp_path / "out.mp4", tmp_path / "in.mp4", audio)
    assert read_audio(Excerpt(tmp_path / "out.flac")).seconds == 0.1


def test_a_video_may_end_a_little_early(folder, run, model):
    write_video(Path("early.mp4"), numbered_frames(48), 25)  # 1.92 s
    assert run(*GENERATE, "--video", "early.mp4", "-o", "out.wav")[0] == 0


def test_words_beyond_what_clip_reads_are_named(folder, run, model):
    pytest.importorskip("open_clip")
    code, _, err = run(*GENERATE, "--prompt", "dog " * 80 + "zebra")
    assert code == 0
    assert "zebra" in err


REFUSED = {
    "no such video": (["--video", "absent.mp4"], "absent.mp4"),
    "no video stream": (["--video", "tone.wav"], "tone.wav has no video stream"),
    "no media": (["--video", "empty.wav"], "empty.wav"),
    "too long": (["--seconds", "3"], "in.mp4 lasts 2.00 s, 3 s were asked for"),
    "out of range": (["--seconds", "31"], "1 to 30 s, not 31 s"),
    "silent": (["--reference", "silent.wav"], "silent.wav: the reference audio is silent"),
    "empty": (["--reference", "empty.wav"], "empty.wav"),
    "short": (["--reference", "short.wav"], "short.wav: the reference audio lasts 0.002 s"),
    "mask": (["--mask", "sound"], "components are audio, sync, video, text"),
    "scope": (["--mask", "text", "--mask-scope", "half"], "no mask scope 'half'"),
    "steps": (["--steps", "0"], "at least 1 step"),
    "parity": (["--parity", "mine"], "own and official"),
    "suffix": (["-o", "out.mp3"], "'.mp3' is none of .wav, .flac, .mp4, .mov"),
    "overwriting": (["-o", "in.mp4"], "is the video itself"),
    "preset": (["--preset", "huge"], "no preset 'huge'; there are: small_44k"),
    "unpublished": (["--preset", "mmaudio_clap"], "'mmaudio_clap' has no published weights"),
    "type": (["--dtype", "float8"], "no type 'float8'"),
    "device": (["--device", "toaster"], "no device 'toaster'"),
    "gpu": (["--device", "cuda:99"], "no device 'cuda:99'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_command_is_one_line_and_exit_code_2(case, folder, run):
    options, words = REFUSED[case]
    code, out, err = run(*GENERATE, *options)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err


def test_missing_weights_are_named_with_the_command_that_fetches_them(folder, run, home):
    code, _, err = run(*GENERATE)
    assert code == 2
    for row in needed_files("acfoley"):
        assert row.file in err
    assert err.endswith("fetch with `acfoley fetch --preset acfoley`\n")
    elsewhere = run(*GENERATE, "--weights", "there", "--preset", "small_44k")[2]
    assert "`acfoley fetch --preset small_44k --weights there`" in elsewhere


def test_a_file_that_is_not_the_official_one_is_refused(folder, run):
    Path("weights").mkdir()
    for row in OFFICIAL_FILES.values():
        Path("weights", row.file).write_bytes(b"half")
    code, _, err = run(*GENERATE, "--weights", "weights")
    assert code == 2
    assert "ac_foley.pth is truncated: 4 of 4,335,438,310 bytes" in err


def test_insufficient_memory_is_reported_before_loading(folder, run, monkeypatch):
    here = Path("here.pth")
    paths = Paths(here, here, here, here, here)
    monkeypatch.setattr(acfoley.loading, "require_official", lambda *_, **__: paths)
    monkeypatch.setattr(acfoley.memory, "free_bytes", lambda device: 2**30)
    code, _, err = run(*GENERATE)
    assert code == 2
    assert "generating needs about 10." in err
    assert "cpu has 1.0 GiB free: use a smaller --preset" in err
    assert "network 4.0, codec 1.6, encoders 4.1" in err


def test_a_users_checkpoint_replaces_the_official_file(folder, run):
    for preset in ("acfoley", "acfoley_attention"):
        err = run(*GENERATE, "--checkpoint", "mine.pth", "--preset", preset)[2]
        assert "ac_foley.pth" not in err
        assert "v1-44.pth" in err
        assert "`acfoley fetch --preset acfoley`" in err


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return ship_drawn(tmp_path / "shipped", monkeypatch)


@pytest.mark.parametrize("preset", SHIPPED)
def test_a_small_preset_generates_with_the_files_of_the_package(
    preset, shipped, folder, run, monkeypatch
):
    monkeypatch.setattr(acfoley.memory, "free_bytes", lambda device: 0)
    command = (*GENERATE, "--preset", preset, "--prompt", "a bell", "-o", "out.wav")
    code, out, err = run(*command, "--reference", "tone.wav")
    assert code == 0, err
    assert out == "out.wav: 2 s, 88,200 samples\n"
    with_reference = read_audio(Excerpt(Path("out.wav"))).samples
    assert run(*command)[0] == 0
    without = read_audio(Excerpt(Path("out.wav"))).samples
    assert not np.allclose(with_reference, without, atol=1e-4)


def test_a_small_preset_takes_a_checkpoint_of_its_own_shape(shipped, folder, run):
    (shipped / "two-stage.safetensors").rename("mine.safetensors")
    mine = (*GENERATE, "--checkpoint", "mine.safetensors", "-o", "out.wav")
    code, _, err = run(*mine, "--preset", "mini")
    assert code == 0, err
    code, _, err = run(*mine, "--preset", "mini_clap")
    assert code == 2
    assert "use --preset mini" in err
    code, _, err = run(*GENERATE, "--preset", "mini")
    assert code == 2
    assert "two-stage.safetensors: `make mini-weights` trains it" in err


def test_a_small_preset_has_no_files_to_fetch(folder, run):
    code, _, err = run("fetch", "--preset", "mini")
    assert code == 2
    assert "the preset 'mini' comes with the package" in err


def test_fetching_touches_no_network_where_the_environment_forbids_it(folder, run, monkeypatch):
    monkeypatch.setenv("BENCH_OFFLINE", "1")
    code, _, err = run("fetch")
    assert code == 2
    assert "offline mode forbids it" in err
    assert "`acfoley fetch --preset acfoley --mirror FOLDER`" in err


def test_official_files_are_listed(folder, run):
    code, out, _ = run("weights")
    assert code == 0
    for preset, name in FLOW_FILES.items():
        assert {row.name for row in needed_files(preset)} == {name, *COMMON_FILES}
        assert f"{name}  not here" in out
    for name in COMMON_FILES:
        assert f"{name}  not here" in out
    for words in ("ac_foley.pth", "4,335,438,310 bytes", "7956e353...17a30a1"):
        assert words in out
    assert "passt" not in out
