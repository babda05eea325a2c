"""A small model with its own encoders, from real files to generated audio."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from acfoley.codec import Codec
from acfoley.codec.griffin_lim import GriffinLim
from acfoley.codec.mel import log_mel
from acfoley.network.conditions import Features
from acfoley.network.weights import open_flow
from acfoley.sampling import euler
from acfoley.train.clips import ClipList, CropLayout, TrainingClip
from acfoley.train.dataset import FeatureDataset
from acfoley.train.ema import synthesise
from acfoley.train.features import Encoding, codec_columns
from acfoley.train.loop import TrainingData, TrainingSettings, train
from acfoley.train.precompute import precompute
from acfoley.train.recipe import RECIPES, Schedule, Stage
from bench.media import read_audio, read_frames
from bench.types import Excerpt
from tests.acfoley.small_codec import small_autoencoder

pytestmark = pytest.mark.slow


def random_codec(path):
    """The small codec with random weights, and the statistics of one waveform."""
    audio = torch.from_numpy(read_audio(Excerpt(path), mono=True).samples)
    return Codec(small_autoencoder(log_mel(audio)), GriffinLim())


def brightness_column(name, fps, n_tokens, width):
    """The brightness of frames, repeated."""

    def column(source):
        excerpt = replace(source.clip.video, seconds=source.layout.seconds)
        pixels = read_frames(excerpt, fps, short_side=16).pixels
        brightness = pixels.mean(axis=(1, 2, 3), dtype=np.float32) / 255
        places = np.arange(n_tokens) * len(brightness) // n_tokens
        return {name: np.repeat(brightness[places, np.newaxis], width, axis=1)}

    return column


def test_a_small_model_is_trained_from_files_and_generates_audio(clicks_folder, tmp_path):
    codec = random_codec(clicks_folder / "clip_000000.mp4")
    encoding = Encoding(
        identity="brightness",
        columns={
            **codec_columns(codec, n_crops=2),
            "video": brightness_column("video", 8, 64, 3),
            "sync": brightness_column("sync", 25, 192, 4),
            "text": lambda source: {"text": np.ones((77, 5), np.float32)},
        },
        empty_text=lambda: np.zeros((77, 5), np.float32),
    )
    excerpts = [Excerpt(path) for path in sorted(clicks_folder.glob("*.mp4"))]
    clips = tuple(TrainingClip(e.path.stem, e, e, "click", 0.9) for e in excerpts)
    folder, run = tmp_path / "features", tmp_path / "run"
    assert precompute(ClipList(clips), encoding, folder, CropLayout()).n_encoded == 3
    shapes = FeatureDataset([folder]).shapes
    assert shapes["target.mean"] == (345, 40)
    assert shapes["inside.mean"] == (2, 87, 40)
    assert shapes["after.mean"] == (87, 40)

    mini = RECIPES["mini"]
    params = replace(mini.params, clip_width=3, sync_width=4, text_width=5)
    recipe = replace(
        mini,
        params=params,
        stages=(Stage("overlap", 2, "inside"), Stage("finetune", 2, "after", 0.3)),
        schedule=Schedule(1e-3, 1, ()),
        batch_size=2,
    )
    train(recipe, TrainingData([folder], [folder]), run, TrainingSettings(validate_every=2))
    synthesise(run, 0.05, run / "weights.safetensors")

    network, lengths = open_flow(run / "weights.safetensors", params), CropLayout().lengths
    with torch.inference_mode():
        conditions = network.conditions(Features(text=torch.ones(1, 77, 5)), lengths)
        latents = euler(
            lambda latents, times: network(latents, times, conditions),
            torch.randn(1, lengths.latents, 40),
            n_steps=2,
        )
        audio = codec.decode(network.denormalise(latents))
    assert audio.shape == (1, lengths.samples)
    assert audio.isfinite().all()
