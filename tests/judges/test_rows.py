"""Networks with random weights give the same features for a batch and for each clip alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backbones import panns, passt, vggish
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.dsp.mel import slaney_mel_bank
from bench.judges import ClipMedia, open_judge
from bench.judges.rows import split_batch, stack_batch
from bench.media import write_audio
from bench.types import Audio, Excerpt
from tests.backbones.seeded import drawn_state

NETWORKS = {"passt": passt, "panns": panns, "vggish": vggish}


@pytest.fixture
def excerpts(tmp_path: Path, rng: np.random.Generator) -> list[Excerpt]:
    """Noise of three loudnesses, 1.5 s each."""
    for number, loudness in enumerate((0.02, 0.1, 0.3)):
        samples = rng.normal(0, loudness, (1, 48_000)).clip(-1, 1).astype(np.float32)
        write_audio(tmp_path / f"{number}.wav", Audio(samples, 32_000))
    return [Excerpt(tmp_path / f"{number}.wav", 0.0, 1.5) for number in range(3)]


def _write_checkpoint(name: str, folder: Path) -> None:
    state = dict(drawn_state(NETWORKS[name].build_network().state_dict()))
    if name == "panns":
        band = panns.SAMPLE_RATE_HZ, panns.MIN_HZ, panns.MAX_HZ
        bank = torch.from_numpy(slaney_mel_bank(panns.N_MELS, panns.N_FFT, *band)).float()
        state = {"model": {**state, panns.MEL_BANK: bank}}
    torch.save(state, folder / OFFICIAL_FILES[name].file)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_clip_has_the_same_features_alone_and_in_a_batch(name, excerpts, tmp_path):
    _write_checkpoint(name, tmp_path)
    (extractor,) = open_judge("paper", "strict", tmp_path).select([name])
    embed = extractor.open()
    prepared = [extractor.prepare(ClipMedia(audio)) for audio in excerpts]
    together = embed(prepared)
    for given, answer in zip(prepared, together, strict=True):
        (alone,) = embed([given])
        assert alone.keys() == answer.keys()
        for feature in alone:
            scale = np.abs(alone[feature]).max()
            np.testing.assert_allclose(answer[feature], alone[feature], rtol=0, atol=1e-5 * scale)
    assert not np.allclose(together[0]["embedding"], together[1]["embedding"], rtol=1e-2)


def test_a_batch_is_stacked_and_taken_apart_again():
    clips = [{"x": np.full((2, 3), number, np.float32)} for number in range(4)]
    batch = stack_batch(clips, "x", "cpu")
    assert batch.shape == (4, 2, 3)
    apart = split_batch({"x": batch, "y": batch.sum(dim=(1, 2))})
    for number, clip in enumerate(apart):
        assert np.array_equal(clip["x"], clips[number]["x"])
        assert clip["y"] == 6 * number
        assert clip["x"].base is None


@pytest.mark.gpu
def test_a_gpu_gets_the_same_numbers():
    clips = [{"x": np.arange(6, dtype=np.float32) + number} for number in range(3)]
    batch = stack_batch(clips, "x", "cuda")
    assert batch.is_cuda
    assert np.array_equal(batch.cpu().numpy(), np.stack([clip["x"] for clip in clips]))
