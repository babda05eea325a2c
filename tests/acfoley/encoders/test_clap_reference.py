"""References encoded by CLAP, for the preset mmaudio_clap and its training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import acfoley.loading
from acfoley.encoders import Encoders
from acfoley.encoders.encoders import prepare_reference
from acfoley.generate import Job, Settings
from acfoley.loading import Loading, open_model
from acfoley.official import Paths, require_clap
from acfoley.params import CLAP_REFERENCE
from acfoley.train import features
from acfoley.train.clips import CropLayout, TrainingClip
from acfoley.train.features import encode_clip
from bench.backbones import clap
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.errors import BenchError, MissingError
from bench.media import resample, write_audio
from bench.types import Audio, Excerpt
from tests.acfoley.fakes import FakeCodec, fake_model, work_of
from tests.acfoley.seeded import NARROW

CLAP_FILE = OFFICIAL_FILES["clap"].file


class AudioTower(nn.Module):
    """A fake of CLAP's audio tower: the level of each eighth of the time in each band."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()), requires_grad=False)

    def forward(self, input_features: Tensor) -> SimpleNamespace:
        """``[B, 1, 1001, 64]`` dB to ``[B, 512]``."""
        eighths = input_features[:, 0, :1000].unflatten(1, (8, 125)).mean(dim=2)
        return SimpleNamespace(audio_embeds=self.gain * (eighths.flatten(1) + 100))


def noise(seed: int, seconds: float) -> Audio:
    samples = np.random.default_rng(seed).normal(0, 0.1, (1, round(44_100 * seconds)))
    return Audio(samples.clip(-1, 1).astype(np.float32), 44_100)


@pytest.fixture
def encoders() -> Encoders:
    return Encoders(nn.Identity(), nn.Identity(), AudioTower())


def test_clap_encodes_a_reference_at_48_khz_as_one_vector_of_length_1(encoders):
    waveform = prepare_reference(noise(0, 1.5))
    found = encoders.embedding(waveform)
    encoded = torch.from_numpy(resample(waveform, 44_100, 48_000, "soxr_hq"))[None]
    expected = clap.embed_audio(AudioTower(), clap.front_end(encoded))["embedding"][0]
    assert found.shape == (512,)
    assert float(found.norm()) == pytest.approx(1.0, abs=1e-6)
    assert torch.equal(found, expected)
    assert not torch.allclose(found, encoders.embedding(prepare_reference(noise(1, 0.5))))


def test_encoders_move_together_and_refuse_an_embedding_without_clap(encoders):
    assert encoders.to("meta").clap.gain.is_meta
    with pytest.raises(BenchError, match="these encoders have no CLAP"):
        Encoders(nn.Identity(), nn.Identity()).to("cpu").embedding(np.zeros(4, np.float32))


def test_a_network_with_clap_references_computes_the_embedding_once():
    model = fake_model(replace(NARROW, reference=CLAP_REFERENCE))
    job, settings = Job(seconds=1.5, seed=3, reference=noise(0, 1.0)), Settings(n_steps=2)
    (first,) = model.generate([job], settings)
    (again,) = model.generate([job], settings)
    (other,) = model.generate([replace(job, reference=noise(1, 1.0))], settings)
    assert work_of(model)["embedding"] == 2
    assert work_of(model)["encode"] == 0
    assert np.array_equal(first.samples, again.samples)
    assert not np.allclose(first.samples, other.samples, atol=1e-4)


def test_clap_is_required_before_anything_is_loaded(home, tmp_path, monkeypatch):
    paths = Paths(*(tmp_path / name for name in "favcs"))
    monkeypatch.setattr(acfoley.loading, "require_official", lambda *_, **__: paths)
    monkeypatch.setattr(clap, "find_spec", lambda name: None)
    for match in (
        r"pip install 'foley-bench\[clap\]'",
        r"has no music_speech.*`bench weights fetch",
    ):
        with pytest.raises(MissingError, match=match):
            open_model("mmaudio_clap", tmp_path, Loading(flow=tmp_path / "mine.safetensors"))
        monkeypatch.setattr(clap, "find_spec", lambda name: name)


def test_a_file_that_is_not_the_official_clap_is_refused(home, tmp_path, monkeypatch):
    monkeypatch.setattr(clap, "find_spec", lambda name: name)
    (tmp_path / CLAP_FILE).write_bytes(b"x")
    with pytest.raises(BenchError, match="is truncated: 1 of 2,352,471,003 bytes"):
        require_clap(tmp_path)


def test_references_of_training_are_embedded_as_those_of_users_are(tmp_path, monkeypatch, encoders):
    paths = Paths(*(tmp_path / name for name in "favcs"))
    monkeypatch.setattr(features, "require_official", lambda *_, **__: paths)
    monkeypatch.setattr(features, "require_clap", lambda directory: directory / CLAP_FILE)
    monkeypatch.setattr(features, "load_autoencoder", lambda *_: None)
    monkeypatch.setattr(features, "Codec", lambda *_: FakeCodec())
    asked: list[Path | None] = []

    def load_encoders(*_: object, clap: Path | None) -> Encoders:
        asked.append(clap)
        return encoders

    monkeypatch.setattr(features, "load_encoders", load_encoders)
    plain = features.open_published(tmp_path, n_crops=2)
    encoded = features.open_published(tmp_path, n_crops=2, has_clap=True)
    assert asked == [None, tmp_path / CLAP_FILE]
    assert plain.identity != encoded.identity
    assert set(encoded.columns) - set(plain.columns) == {"embedding"}

    audio = noise(2, 4.5)
    write_audio(tmp_path / "a.wav", audio)
    clip = TrainingClip("a", Excerpt(tmp_path / "a.wav"))
    made = encode_clip(
        replace(encoded, columns={"embedding": encoded.columns["embedding"]}), clip, CropLayout(2.0)
    )
    assert made["inside.embedding"].shape == (2, 1, 512)
    assert made["after.embedding"].shape == (1, 512)
    after = CropLayout(2.0).after(audio.samples.shape[1])
    assert after is not None
    cut = Audio(audio.samples[:, after.start : after.stop], 44_100)
    expected = encoders.embedding(prepare_reference(cut)).numpy()
    np.testing.assert_allclose(made["after.embedding"][0], expected, atol=2e-4)
