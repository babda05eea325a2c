"""FoleyCrafter, ThinkSound and HunyuanVideo-Foley: one call of their scripts for several clips."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.isolation.process import IsolatedProcessError
from bench.media import write_video
from bench.pipeline.generate import call_system, fit
from bench.types import Audio, Excerpt
from tests.baselines.conftest import STANDINS, describe, get_adapter, make_requests

#: What a CSV file, a shell or an option parser could mistake.
AWKWARD = "--seed=3, \"a\" 'b';\n50/50 #"


def read_calls(tmp_path: Path, name: str) -> list[dict[str, object]]:
    lines = (tmp_path / "checkouts" / name / "calls.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def long_video(tmp_path_factory: pytest.TempPathFactory) -> Excerpt:
    """A video of 17 s, of which a clip has the first 16."""
    path = tmp_path_factory.mktemp("long") / "a.mp4"
    write_video(path, (np.full((48, 64, 3), n % 256, np.uint8) for n in range(17 * 25)), 25)
    return Excerpt(path, 0.0, 16.0)


def test_foleycrafter_calls_its_script_once_for_each_prompt(
    set_up_standin, videos, tmp_path
) -> None:
    generate = set_up_standin("foleycrafter").open("cpu")
    requests = make_requests(videos, "aab")
    requests[2] = replace(requests[2], prompt=AWKWARD)
    assert describe(generate(requests)) == [(16_000, 8.0)] * 3
    calls = read_calls(tmp_path, "foleycrafter")
    assert [(call["prompt"], call["videos"]) for call in calls] == [
        ("dog a", ["clip0000000.mp4", "clip0000001.mp4"]),
        (AWKWARD, ["clip0000002.mp4"]),
    ]
    assert [call["temporal_scale"] for call in calls] == [0.2, 0.2]


def test_foleycrafter_keeps_a_plus_of_a_name_apart(set_up_standin, videos) -> None:
    generate = set_up_standin("foleycrafter").open("cpu")
    requests = [replace(each, name=f"a+b {each.name}") for each in make_requests(videos)]
    assert describe(generate(requests)) == [(16_000, 8.0)] * 3
    # Staged names have none; with one, the script writes another name, which is noticed.
    renamed = replace(get_adapter("foleycrafter"), staged_name="{id}+")
    (found,) = renamed.system().open("cpu")(requests[:1])
    assert "wrote no audio for this clip; it wrote files that nobody asked for" in str(found)
    assert "clip0000000 .wav" in str(found)


def test_foleycrafter_is_given_eight_seconds_of_a_longer_video(
    set_up_standin, videos, long_video
) -> None:
    generate = set_up_standin("foleycrafter").open("cpu")
    eight = Excerpt(long_video.path, 0.0, 8.0)
    (request,) = make_requests([eight])
    assert describe(generate([request])) == [(16_000, 8.0)]
    # Above 10 s it fails, and that clip alone.
    (long_request,) = make_requests([long_video], seconds=16.0)
    found, sample = call_system(generate, [long_request, *make_requests(videos[:1])])
    assert "foleycrafter failed on this clip: inference.py ended with code 1" in found.message
    assert "must match the size" in found.message
    assert isinstance(sample, Audio)


def test_thinksound_gets_the_label_as_both_captions(set_up_standin, videos, tmp_path) -> None:
    generate = set_up_standin("thinksound").open("cpu")
    requests = make_requests(videos)
    requests[1] = replace(requests[1], prompt=AWKWARD)
    samples = generate(requests)
    # The latents of 9 s.
    assert describe(samples) == [(44_100, 9.009)] * 3
    assert [sample.samples.shape[0] for sample in samples] == [2, 2, 2]
    assert min(np.abs(sample.samples).max() for sample in samples) > 0.99
    extraction, evaluation = read_calls(tmp_path, "thinksound")
    assert extraction["duration"] == 9.0
    assert [(row["caption"], row["caption_cot"]) for row in extraction["rows"]] == [
        (each.prompt, each.prompt) for each in requests
    ]
    assert evaluation["files"] == [f"clip000000{index}.npz" for index in range(3)]


def test_thinksound_generates_what_a_chunk_has_alone(set_up_standin, videos, tmp_path) -> None:
    generate = set_up_standin("thinksound").open("cpu")
    generate(make_requests(videos))
    (again,) = generate(make_requests(videos[:1]))
    assert isinstance(again, Audio)
    # The features of the chunk before are no longer there.
    assert read_calls(tmp_path, "thinksound")[3]["files"] == ["clip0000000.npz"]


def test_thinksound_asks_for_a_second_more_than_the_clip_has(
    set_up_standin, videos, tmp_path
) -> None:
    system = set_up_standin("thinksound")
    ((_, seconds),) = describe(system.open("cpu")(make_requests(videos[:1], seconds=2.5)))
    assert seconds >= 2.5
    # The first video of a folder is not what decides.
    frames = (np.full((48, 64, 3), index, np.uint8) for index in range(75))
    write_video(tmp_path / "short.mp4", frames, 25)
    short = Excerpt(tmp_path / "short.mp4", 0.0, 8.0)
    samples = system.open("cpu")(make_requests([short, *videos[1:]]))
    assert describe(samples) == [(44_100, 9.009)] * 3


def test_thinksound_leaves_out_clips_that_it_cannot_read(
    set_up_standin, videos, monkeypatch
) -> None:
    system = set_up_standin("thinksound")
    from bench.isolation import generate as module

    stage = module.stage_request

    def damage_first(adapter, request, row, inputs):
        staged = stage(adapter, request, row, inputs)
        if row == 0:
            Path(staged["video"]).write_bytes(b"damaged")
        return staged

    monkeypatch.setattr(module, "stage_request", damage_first)
    first, second, _ = system.open("cpu")(make_requests(videos))
    assert "thinksound wrote no audio for this clip" in str(first)
    assert isinstance(second, Audio)


def test_hunyuan_outputs_are_those_of_its_rows(set_up_standin, videos, tmp_path) -> None:
    generate = set_up_standin("hunyuanvideo-foley").open("cpu")
    requests = make_requests(videos)
    requests[1] = replace(requests[1], prompt=AWKWARD)
    empty = replace(requests[0], prompt=" ")
    # An empty prompt would be NaN: it is no row, and the rows after it keep their clips.
    found, *samples = generate([empty, *requests])
    assert "has no prompt, which hunyuanvideo-foley needs" in str(found)
    assert describe(samples) == [(48_000, 8.04)] * 3
    cut, notes = fit(samples[0], 8.0, "hunyuanvideo-foley")
    assert (cut.seconds, notes) == (8.0, {})
    # Chunks have folders of their own: rows whose outputs exist are skipped.
    (again,) = generate([requests[1]])
    assert again.samples.tobytes() != samples[0].samples.tobytes()
    for call in read_calls(tmp_path, "hunyuanvideo-foley"):
        assert (call["model_size"], call["model_path"]) == ("xxl", "weights")


def test_hunyuan_has_no_seed(set_up_standin, videos) -> None:
    generate = set_up_standin("hunyuanvideo-foley").open("cpu")
    (one,) = generate(make_requests(videos[:1], seed=1))
    (two,) = generate(make_requests(videos[:1], seed=2))
    assert one.samples.tobytes() == two.samples.tobytes()
    assert "fixes at 1" in get_adapter("hunyuanvideo-foley").caveat


def test_hunyuan_ends_after_fifteen_seconds(set_up_standin, long_video) -> None:
    generate = set_up_standin("hunyuanvideo-foley").open("cpu")
    (sample,) = generate(make_requests([long_video], seconds=16.0))
    assert sample.seconds == 15.0
    with pytest.raises(BenchError, match=r"made 15\.000 s of audio where 16 s were asked for"):
        fit(sample, 16.0, "hunyuanvideo-foley")


def test_hunyuan_without_its_weights_fails_with_its_exit(set_up_standin, videos, tmp_path) -> None:
    generate = set_up_standin("hunyuanvideo-foley").open("cpu")
    weights = tmp_path / "checkouts" / "hunyuanvideo-foley" / "weights"
    (weights / "hunyuanvideo_foley.pth").unlink()
    with pytest.raises(IsolatedProcessError, match=r"infer\.py ended with code 1"):
        generate(make_requests(videos[:1]))


@pytest.mark.parametrize(
    ("script", "argument"),
    [
        # It is in the README alone.
        ("foleycrafter/inference", "--temporal_align"),
        ("thinksound/extract_latents", "--cot=a"),
        ("thinksound/eval_batch", "--without-cot"),
        ("hunyuanvideo-foley/infer", "--seed=1"),
    ],
)
def test_a_stand_in_refuses_arguments_that_do_not_exist(script, argument, tmp_path) -> None:
    command = [sys.executable, str(STANDINS / f"{script}.py"), argument]
    if "hunyuan" in script:
        command += ["--model_path=a", "--csv_path=b", "--output_dir=c"]
    done = subprocess.run(
        command,
        env={"PYTHONPATH": str(STANDINS)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"unrecognized arguments: {argument}" in done.stderr
