"""Features of real files: targets, references, video, and silence."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from acfoley.codec import Posterior
from acfoley.encoders.encoders import prepare_reference
from acfoley.train.clips import CropLayout, TrainingClip
from acfoley.train.features import (
    Encoding,
    Source,
    build_encoding,
    embedding_column,
    encode_clip,
)
from bench.errors import MediaError
from bench.media import write_audio
from bench.types import Audio, Excerpt

LAYOUT = CropLayout(1.0, 1.0)
RATE_HZ = 44_100


class MeanCodec:
    """Latents are the means of 1,024 samples, which shows where they come from."""

    def encode(self, waveforms):
        frames = waveforms[:, : waveforms.shape[1] // 1024 * 1024].unflatten(1, (-1, 1024))
        mean = frames.mean(dim=2, keepdim=True)
        return Posterior(mean, torch.zeros_like(mean))


ENCODERS = SimpleNamespace(
    video=lambda video, seconds: torch.zeros(int(8 * seconds), 6),
    sync_features=lambda video, seconds: torch.zeros(16, 5) + 25 * seconds,
    prompts=lambda prompts: SimpleNamespace(
        features=torch.full((1, 77, 3), len(prompts[0])), messages=("its end was cut",)
    ),
)


def encoding(n_crops=3):
    return build_encoding(ENCODERS, MeanCodec(), n_crops, "m", is_embedded=False)


def audio(tmp_path, samples, name="a.wav"):
    write_audio(tmp_path / name, Audio(np.float32(samples)[np.newaxis], RATE_HZ))
    return TrainingClip("a", Excerpt(tmp_path / name))


def ramp(n_samples):
    """Audio whose values identify their positions."""
    return np.linspace(0.1, 0.5, n_samples, dtype=np.float32)


def test_audio_that_ends_a_little_early_is_filled_with_zeros(tmp_path):
    needed, early = 45_056, round(0.05 * RATE_HZ)
    target = Source(audio(tmp_path, ramp(needed - early)), LAYOUT).target
    assert target.shape == (needed,)
    assert not target[-early:].any()
    assert target[: needed - early].all()
    listed = TrainingClip("a", Excerpt(tmp_path / "a.wav", 0.0, (needed + early) / RATE_HZ))
    assert Source(listed, LAYOUT).waveform.shape == (needed + early,)
    with pytest.raises(MediaError, match="the target alone needs"):
        _ = Source(audio(tmp_path, ramp(needed - 3 * early)), LAYOUT).target


def test_target_and_references_are_cut_at_the_right_samples(tmp_path):
    clip = audio(tmp_path, ramp(88_200))
    source = Source(clip, LAYOUT)
    whole = 0.95 / 0.5 * ramp(88_200)
    np.testing.assert_allclose(source.waveform, whole, rtol=1e-6)
    np.testing.assert_array_equal(source.target, source.waveform[:45_056])
    made = encode_clip(encoding(), clip, LAYOUT)
    assert {name: array.shape for name, array in made.items()} == {
        "target.mean": (44, 1),
        "target.std": (44, 1),
        "inside.mean": (3, 87, 1),
        "inside.std": (3, 87, 1),
        "after.mean": (87, 1),
        "after.std": (87, 1),
    }
    cut = Audio(whole[np.newaxis, 45_056:], RATE_HZ)
    expected = MeanCodec().encode(torch.from_numpy(prepare_reference(cut))[None]).mean[0]
    np.testing.assert_allclose(made["after.mean"], expected.numpy(), rtol=1e-6)


def test_references_from_inside_differ_and_contain_nothing_beyond_the_target(tmp_path):
    samples = np.concatenate([np.full(45_056, 0.1), np.full(43_144, -0.4)])
    made = encode_clip(encoding(8), audio(tmp_path, samples), LAYOUT)
    assert made["inside.mean"].min() >= 0
    assert made["after.mean"].max() <= 0
    varied = encode_clip(encoding(8), audio(tmp_path, ramp(88_200), "b.wav"), LAYOUT)
    assert len({array.tobytes() for array in varied["inside.mean"]}) > 4


def test_a_silent_rest_is_no_reference_and_a_silent_clip_is_refused(tmp_path):
    half = np.concatenate([ramp(45_056), np.zeros(43_144)])
    assert "after.mean" not in encode_clip(encoding(), audio(tmp_path, half), LAYOUT)
    with pytest.raises(MediaError, match="is silent: nothing to learn"):
        encode_clip(encoding(), audio(tmp_path, np.zeros(88_200), "s.wav"), LAYOUT)
    with pytest.raises(MediaError, match="the target alone needs"):
        encode_clip(encoding(), audio(tmp_path, ramp(40_000), "short.wav"), LAYOUT)


def test_each_reference_has_one_embedding(tmp_path):
    column = embedding_column(lambda waveform: waveform[:512] * 0 + waveform.max(), 3)
    made = encode_clip(
        Encoding("m", {"clap": column}, lambda: np.zeros(1)), audio(tmp_path, ramp(88_200)), LAYOUT
    )
    assert made["inside.embedding"].shape == (3, 1, 512)
    assert made["after.embedding"].shape == (1, 512)
    np.testing.assert_allclose(made["after.embedding"], 0.95, rtol=1e-6)


def test_video_and_prompt_are_encoded(clicks_folder, caplog):
    excerpt = Excerpt(clicks_folder / "clip_000000.mp4")
    clip = TrainingClip("clip_000000", excerpt, excerpt, "a click")
    with caplog.at_level(logging.WARNING):
        made = encode_clip(encoding(), clip, LAYOUT)
    assert "clip_000000: its end was cut" in caplog.text
    assert made["video"].shape == (8, 6)
    assert (made["sync"] == 25).all()
    assert (made["text"] == len("a click")).all()
    assert {"target.mean", "inside.mean", "after.mean"} <= set(made)
