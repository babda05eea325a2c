"""Chunks: what comes back is compared with what was asked for, and failures cost their clips."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.errors import BenchError, MissingError
from bench.isolation import VideoInput
from bench.isolation import generate as generate_module
from bench.isolation.process import IsolatedProcessError
from bench.isolation.state import system_folder
from bench.media import probe, read_audio, read_frames, write_audio
from bench.pipeline.generate import call_system
from bench.types import Audio, Excerpt
from tests.isolation.conftest import EACH


def test_each_request_gets_its_own_sample(make_adapter, make_requests) -> None:
    generate = make_adapter().system().open("cpu")
    samples = generate(make_requests(3))
    levels = [round(float(sample.samples[0, 0] * 32_768)) for sample in samples]
    assert levels == [1000, 1001, 1002]
    assert samples[0].sample_rate_hz == 8_000
    # Nothing of a chunk is left but its log.
    folder = system_folder("toy")
    assert not list((folder / "work").iterdir())
    assert "a line of the checkout" in "".join(p.read_text() for p in folder.glob("logs/*.log"))


def test_names_of_data_are_no_names_of_files(make_adapter, make_requests, tmp_path) -> None:
    make_adapter().system().open("cpu")(make_requests(2))
    chunk = json.loads((tmp_path / "checkout" / "seen.json").read_text())
    assert [each["name"] for each in chunk["requests"]] == ["clip0000000", "clip0000001"]
    assert "-clip_" not in json.dumps(chunk)


@pytest.mark.parametrize("audio", ["none", "silent"])
def test_the_true_audio_is_not_in_what_a_system_is_given(
    make_adapter, make_requests, tmp_path, audio
) -> None:
    keep = "import shutil; shutil.copytree(chunk['inputs'], settings['checkout'] + '/kept')\n"
    adapter = make_adapter(
        keep + EACH,
        video=VideoInput(seconds=2.5, fps=30, short_side=32, audio=audio),
        reference="wav",
    )
    reference = Audio(np.full((1, 800), 0.25, np.float32), 8_000)
    adapter.system().open("cpu")(make_requests(1, reference=reference))
    kept = sorted(path for path in (tmp_path / "checkout" / "kept").rglob("*") if path.is_file())
    assert [path.suffix for path in kept] == [".wav", ".mp4"]
    video = probe(kept[1])
    assert (video.audio is None) == (audio == "none")
    if audio == "silent":
        assert not read_audio(Excerpt(kept[1])).samples.any()
    frames = read_frames(Excerpt(kept[1]), 30)
    assert frames.pixels.shape == (75, 32, 42, 3)
    np.testing.assert_array_equal(read_audio(Excerpt(kept[0])).samples, reference.samples)


def test_a_video_that_ends_early_is_continued_with_its_last_frame(
    make_adapter, make_requests, tmp_path
) -> None:
    keep = "import shutil; shutil.copytree(chunk['inputs'], settings['checkout'] + '/kept')\n"
    adapter = make_adapter(keep + EACH, video=VideoInput(seconds=5.0))
    adapter.system().open("cpu")(make_requests(1))
    (video,) = (tmp_path / "checkout" / "kept").rglob("*.mp4")
    frames = read_frames(Excerpt(video), 25)
    assert len(frames.pixels) == 125  # the source has 75
    assert np.abs(frames.pixels[-1].astype(int) - frames.pixels[80]).max() <= 3


def test_a_video_may_go_on_beyond_the_clip(make_adapter, make_requests, tmp_path) -> None:
    keep = "import shutil; shutil.copytree(chunk['inputs'], settings['checkout'] + '/kept')\n"
    adapter = make_adapter(keep + EACH, video=VideoInput(margin_s=0.5))
    adapter.system().open("cpu")(make_requests(1))
    (video,) = (tmp_path / "checkout" / "kept").rglob("*.mp4")
    frames = read_frames(Excerpt(video), 25).pixels
    assert len(frames) == 62  # the clip has 50, its file 75
    assert frames[61].mean() > frames[50].mean() + 20  # what the file has there


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (
            "for r in chunk['requests'][1:]: write(out / (r['name'] + '.wav'), r['seed'])",
            "wrote no audio for this clip",
        ),
        (
            EACH
            + "\nos.replace(chunk['outputs'] + '/clip0000000.wav', chunk['outputs'] + '/zzz.wav')",
            "files that nobody asked for: ['zzz.wav']",
        ),
        (
            "for r in chunk['requests']: write(out / (r['name'] + '.wav'), 9 + r['seed'] // 2)",
            "one of them is a substitute",
        ),
        (EACH + "\nos.truncate(chunk['outputs'] + '/clip0000000.wav', 30)", "cannot be read"),
        (
            EACH + "\nanswer = {'errors': {'clip0000000': 'the reference is silent'}}",
            "toy: the reference is silent",
        ),
    ],
)
def test_a_clip_without_its_own_sample_fails_alone(make_adapter, make_requests, do, reason) -> None:
    first, _, third = make_adapter(do).system().open("cpu")(make_requests(3))
    assert isinstance(first, Exception)
    assert reason in str(first)
    assert isinstance(third, Audio)


def test_several_files_for_one_clip_are_refused(make_adapter, make_requests) -> None:
    do = "for k in '01': write(out / (chunk['requests'][0]['name'] + k + '.wav'), 5)"
    adapter = make_adapter(do, outputs=("{name}*.wav",))
    (found,) = adapter.system().open("cpu")(make_requests(1))
    assert "wrote 2 files for it" in str(found)


def test_values_that_are_no_numbers_are_refused(make_adapter, make_requests, tmp_path) -> None:
    from scipy.io import wavfile

    wavfile.write(tmp_path / "nan.wav", 8_000, np.full(16_000, np.nan, np.float32))
    source = str(tmp_path / "nan.wav")
    do = f"import shutil; shutil.copy({source!r}, out / 'clip0000000.wav')"
    (found,) = make_adapter(do).system().open("cpu")(make_requests(1))
    assert isinstance(found, BenchError)


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), signal.SIGKILL)", "sys.exit(3)", "1 / 0"])
def test_a_crash_costs_the_clip_that_causes_it(make_adapter, make_requests, how) -> None:
    do = f"if any(r['prompt'] == 'prompt 1' for r in chunk['requests']): {how}\n{EACH}"
    results = call_system(make_adapter(do).system().open("cpu"), make_requests(3))
    assert [isinstance(each, Audio) for each in results] == [True, False, True]
    assert "toy failed on this clip: " in results[1].message
    assert "log: " in results[1].message


def test_a_hang_is_killed_with_all_that_it_started(
    make_adapter, make_requests, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(generate_module, "SHORTEST_LIMIT_S", 1.0)
    monkeypatch.setattr(generate_module, "EXPECTED_TIMES", 0.0)
    do = (
        "child = subprocess.Popen(['sleep', '600'], start_new_session=True); "
        "Path(settings['checkout'], 'pid').write_text(str(child.pid)); time.sleep(600)"
    )
    generate = make_adapter(do).system().open("cpu")
    with pytest.raises(IsolatedProcessError, match="no answer within 1 s"):
        generate(make_requests(1))
    pid = int((tmp_path / "checkout" / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_it_ends_with_the_process_that_started_it(
    make_adapter, make_requests, tmp_path, monkeypatch
) -> None:
    make_adapter("Path(settings['checkout'], 'pid').write_text(str(os.getpid())); time.sleep(600)")
    script = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "from bench.isolation.process import IsolatedProcess, make_environment\n"
        "from pathlib import Path\n"
        "python, folder = Path(sys.executable), Path(sys.argv[3])\n"
        "worker = Path(sys.argv[2]) / 'toy_adapter' / 'worker.py'\n"
        "p = IsolatedProcess(python, worker, folder, make_environment(python, folder, (), 'cpu'))\n"
        "do = \"Path(settings['checkout'], 'pid').write_text(str(os.getpid())); time.sleep(600)\"\n"
        "log = folder / 'log'\n"
        "p.call('open', {'checkout': str(folder), 'options': {'do': do}}, log, 60)\n"
        "p.call('call', {'requests': [{'prompt': ''}], 'outputs': ''}, log, 600)\n"
    )
    root = Path(__file__).resolve().parents[2]
    checkout = tmp_path / "checkout"
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(root), str(tmp_path / "packages"), str(checkout)]
    )
    pid_file = checkout / "pid"
    while not (pid_file.is_file() and pid_file.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    pid = int(pid_file.read_text())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    for _ in range(200):
        if not psutil.pid_exists(pid):
            return
        time.sleep(0.05)
    pytest.fail("the isolated process outlived its parent")


def test_the_environment_is_clean(make_adapter, make_requests, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setenv("SECRET_TOKEN", "1")
    monkeypatch.setenv("HF_HOME", "/cache")
    make_adapter().system().open("cpu")(make_requests(1))
    given = json.loads((tmp_path / "checkout" / "environment.json").read_text())
    assert given["HOME"] == str(system_folder("toy") / "home")
    assert given["HF_HOME"] == "/cache"
    assert given["CUDA_VISIBLE_DEVICES"] == ""
    assert not {"PYTHONPATH", "SECRET_TOKEN"} & given.keys()


def test_what_cannot_be_staged_fails_alone(make_adapter, make_requests, tmp_path) -> None:
    adapter = make_adapter(needs_prompt=True)
    requests = make_requests(3)
    broken = make_requests(1, prompt=" ")
    missing = make_requests(1, video=None)
    first, second, *rest = adapter.system().open("cpu")([*broken, *missing, *requests])
    assert "has no prompt" in str(first)
    assert "has no video" in str(second)
    assert all(isinstance(each, Audio) for each in rest)


def test_a_system_that_is_not_set_up_names_the_command(make_adapter, home) -> None:
    adapter = make_adapter()
    (system_folder("toy") / "system.json").unlink()
    with pytest.raises(MissingError, match="bench systems setup toy --checkout DIR"):
        adapter.system().open("cpu")
    assert "bench systems setup toy" in adapter.system().lacks()


def test_a_worker_that_cannot_be_opened_is_named(make_adapter) -> None:
    adapter = make_adapter(options={})
    (adapter.folder / "worker.py").write_text("raise ImportError('no module named torch')")
    with pytest.raises(BenchError, match="toy cannot be opened: ImportError: no module named"):
        adapter.system().open("cpu")


def test_a_reference_needs_its_video_where_the_system_does(
    make_adapter, make_requests, tmp_path
) -> None:
    write_audio(tmp_path / "a.wav", Audio(np.zeros((1, 8_000), np.float32), 8_000))
    adapter = make_adapter(reference="mp4")
    reference = Audio(np.zeros((1, 44_100), np.float32), 44_100)
    (found,) = adapter.system().open("cpu")(make_requests(1, reference=reference))
    assert "has no video, which toy needs" in str(found)
    with_video = make_requests(1, reference=reference)
    source = with_video[0].video
    (sample,) = adapter.system().open("cpu")(
        make_requests(1, reference=reference, reference_video=source)
    )
    assert isinstance(sample, Audio)


def test_a_silent_reference_fails_before_the_call(make_adapter, make_requests) -> None:
    generate = make_adapter(reference="wav", refuses_silent_reference=True).system().open("cpu")
    tone = np.sin(np.arange(800) * 0.05).astype(np.float32)
    given = [np.zeros((1, 800), np.float32), np.stack([tone, -tone]), tone[None]]
    requests = [make_requests(1, reference=Audio(each, 8_000))[0] for each in given]
    silent, cancelled, audible = generate(requests)
    assert "is silent, which toy cannot use" in str(silent)
    assert "is silent" in str(cancelled)
    assert isinstance(audible, Audio)


def test_the_log_of_a_process_that_is_killed_is_complete(make_adapter, make_requests) -> None:
    do = "print('the last words'); os.kill(os.getpid(), signal.SIGKILL)"
    generate = make_adapter(do).system().open("cpu")
    with pytest.raises(IsolatedProcessError, match="the last words"):
        generate(make_requests(1))


def test_a_system_that_is_no_longer_used_gives_its_memory_back(
    make_adapter, make_requests, tmp_path
) -> None:
    do = f"Path(settings['checkout'], 'pid').write_text(str(os.getpid()))\n{EACH}"
    generate = make_adapter(do).system().open("cpu")
    generate(make_requests(1))
    pid = int((tmp_path / "checkout" / "pid").read_text())
    assert psutil.pid_exists(pid)
    del generate  # as between two models of one command
    assert not psutil.pid_exists(pid)


def test_a_reference_with_its_video_has_the_audio_of_the_reference_alone(
    make_adapter, make_requests, tmp_path
) -> None:
    keep = "import shutil; shutil.copytree(chunk['inputs'], settings['checkout'] + '/kept')\n"
    adapter = make_adapter(keep + EACH, reference="mp4")
    silence = Audio(np.zeros((1, 44_100), np.float32), 44_100)
    source = make_requests(1)[0].video  # whose own track is a tone
    adapter.system().open("cpu")(make_requests(1, reference=silence, reference_video=source))
    reference, video = sorted((tmp_path / "checkout" / "kept").rglob("*.mp4"))
    assert (reference.parent.name, video.parent.name) == ("reference", "video")
    assert probe(video).audio is None
    assert not read_audio(Excerpt(reference)).samples.any()
