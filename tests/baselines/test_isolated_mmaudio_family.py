"""MMAudio, SelVA, ControlFoley and AC-Foley by their authors' code: one call for each clip."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.isolation import VideoInput
from bench.media import write_video
from bench.pipeline.generate import call_system, fit
from bench.types import Audio, Excerpt
from tests.baselines.conftest import STANDINS, describe, get_adapter, make_requests

LONG = "the sound of a wooden stick that is hit against "  # 40 letters and more


def read_calls(tmp_path: Path, name: str) -> list[dict[str, object]]:
    lines = (tmp_path / "checkouts" / name / "calls.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def tone(hertz: float, n_channels: int = 1) -> Audio:
    wave = np.sin(np.arange(16_000) * hertz * 2 * np.pi / 16_000).astype(np.float32)
    return Audio(np.repeat(wave[None], n_channels, axis=0), 16_000)


@pytest.mark.parametrize(
    ("name", "rate", "seconds"),
    [
        ("mmaudio-official", 44_100, 8.011),
        ("selva", 16_000, 8.0),
        ("controlfoley", 44_100, 8.011),
        ("acfoley-official", 44_100, 8.011),
    ],
)
def test_every_clip_has_a_sample_of_its_own(
    set_up_standin, videos, tmp_path, name, rate, seconds
) -> None:
    generate = set_up_standin(name).open("cpu")
    awkward = f"--seed=1 'a' \"b\" 50/50\n{LONG}"
    requests = [replace(each, prompt=f"{awkward} {each.prompt}") for each in make_requests(videos)]
    samples = [generate([each])[0] for each in requests]
    assert describe(samples) == [(rate, seconds)] * 3
    assert len({sample.samples.tobytes() for sample in samples}) == 3
    calls = read_calls(tmp_path, name)
    assert [call["prompt"] for call in calls] == [each.prompt for each in requests]
    assert [call["seed"] for call in calls] == [0, 1, 2]
    assert all(call["skip_video_composite"] for call in calls)


def test_missing_frames_would_shorten_the_sample(set_up_standin, videos, tmp_path) -> None:
    generate = set_up_standin("mmaudio-official").open("cpu")
    frames = (np.full((48, 64, 3), index, np.uint8) for index in range(75))
    write_video(tmp_path / "short.mp4", frames, 25)
    # A file that ends early is continued with its last frame ...
    request = replace(make_requests(videos)[0], video=Excerpt(tmp_path / "short.mp4", 0.0, 8.0))
    assert describe(generate([request])) == [(44_100, 8.011)]
    # ... without which the clip fails, and a video of exactly its length loses a frame.
    adapter = get_adapter("mmaudio-official")
    unprepared = replace(adapter, video=VideoInput(seconds=6.0)).system().open("cpu")
    (sample,) = unprepared(make_requests(videos[:1]))
    with pytest.raises(BenchError, match=r"made 5\.9\d\d s of audio where 8 s were asked for"):
        fit(sample, 8.0, "mmaudio-official")
    exact = replace(adapter, video=VideoInput()).system().open("cpu")
    ((_, seconds),) = describe(exact(make_requests(videos[:1])))
    assert seconds < 7.98


@pytest.mark.parametrize("name", ["controlfoley", "acfoley-official"])
def test_references_of_one_video_do_not_overwrite_each_other(set_up_standin, videos, name) -> None:
    generate = set_up_standin(name).open("cuda")
    target = make_requests(videos[:1], prompt=LONG + "a", seed=3)[0]
    references = [None, tone(200.0), tone(400.0), tone(800.0, n_channels=2)]
    # In one chunk, where they could; a call has one by itself.
    samples = generate([replace(target, reference=each) for each in references])
    assert describe(samples) == [(44_100, 8.011)] * 4
    assert len({sample.samples.tobytes() for sample in samples}) == 4


@pytest.mark.parametrize("name", ["controlfoley", "acfoley-official"])
def test_requests_that_differ_by_their_prompt_have_samples_of_their_own(
    set_up_standin, videos, name
) -> None:
    generate = set_up_standin(name).open("cuda")
    requests = [
        make_requests(videos[:1], prompt=LONG + end, seed=3, reference=tone(200.0))[0]
        for end in ("wood", "steel")
    ]
    first, second = generate(requests)
    assert first.samples.tobytes() != second.samples.tobytes()


def test_controlfoley_goes_by_what_is_given(set_up_standin, videos, tmp_path) -> None:
    generate = set_up_standin("controlfoley").open("cpu")
    generate(make_requests(videos[:1], prompt=""))
    generate(make_requests(videos[:1], reference=tone(200.0)))
    without, with_reference = read_calls(tmp_path, "controlfoley")
    assert without["audio"] is None
    assert without["prompt"] == ""
    assert str(with_reference["audio"]).endswith("/reference/clip0000000.wav")


def test_acfoley_fails_on_silence_before_it_makes_nan(set_up_standin, videos, tmp_path) -> None:
    generate = set_up_standin("acfoley-official").open("cuda")
    silent = Audio(np.zeros((1, 16_000), np.float32), 16_000)
    first, second = generate(
        [
            replace(make_requests(videos[:1])[0], reference=silent),
            replace(make_requests(videos[:1])[0], reference=tone(200.0)),
        ]
    )
    assert "is silent, which acfoley-official cannot use" in str(first)
    assert isinstance(second, Audio)
    assert len(read_calls(tmp_path, "acfoley-official")) == 1
    # What it would be otherwise.
    unguarded = replace(get_adapter("acfoley-official"), refuses_silent_reference=False)
    (found,) = unguarded.system().open("cuda")(make_requests(videos[:1], reference=silent))
    assert "has samples that are not finite" in str(found)


def test_acfoley_needs_a_gpu_for_a_reference_alone(set_up_standin, videos, tmp_path) -> None:
    generate = set_up_standin("acfoley-official").open("cpu")
    with_reference = make_requests(videos[:1], reference=tone(200.0))
    found, without = call_system(generate, [*with_reference, *make_requests(videos[:1])])
    assert "acfoley-official: its reference path runs on a GPU only (--device cuda)" in str(found)
    assert isinstance(without, Audio)
    assert len(read_calls(tmp_path, "acfoley-official")) == 1


@pytest.mark.parametrize(
    "script",
    ["mmaudio-official/demo", "selva/demo", "controlfoley/demo", "acfoley-official/inf"],
)
def test_a_stand_in_refuses_arguments_that_do_not_exist(script, tmp_path) -> None:
    command = [sys.executable, str(STANDINS / f"{script}.py"), "--video=a.mp4", "--audio_length=8"]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": str(STANDINS)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "unrecognized arguments: --audio_length=8" in done.stderr
