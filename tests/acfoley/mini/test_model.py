"""The weights that come with the package: their size, and the quality of their output."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from acfoley.codec.mel import MEL_44K, log_mel
from acfoley.generate import Job, Settings
from acfoley.mini.variants import (
    CODEC,
    VARIANTS,
    open_mini,
    open_mini_codec,
    open_mini_flow,
    weights_path,
)
from bench.media import read_audio
from bench.synthetic.dataset import render_clip
from bench.synthetic.scene import label, make_scene
from bench.types import Excerpt, parse_condition

SPLIT, INDEX = "mini", 7


def test_all_weights_together_are_small_and_open():
    assert sum(weights_path(name).stat().st_size for name in (CODEC, *VARIANTS)) < 40e6
    for variant in VARIANTS:
        assert not open_mini_flow(variant).training


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    render_clip(folder, SPLIT, INDEX)
    return folder / f"{SPLIT}_{INDEX:06d}.mp4"


@pytest.fixture(scope="module")
def mel(clip):
    """The true spectrogram, in bands where there is more than the floor."""
    return spectrogram(read_audio(Excerpt(clip, 0.0, 8.0), mono=True).samples)


def spectrogram(samples):
    return log_mel(torch.from_numpy(samples), MEL_44K)[0].numpy()


def test_the_codec_keeps_the_spectrogram(clip, mel):
    codec = open_mini_codec()
    samples = read_audio(Excerpt(clip, 0.0, 8.0), mono=True).samples
    whole = torch.from_numpy(np.pad(samples, ((0, 0), (0, 353_280 - samples.shape[1]))))
    decoded = codec.decode(codec.encode(whole).mean)[:, : samples.shape[1]].numpy()
    found = spectrogram(decoded)
    assert np.abs(found - mel)[mel > -6].mean() < 0.6


@pytest.mark.slow
def test_the_mini_model_follows_the_video_and_the_reference(clip, mel):
    """One held-out clip: its own reference and sync against none."""
    model = open_mini()
    job = Job(
        seconds=8.0,
        seed=1,
        video=Excerpt(clip, 0.0, 8.0),
        prompt=label(make_scene(SPLIT, INDEX)),
        reference=read_audio(Excerpt(clip, 8.0, 2.0)),
    )

    def made(mask):
        (audio,) = model.generate([job], Settings(mask=parse_condition(mask)))
        return spectrogram(audio.samples)

    def envelopes_agree(one, other):
        return np.corrcoef(one.mean(axis=0), other.mean(axis=0))[0, 1]

    def spectra_differ(one, other):
        return np.abs(one.mean(axis=1) - other.mean(axis=1)).mean()

    full, without_sync, without_audio = made(""), made("sync"), made("audio")
    assert envelopes_agree(full, mel) > 0.6
    assert envelopes_agree(full, mel) > envelopes_agree(without_sync, mel) + 0.2
    assert spectra_differ(full, mel) < spectra_differ(without_audio, mel)
