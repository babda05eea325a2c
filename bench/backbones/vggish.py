"""VGGish: 128 values per 0.96 s of audio, from a VGG network trained on YouTube-8M.

Features of FD_VGG. Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP
2017; the reference evaluator uses the weights of harritaylor/torchvggish without its last ReLU,
its PCA and its quantisation. Tensors are named as in ``vggish-10086976.pth``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.backbones.requirements import import_published
from bench.checkpoints.load import assign_state, load_state
from bench.dsp.mel import check_waveforms

SAMPLE_RATE_HZ = 16_000
WIDTH = 128

WINDOW, HOP = 400, 160
N_MELS, MIN_HZ, MAX_HZ = 64, 125.0, 7500.0
LOG_OFFSET = 0.01
PATCH_FRAMES = 96
SHORTEST = WINDOW + (PATCH_FRAMES - 1) * HOP


class Vggish(nn.Module):
    """Patches ``[B, P, 96, 64]`` of log-mel frames to embeddings ``[B, P, 128]``.

    ``network`` is the package's ``VGG`` without its last ReLU.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, patches: Tensor) -> Tensor:
        """Embed each patch by itself; values have either sign."""
        embeddings: Tensor = self.network(patches.flatten(0, 1).unsqueeze(1))
        return embeddings.view(*patches.shape[:2], WIDTH)


def build_network() -> nn.Module:
    """Return ``torchvggish``'s VGG on the meta device, without weights, PCA and last ReLU.

    Raises:
        MissingError: ``torchvggish`` is not installed.
    """
    # The package's own ``vggish()`` and ``postprocess=True`` download weights.
    published = import_published("torchvggish", "torchvggish")
    with torch.device("meta"):
        network: Any = published.VGG(published.make_layers(), postprocess=False)
    # The reference evaluator removes this ReLU: half of the values it compares are negative.
    del network.embeddings[-1]
    built: nn.Module = network
    return built


def load_vggish(checkpoint: Path, device: torch.device | str = "cpu") -> Vggish:
    """Return the network with the weights of ``checkpoint``, frozen, on ``device``.

    Raises:
        MissingError: ``checkpoint`` does not exist, or ``torchvggish`` is not installed.
        BenchError: its tensors are not those of VGGish, or it is damaged.
    """
    network = assign_state(build_network(), load_state(checkpoint), checkpoint)
    return Vggish(network).eval().to(device)


def front_end(waveforms: Tensor) -> Tensor:
    """Return log-mel patches ``[B, P, 96, 64]`` of 16 kHz ``waveforms [B, T]``.

    Frames of 25 ms every 10 ms without padding at the ends, periodic Hann, magnitude of the
    512-point spectrum, 64 HTK mel bands, ln(x + 0.01), in float64 as in the original. Patches
    follow one another without overlap and what is left over is dropped: 8 s give P = 8.

    Raises:
        MediaError: the waveforms are shorter than 0.975 s, which is one patch.
    """
    check_waveforms(waveforms, "VGGish", SAMPLE_RATE_HZ, shortest=SHORTEST)
    # One module below the package's ``waveform_to_examples``, which imports a resampler as well.
    published = import_published("torchvggish", "mel_features")
    log_mel = partial(
        published.log_mel_spectrogram,
        audio_sample_rate=SAMPLE_RATE_HZ,
        log_offset=LOG_OFFSET,
        window_length_secs=WINDOW / SAMPLE_RATE_HZ,
        hop_length_secs=HOP / SAMPLE_RATE_HZ,
        num_mel_bins=N_MELS,
        lower_edge_hertz=MIN_HZ,
        upper_edge_hertz=MAX_HZ,
    )
    frames = np.stack([log_mel(waveform) for waveform in waveforms.numpy()])
    n_patches = frames.shape[1] // PATCH_FRAMES
    kept = torch.from_numpy(frames[:, : n_patches * PATCH_FRAMES]).float()
    return kept.reshape(len(waveforms), n_patches, PATCH_FRAMES, N_MELS)
