"""Samples are fitted to the protocol, and requests have the declared inputs of a system."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError
from bench.pipeline.generate import fit, make_request
from bench.splits import open_split
from bench.types import Audio, Request
from tests.pipeline import systems


def request(seconds: float = 2.0) -> Request:
    return Request("clip", seconds, 1)


def test_a_sample_of_the_right_length_is_left_alone():
    sample = systems._tone(request())
    fitted, notes = fit(sample, 2.0, "tone")
    assert np.array_equal(fitted.samples, sample.samples)
    assert notes == {}


def test_a_longer_sample_is_cut_to_the_protocol():
    fitted, notes = fit(systems._long(request()), 2.0, "long")
    assert fitted.seconds == 2.0
    assert notes == {}


def test_a_sample_that_is_a_little_short_is_filled_and_that_is_remembered():
    fitted, notes = fit(systems._almost(request()), 2.0, "almost")
    assert fitted.seconds == 2.0
    assert notes == {"padded_s": 0.01}
    assert not fitted.samples[:, -160:].any()


def test_a_sample_beyond_full_scale_is_limited_and_its_peak_remembered():
    fitted, notes = fit(systems._loud(request()), 2.0, "loud")
    assert np.abs(fitted.samples).max() == 1.0
    assert notes["peak"] == pytest.approx(2.0, abs=0.1)


def test_a_sample_that_is_too_short_or_not_a_number_is_refused():
    with pytest.raises(BenchError, match="short made 0.500 s of audio where 2 s were asked for"):
        fit(systems._short(request()), 2.0, "short")
    with pytest.raises(BenchError, match="not finite"):
        fit(systems._not_a_number(request()), 2.0, "nan")


def test_a_request_carries_what_the_system_declares_and_nothing_else(clicks_folder):
    clip = open_split(f"folder:{clicks_folder}").clips[0]
    other = replace(clip, name="other")
    everything = make_request(_using("video", "prompt", "reference"), clip, None, 7)
    assert (everything.prompt, everything.video, everything.seed) == ("a click", clip.video, 7)
    assert everything.reference.seconds == 2.0
    assert (everything.clip, everything.other) == (None, None)
    nothing = make_request(_using(), clip, other, 7)
    assert (nothing.video, nothing.reference, nothing.prompt) == (None, None, "")
    anchor = make_request(_using("truth", "other"), clip, other, 7)
    assert (anchor.clip, anchor.other) == (clip, other)


def test_the_reference_is_the_audio_after_the_target(clicks_folder):
    clip = open_split(f"folder:{clicks_folder}").clips[0]
    assert clip.reference.path == Path(clicks_folder / "clip_000000.mp4")
    reference = make_request(_using("reference"), clip, None, 1).reference
    assert isinstance(reference, Audio)
    assert reference.samples.shape == (1, 2 * 44_100)


def _using(*inputs: str):
    return replace(systems.TONE, uses=frozenset(inputs))
