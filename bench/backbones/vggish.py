"""VGGish: 128 numbers per 0.96 s of sound, from a VGG network trained on YouTube-8M.

Features of FD_VGG. Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP
2017; the reference evaluator uses the weights of harritaylor/torchvggish without its last ReLU,
its PCA and its quantisation. Tensors are named as in ``vggish-10086976.pth``.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.checkpoints.load import assign_state, load_state
from bench.dsp.mel import check_waveforms, htk_mel_bank

NAME = "vggish"
PREPROCESSING = "1"
SAMPLE_RATE_HZ = 16_000
WIDTH = 128

WINDOW, HOP, N_FFT = 400, 160, 512
N_MELS, MIN_HZ, MAX_HZ = 64, 125.0, 7500.0
LOG_OFFSET = 0.01
PATCH_FRAMES = 96
SHORTEST = WINDOW + (PATCH_FRAMES - 1) * HOP

POOL = 0
#: Output channels of each convolution, and where the maps are halved.
LAYERS = (64, POOL, 128, POOL, 256, 256, POOL, 512, 512, POOL)
#: What four halvings leave of a patch, times the channels.
FLAT = (PATCH_FRAMES // 16) * (N_MELS // 16) * 512


class Vggish(nn.Module):
    """Patches ``[B, P, 96, 64]`` of log-mel frames to embeddings ``[B, P, 128]``."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_convolutions())
        self.embeddings = nn.Sequential(
            nn.Linear(FLAT, 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, WIDTH),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Embed each patch by itself; values have either sign."""
        maps = self.features(patches.flatten(0, 1).unsqueeze(1))
        # The weights come from TensorFlow, where channels are last.
        flat = maps.permute(0, 2, 3, 1).flatten(1)
        embeddings: Tensor = self.embeddings(flat)
        return embeddings.view(*patches.shape[:2], WIDTH)


def load_vggish(checkpoint: Path, device: torch.device | str = "cpu") -> Vggish:
    """Return the network with the weights of ``checkpoint``, frozen, on ``device``.

    Raises:
        MissingError: there is no such file.
        BenchError: its tensors are not those of VGGish, or it is damaged.
    """
    with torch.device("meta"):
        model = Vggish()
    return assign_state(model, load_state(checkpoint), checkpoint).to(device)


def front_end(waveforms: Tensor) -> Tensor:
    """Return log-mel patches ``[B, P, 96, 64]`` of 16 kHz ``waveforms [B, T]``.

    Frames of 25 ms every 10 ms that lie wholly inside the sound, periodic Hann, magnitude of the
    512-point spectrum, 64 HTK mel bands, ln(x + 0.01), in float64 as in the original. Patches
    follow one another without overlap and what is left over is dropped: 8 s give P = 8.

    Raises:
        MediaError: the sounds are shorter than 0.975 s, which is one patch.
    """
    check_waveforms(waveforms, "VGGish", SAMPLE_RATE_HZ, shortest=SHORTEST)
    window = torch.hann_window(WINDOW, dtype=torch.float64, device=waveforms.device)
    frames = waveforms.double().unfold(-1, WINDOW, HOP) * window
    magnitude = torch.fft.rfft(frames, n=N_FFT).abs()
    bank = torch.from_numpy(htk_mel_bank(N_MELS, N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ))
    log_mel: Tensor = (magnitude @ bank.to(waveforms.device) + LOG_OFFSET).log().float()
    n_patches = log_mel.shape[1] // PATCH_FRAMES
    kept = log_mel[:, : n_patches * PATCH_FRAMES]
    return kept.reshape(len(waveforms), n_patches, PATCH_FRAMES, N_MELS)


@torch.inference_mode()
def embed(model: Vggish, waveforms: Tensor) -> dict[str, Tensor]:
    """Return ``embedding [B, P, 128]``, float32 on the CPU, of 16 kHz ``waveforms [B, T]``."""
    device = next(model.parameters()).device
    return {"embedding": model(front_end(waveforms).to(device)).cpu()}


def _convolutions() -> list[nn.Module]:
    modules: list[nn.Module] = []
    n_inputs = 1
    for n_outputs in LAYERS:
        if n_outputs == POOL:
            modules.append(nn.MaxPool2d(2))
        else:
            modules += [nn.Conv2d(n_inputs, n_outputs, 3, padding=1), nn.ReLU()]
            n_inputs = n_outputs
    return modules
