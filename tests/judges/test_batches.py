"""Networks with drawn weights answer to a batch what they answer to each clip of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bench.backbones import panns, passt, vggish
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.dsp.mel import slaney_mel_bank
from bench.judges import ClipMedia, open_judge
from bench.judges.batches import stacked, unstacked
from bench.media import write_audio
from bench.types import Audio, Excerpt
from tests.backbones.seeded import drawn_state

NETWORKS: dict[str, type[nn.Module]] = {
    "passt": passt.Passt,
    "panns": panns.Cnn14,
    "vggish": vggish.Vggish,
}


@pytest.fixture
def sounds(tmp_path: Path, rng: np.random.Generator) -> list[Excerpt]:
    """Noise of three loudnesses, 1.5 s each."""
    for number, loudness in enumerate((0.02, 0.1, 0.3)):
        samples = rng.normal(0, loudness, (1, 48_000)).clip(-1, 1).astype(np.float32)
        write_audio(tmp_path / f"{number}.wav", Audio(samples, 32_000))
    return [Excerpt(tmp_path / f"{number}.wav", 0.0, 1.5) for number in range(3)]


def _write_checkpoint(name: str, folder: Path) -> None:
    with torch.device("meta"):
        names = NETWORKS[name]().state_dict()
    state = dict(drawn_state(names))
    if name == "panns":
        band = panns.SAMPLE_RATE_HZ, panns.MIN_HZ, panns.MAX_HZ
        bank = torch.from_numpy(slaney_mel_bank(panns.N_MELS, panns.N_FFT, *band)).float()
        state = {"model": {**state, panns.MEL_BANK: bank}}
    torch.save(state, folder / OFFICIAL_FILES[name].file)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_clip_has_the_same_features_alone_and_in_a_batch(name, sounds, tmp_path):
    _write_checkpoint(name, tmp_path)
    (extractor,) = open_judge("paper", "strict", tmp_path).select([name])
    embed = extractor.open()
    prepared = [extractor.prepare(ClipMedia(audio)) for audio in sounds]
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
    batch = stacked(clips, "x", "cpu")
    assert batch.shape == (4, 2, 3)
    apart = unstacked({"x": batch, "y": batch.sum(dim=(1, 2))})
    for number, clip in enumerate(apart):
        assert np.array_equal(clip["x"], clips[number]["x"])
        assert clip["y"] == 6 * number
        assert clip["x"].base is None


@pytest.mark.gpu
def test_a_gpu_is_given_the_same_numbers():
    clips = [{"x": np.arange(6, dtype=np.float32) + number} for number in range(3)]
    batch = stacked(clips, "x", "cuda")
    assert batch.is_cuda
    assert np.array_equal(batch.cpu().numpy(), np.stack([clip["x"] for clip in clips]))
