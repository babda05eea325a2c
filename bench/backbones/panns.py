"""PANNs Cnn14 at 16 kHz: a convolutional tagger of the 527 AudioSet classes.

Features of FD_PANNs, logits of KL_PANNs. Kong et al., "PANNs: Large-Scale Pretrained Audio Neural
Networks for Audio Pattern Recognition", 2020. Tensors are named as in ``Cnn14_16k_mAP=0.438.pth``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.checkpoints.load import assign_state, load_state
from bench.dsp.mel import check_waveforms, power_spectrogram, slaney_mel_bank
from bench.errors import BenchError
from bench.types import FloatArray

NAME = "panns"
PREPROCESSING = "1"
SAMPLE_RATE_HZ = 16_000
WIDTH, N_CLASSES = 2048, 527

N_FFT, HOP = 512, 160
N_MELS, MIN_HZ, MAX_HZ = 64, 50.0, 8000.0
POWER_FLOOR = 1e-10
#: Five poolings by two must leave one frame.
SHORTEST = (2**5 - 1) * HOP

#: Constants of the front end that the checkpoint carries along.
FOURIER = (
    "spectrogram_extractor.stft.conv_real.weight",
    "spectrogram_extractor.stft.conv_imag.weight",
)
MEL_BANK = "logmel_extractor.melW"


class ConvBlock(nn.Module):
    """Two convolutions with batch norm, ``[B, n_inputs, T, F]`` to ``[B, n_outputs, T, F]``."""

    def __init__(self, n_inputs: int, n_outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_inputs, n_outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_outputs)
        self.conv2 = nn.Conv2d(n_outputs, n_outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the feature maps, not negative."""
        hidden = self.bn1(self.conv1(maps)).relu()
        result: Tensor = self.bn2(self.conv2(hidden)).relu()
        return result


class Cnn14(nn.Module):
    """Log-mel frames ``[B, T, 64]`` in dB to an embedding ``[B, 2048]`` and logits ``[B, 527]``."""

    def __init__(self) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(N_MELS)
        self.conv_block1 = ConvBlock(1, 64)
        self.conv_block2 = ConvBlock(64, 128)
        self.conv_block3 = ConvBlock(128, 256)
        self.conv_block4 = ConvBlock(256, 512)
        self.conv_block5 = ConvBlock(512, 1024)
        self.conv_block6 = ConvBlock(1024, WIDTH)
        self.fc1 = nn.Linear(WIDTH, WIDTH)
        self.fc_audioset = nn.Linear(WIDTH, N_CLASSES)

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding, after its ReLU, and the logits, before any sigmoid."""
        # Batch norm acts on dimension 1: each mel band has its own statistics.
        maps = self.bn0(log_mel.transpose(1, 2).unsqueeze(-1)).permute(0, 3, 2, 1)
        for block in (
            self.conv_block1,
            self.conv_block2,
            self.conv_block3,
            self.conv_block4,
            self.conv_block5,
        ):
            maps = functional.avg_pool2d(block(maps), 2)
        frames = self.conv_block6(maps).mean(dim=3)
        embedding = self.fc1(frames.amax(dim=2) + frames.mean(dim=2)).relu()
        return embedding, self.fc_audioset(embedding)


def load_panns(checkpoint: Path, device: torch.device | str = "cpu") -> Cnn14:
    """Return the network with the weights of ``checkpoint``, frozen, on ``device``.

    Raises:
        MissingError: there is no such file.
        BenchError: its tensors are not those of Cnn14 at 16 kHz, or it is damaged.
    """
    # Beside the weights lies the state of the training sampler: index arrays of NumPy, which the
    # restricted unpickler takes for code unless told that they are data.
    with torch.serialization.safe_globals(_index_arrays()):
        state = load_state(checkpoint, key="model")
    _check_mel_bank(state, checkpoint)
    with torch.device("meta"):
        model = Cnn14()
    return assign_state(model, state, checkpoint, optional=(*FOURIER, MEL_BANK)).to(device)


def front_end(waveforms: Tensor) -> Tensor:
    """Return log-mel frames ``[B, 1 + T // 160, 64]`` in dB of 16 kHz ``waveforms [B, T]``.

    Centred frames of 512 samples every 160 with mirrored ends, periodic Hann, power, 64 Slaney mel
    bands from 50 to 8000 Hz, 10 log10(max(x, 1e-10)). 8 s give 801 frames.

    Raises:
        MediaError: the sounds are shorter than 0.31 s.
    """
    check_waveforms(waveforms, "PANNs Cnn14", SAMPLE_RATE_HZ, shortest=SHORTEST)
    power = power_spectrogram(waveforms, torch.hann_window(N_FFT), n_fft=N_FFT, hop_samples=HOP)
    bank = torch.from_numpy(_mel_bank()).float().to(waveforms.device)
    return 10 * (power.transpose(1, 2) @ bank).clamp(min=POWER_FLOOR).log10()


@torch.inference_mode()
def embed(model: Cnn14, waveforms: Tensor) -> dict[str, Tensor]:
    """Return ``embedding [B, 2048]`` and ``logits [B, 527]`` of 16 kHz ``waveforms [B, T]``.

    Both are float32 on the CPU; the embedding is not negative.
    """
    device = next(model.parameters()).device
    embedding, logits = model(front_end(waveforms).to(device))
    return {"embedding": embedding.cpu(), "logits": logits.cpu()}


def _mel_bank() -> FloatArray:
    return slaney_mel_bank(N_MELS, N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ)


def _check_mel_bank(state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse the weights for 8 and 32 kHz: only the front end's constants tell them apart."""
    expected = _mel_bank()
    found = state.get(MEL_BANK, torch.empty(0)).numpy()
    if found.shape != expected.shape or not np.allclose(found, expected, atol=1e-4):
        raise BenchError(
            f"{path} is not Cnn14 at 16 kHz: its {MEL_BANK} {list(found.shape)} is not "
            f"the mel bank {list(expected.shape)} of that rate; use Cnn14_16k_mAP=0.438.pth"
        )


def _index_arrays() -> list[Any]:
    """What a pickled int64 array is made of, under the names of NumPy 1 and 2."""
    rebuild = np.empty(0).__reduce__()[0]
    return [
        (rebuild, "numpy.core.multiarray._reconstruct"),
        (rebuild, "numpy._core.multiarray._reconstruct"),
        np.ndarray,
        np.dtype,
        type(np.dtype(np.int64)),
    ]
