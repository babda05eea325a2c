"""The lengths of the published model."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acfoley.params import SAMPLE_RATE_HZ, SAMPLES_PER_LATENT, sequence_lengths


@pytest.mark.parametrize(
    ("seconds", "latents", "clip_frames", "sync_tokens", "samples"),
    [
        (2.0, 87, 16, 40, 89_088),
        (4.0, 173, 32, 88, 177_152),
        (5.0, 216, 40, 112, 221_184),
        (8.0, 345, 64, 192, 353_280),
        (9.6, 414, 76, 232, 423_936),
        (10.0, 431, 80, 240, 441_344),
    ],
)
def test_lengths_are_those_of_the_release(seconds, latents, clip_frames, sync_tokens, samples):
    found = sequence_lengths(seconds)
    assert (found.latents, found.clip_frames) == (latents, clip_frames)
    assert (found.sync_tokens, found.samples) == (sync_tokens, samples)


@given(st.floats(1.0, 30.0))
def test_the_codec_makes_at_least_the_requested_length_and_less_than_one_latent_more(seconds):
    wanted = math.floor(seconds * SAMPLE_RATE_HZ)
    assert wanted <= sequence_lengths(seconds).samples <= wanted + SAMPLES_PER_LATENT


@pytest.mark.parametrize("seconds", [0.0, 0.99, 30.01, math.nan])
def test_lengths_outside_the_range_are_refused(seconds):
    with pytest.raises(ValueError, match="1 to 30 s"):
        sequence_lengths(seconds)
