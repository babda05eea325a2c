"""PANNs Cnn14 at 16 kHz: a convolutional tagger of the 527 AudioSet classes.

Features of FD_PANNs, logits of KL_PANNs. Kong et al., "PANNs: Large-Scale Pretrained Audio Neural
Networks for Audio Pattern Recognition", 2020. Tensors are named as in ``Cnn14_16k_mAP=0.438.pth``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench._numba import load_librosa
from bench.backbones.requirements import import_published
from bench.checkpoints.load import assign_state, load_state, numpy_types
from bench.dsp.mel import check_waveforms, power_spectrogram, slaney_mel_bank
from bench.errors import BenchError
from bench.types import FloatArray

SAMPLE_RATE_HZ = 16_000
WIDTH, N_CLASSES = 2048, 527

N_FFT, HOP = 512, 160
N_MELS, MIN_HZ, MAX_HZ = 64, 50.0, 8000.0
POWER_FLOOR = 1e-10
#: Five poolings by two have to leave one frame.
SHORTEST = (2**5 - 1) * HOP

#: Constants of the package's front end, which the checkpoint stores as well.
FOURIER = (
    "spectrogram_extractor.stft.conv_real.weight",
    "spectrogram_extractor.stft.conv_imag.weight",
)
MEL_BANK = "logmel_extractor.melW"


class Cnn14(nn.Module):
    """Log-mel frames ``[B, T, 64]`` in dB to an embedding ``[B, 2048]`` and logits ``[B, 527]``.

    ``network`` is the package's ``Cnn14`` without its front end.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding (after its ReLU) and the logits (before the sigmoid)."""
        embedding = self.network(log_mel.unsqueeze(1))["embedding"]
        # The package returns probabilities, whose logit is inexact near 0 and 1 in float32. Calling
        # the last layer again gives the exact logits for a thousandth of the time.
        return embedding, self.network.fc_audioset(embedding)


def build_network() -> nn.Module:
    """Return ``panns_inference``'s Cnn14 on the meta device, without weights and front end.

    Raises:
        MissingError: ``panns-inference`` is not installed.
    """
    # The package imports torchlibrosa, which imports librosa: not before its cache is complete.
    load_librosa()
    published = import_published("panns_inference", "models")
    # The front end runs in the threads that prepare clips, by FFT: see ``front_end``.
    published.Spectrogram = published.LogmelFilterBank = nn.Identity
    with torch.device("meta"):
        network: Any = published.Cnn14(
            SAMPLE_RATE_HZ, N_FFT, HOP, N_MELS, MIN_HZ, MAX_HZ, N_CLASSES
        )
    built: nn.Module = network
    return built


def load_panns(checkpoint: Path, device: torch.device | str = "cpu") -> Cnn14:
    """Return the network with the weights of ``checkpoint``, frozen, on ``device``.

    Raises:
        MissingError: ``checkpoint`` does not exist, or ``panns-inference`` is not installed.
        BenchError: its tensors are not those of Cnn14 at 16 kHz, or it is damaged.
    """
    # The file also stores the state of the training sampler: index arrays of NumPy.
    with torch.serialization.safe_globals(numpy_types()):
        state = load_state(checkpoint, key="model")
    # The weights for 8 and 32 kHz differ in the front end's constants alone.
    expected, found = _mel_bank(), state.get(MEL_BANK, torch.empty(0)).numpy()
    if found.shape != expected.shape or not np.allclose(found, expected, atol=1e-4):
        raise BenchError(
            f"{checkpoint} is not Cnn14 at 16 kHz: its {MEL_BANK} {list(found.shape)} is not "
            f"the mel bank {list(expected.shape)} of that rate; use Cnn14_16k_mAP=0.438.pth"
        )
    network = assign_state(build_network(), state, checkpoint, optional=(*FOURIER, MEL_BANK))
    return Cnn14(network).eval().to(device)


def front_end(waveforms: Tensor) -> Tensor:
    """Return log-mel frames ``[B, 1 + T // 160, 64]`` in dB of 16 kHz ``waveforms [B, T]``.

    Centred frames of 512 samples every 160 with mirrored ends, periodic Hann, power, 64 Slaney mel
    bands from 50 to 8000 Hz, 10 log10(max(x, 1e-10)). 8 s give 801 frames.

    Raises:
        MediaError: the waveforms are shorter than 0.31 s.
    """
    # Not torchlibrosa, whose Fourier transform is a convolution: it takes 1.9 times as long. The
    # values differ by 2e-5 dB at most.
    check_waveforms(waveforms, "PANNs Cnn14", SAMPLE_RATE_HZ, shortest=SHORTEST)
    power = power_spectrogram(waveforms, torch.hann_window(N_FFT), n_fft=N_FFT, hop_samples=HOP)
    bank = torch.from_numpy(_mel_bank()).float().to(waveforms.device)
    return 10 * (power.transpose(1, 2) @ bank).clamp(min=POWER_FLOOR).log10()


def _mel_bank() -> FloatArray:
    return slaney_mel_bank(N_MELS, N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ)
