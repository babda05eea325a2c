from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from acfoley.codec import Codec, Posterior
from acfoley.codec.autoencoder import Autoencoder, load_autoencoder
from acfoley.codec.autoencoder_layers import Conv, fold_weights
from acfoley.codec.griffin_lim import GriffinLim
from acfoley.codec.mel import MEL_44K, log_mel
from acfoley.codec.vocoder import Vocoder, VocoderParams
from bench.errors import BenchError, MediaError, MissingError
from tests.acfoley.small_codec import SMALL, small_autoencoder


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tones(n_samples: int = 44_032, n_clips: int = 2) -> Tensor:
    """Decaying tones of other pitches in every clip, [B, T]."""
    times = torch.arange(n_samples) / 44_100
    decay = torch.exp(-6 * (times % 0.3))
    pitches = torch.tensor([[220.0 * (clip + 2)] for clip in range(n_clips)])
    return 0.5 * decay * torch.sin(2 * torch.pi * pitches * times)


@pytest.fixture(scope="module")
def small() -> Autoencoder:
    return small_autoencoder(log_mel(tones()))


@pytest.fixture(scope="module")
def codec(small: Autoencoder) -> Codec:
    return Codec(small, GriffinLim())


def test_one_latent_encodes_1024_samples(codec: Codec) -> None:
    posterior = codec.encode(tones(89_088))
    assert posterior.mean.shape == posterior.std.shape == (2, 87, 40)
    assert (posterior.std > 0).all()
    assert codec.decode(posterior.mean).shape == (2, 89_088)
    assert codec.encode(tones(88_200)).mean.shape == (2, 86, 40)  # half a latent is left over
    assert codec.samples_per_latent == 1024
    assert codec.sample_rate_hz == 44_100


def test_clips_do_not_depend_on_their_batch(codec: Codec) -> None:
    together, alone = codec.encode(tones()), codec.encode(tones()[1:])
    assert together.mean[1:].numpy() == pytest.approx(alone.mean.numpy(), abs=1e-4)
    both, one = codec.decode_mel(together.mean), codec.decode_mel(together.mean[1:])
    assert both[1:].numpy() == pytest.approx(one.numpy(), abs=1e-4)
    mel = log_mel(tones())
    both, one = codec.synthesise(mel), codec.synthesise(mel[1:])
    assert both[1:].numpy() == pytest.approx(one.numpy(), abs=1e-3)


@pytest.mark.parametrize("n_samples", [1, 700, 1023])
def test_waveforms_shorter_than_a_latent_are_refused(codec: Codec, n_samples: int) -> None:
    with pytest.raises(MediaError, match=rf"at least 1,024 samples .* has {n_samples:,}"):
        codec.encode(torch.zeros(1, n_samples))
    assert codec.encode(torch.zeros(1, 1024)).mean.shape == (1, 1, 40)


def test_a_posterior_is_sampled_channel_by_channel() -> None:
    mean, std = torch.randn(1, 87, 40, generator=generator(1)), torch.full((1, 87, 40), 0.5)
    noise = torch.randn(1, 40, 87, generator=generator(2))
    sample = Posterior(mean, std).sample(generator(2))
    assert torch.equal(sample, mean + std * noise.transpose(1, 2))


def test_decoding_in_chunks_with_a_vocoder_equals_one_pass(small: Autoencoder) -> None:
    rates = (8, 4, 4, 4)
    vocoder = Vocoder(VocoderParams(128, 16, rates, (3,), (1,))).eval()
    with torch.no_grad():
        for parameter in vocoder.parameters():
            parameter.normal_(std=0.1, generator=generator())
    latents = torch.randn(1, 20, 40, generator=generator())
    pieces = Codec(small, vocoder, chunk_frames=13).decode(latents)
    whole = Codec(small, vocoder, chunk_frames=None).decode(latents)
    assert whole.shape == (1, 20 * 1024)
    assert whole.abs().max() > 1e-3
    assert pieces.numpy() == pytest.approx(whole.numpy(), abs=1e-6)


def test_a_saved_autoencoder_loads_and_gives_the_same(
    small: Autoencoder, codec: Codec, tmp_path: Path
) -> None:
    torch.save(small.state_dict(), tmp_path / "small.pth")
    loaded = Codec(load_autoencoder(tmp_path / "small.pth", params=SMALL), GriffinLim())
    posterior, expected = loaded.encode(tones()), codec.encode(tones())
    assert posterior.mean.numpy() == pytest.approx(expected.mean.numpy(), abs=1e-4)
    with pytest.raises(BenchError, match=r"small\.pth does not fit Autoencoder"):
        load_autoencoder(tmp_path / "small.pth")
    with pytest.raises(MissingError, match="no checkpoint"):
        load_autoencoder(tmp_path / "another.pth")


def test_folding_changes_no_output_and_happens_once() -> None:
    conv = Conv(6, 4, 3)
    torch.nn.init.normal_(conv.weight, std=7.0, generator=generator())
    signal = torch.randn(1, 6, 9, generator=generator(1))
    before = conv(signal)
    fold_weights(conv)
    weight = conv.weight.clone()
    fold_weights(conv)
    assert torch.equal(conv.weight, weight)
    assert conv(signal).detach().numpy() == pytest.approx(before.detach().numpy(), abs=1e-6)
    assert weight.square().sum((1, 2)).detach().numpy() == pytest.approx(1.0, abs=1e-3)


def test_griffin_lim_gives_the_spectrogram_back() -> None:
    """To 2 dB (0.23 neper); bands far below the loudest are left out, where no phase is right."""
    mel = log_mel(tones())
    vocoder = GriffinLim()
    audio = vocoder(mel)
    assert audio.shape == (2, 44_032)
    assert torch.equal(audio, vocoder(mel))
    again = log_mel(audio)
    loud = mel > mel.amax(dim=(1, 2), keepdim=True) - 4
    assert (again - mel)[loud].abs().mean() < 0.23


def test_griffin_lim_keeps_silence_silent() -> None:
    audio = GriffinLim()(torch.full((1, MEL_44K.n_mels, 20), np.log(1e-5)))
    assert audio.abs().max() < 1e-4
