"""Isolated systems that are given a video only: V-AURA, SSV2A, Frieren and TARO.

What their scripts are known to do, and what becomes of it, is a test each: a quirk that costs a
clip is a failure of that clip, and no other clip's sample.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.isolation import VideoInput
from bench.isolation.process import IsolatedProcessError
from bench.pipeline.generate import call_system
from tests.baselines.conftest import (
    describe,
    get_adapter,
    make_requests,
    set_up_with_standin,
)
from tests.baselines.standin_results import (
    describe_failures,
    get_checkout,
    get_peaks,
    list_checkout,
    read_logs,
)


def test_v_aura_generates_in_a_copy_of_its_experiment(set_up_standin, videos) -> None:
    generate = set_up_standin("v-aura").open("cpu")
    # What an earlier run with another out_path leaves makes main.py stop: it wants two folders.
    experiment = get_checkout("v-aura") / "logs" / "24-08-01T08-34-26"
    (experiment / "my samples").mkdir()
    before = list_checkout("v-aura")
    first = generate(make_requests(videos[:2]))
    assert describe(first) == [(44_100, 8.313)] * 2
    second = generate(make_requests(videos[:1]))
    np.testing.assert_array_equal(first[0].samples, second[0].samples)
    assert max(get_peaks(first)) <= 0.501
    assert list_checkout("v-aura") == before


def test_v_aura_fails_the_clip_that_it_replaces_by_another(set_up_standin, videos) -> None:
    generate = set_up_standin("v-aura").open("cpu")
    (get_checkout("v-aura") / "unreadable.txt").write_text("clip0000001_0_10000")
    first, second = describe_failures(generate(make_requests(videos[:2])))
    assert first == ""
    assert "v-aura wrote no audio for this clip" in second


def test_v_aura_tries_the_clips_of_a_skipped_batch_again(set_up_standin, videos) -> None:
    generate = set_up_standin("v-aura").open("cpu")
    # The second of a chunk: alone, it is the first.
    (get_checkout("v-aura") / "broken.txt").write_text("clip0000001_0_10000")
    assert describe_failures(call_system(generate, make_requests(videos[:2]))) == ["", ""]
    assert "main.py skipped its only batch" in read_logs("v-aura")


@pytest.mark.parametrize(
    "video",
    [
        VideoInput(seconds=10.0, short_side=256, audio="none"),
        VideoInput(seconds=10.0, short_side=256, audio="silent", fps=24),
        VideoInput(seconds=10.0, audio="silent"),
    ],
)
def test_v_aura_needs_its_form_of_video(set_up_standin, videos, video) -> None:
    set_up_standin("v-aura")
    generate = replace(get_adapter("v-aura"), video=video).system().open("cpu")
    with pytest.raises(IsolatedProcessError, match="main.py skipped its only batch"):
        generate(make_requests(videos[:1]))


def test_v_aura_refuses_more_than_its_loader_can_read(set_up_standin, videos) -> None:
    generate = set_up_standin("v-aura").open("cpu")
    with pytest.raises(IsolatedProcessError, match=r"up to 9.5 s here, 10.0 s were asked for"):
        generate(make_requests(videos[:1], seconds=10.0))
    assert describe(generate(make_requests(videos[:1], seconds=2.0))) == [(44_100, 2.554)]


def test_ssv2a_names_by_the_position_in_a_list_of_any_order(set_up_standin, videos) -> None:
    generate = set_up_standin("ssv2a").open("cpu")
    results = generate(make_requests(videos))
    assert describe(results) == [(16_000, 10.0)] * 3
    assert get_peaks(results) == [0.1, 0.2, 0.3]


def test_ssv2a_names_a_single_sample_without_position(set_up_standin, videos) -> None:
    generate = set_up_standin("ssv2a").open("cpu")
    assert describe(generate(make_requests(videos[:1]))) == [(16_000, 10.0)]


def test_ssv2a_loses_a_chunk_that_is_tried_clip_by_clip(set_up_standin, videos) -> None:
    generate = set_up_standin("ssv2a").open("cpu")
    (get_checkout("ssv2a") / "broken.txt").write_text("clip0000001")
    with pytest.raises(IsolatedProcessError, match=r"infer_v2a.py ended with code 1.*memory"):
        generate(make_requests(videos))
    # Alone, each is the first of its list.
    assert describe_failures(call_system(generate, make_requests(videos))) == ["", "", ""]


def test_frieren_calls_its_four_scripts_and_leaves_the_checkout(set_up_standin, videos) -> None:
    generate = set_up_standin("frieren").open("cuda:1")
    before = list_checkout("frieren")
    results = generate(make_requests(videos))
    assert describe(results) == [(16_000, 8.192)] * 3
    # Its scripts see the GPU that they were given, and not the first of the machine.
    assert "uses the GPU 1" in read_logs("frieren")
    assert list_checkout("frieren") == before
    # Its seed cannot be chosen.
    again = generate([replace(request, seed=9) for request in make_requests(videos)])
    np.testing.assert_array_equal(results[1].samples, again[1].samples)


def test_frieren_writes_nothing_for_less_than_a_window(set_up_standin, videos) -> None:
    set_up_standin("frieren")
    generate = replace(get_adapter("frieren"), video=VideoInput(seconds=7.9)).system().open("cpu")
    (failure,) = describe_failures(generate(make_requests(videos[:1])))
    assert "frieren wrote no audio for this clip" in failure


def test_frieren_names_a_configuration_that_it_does_not_know(set_up_standin, videos) -> None:
    generate = set_up_standin("frieren").open("cpu")
    (config,) = get_checkout("frieren").rglob("v2a_cfm_cfg_infer.yaml")
    config.write_text("model: {}\n")
    with pytest.raises(IsolatedProcessError, match="no ckpt_path in first_stage_config"):
        generate(make_requests(videos[:1]))


def test_taro_generates_a_window_of_each_video(set_up_standin, videos) -> None:
    generate = set_up_standin("taro").open("cpu")
    results = generate(make_requests(videos))
    assert describe(results) == [(16_000, 8.192)] * 3
    # Its seed cannot be chosen.
    again = generate([replace(request, seed=9) for request in make_requests(videos)])
    np.testing.assert_array_equal(results[0].samples, again[0].samples)


def test_frieren_takes_a_checkout_whose_path_has_quotes(home, tmp_path, videos) -> None:
    system = set_up_with_standin("frieren", tmp_path / 'it\'s "mine"')
    assert describe(system.open("cpu")(make_requests(videos[:1]))) == [(16_000, 8.192)]
