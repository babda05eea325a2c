"""PaSST-S with stride 10: a spectrogram transformer that tags the 527 AudioSet classes.

Features of FD_PaSST, logits of KL_PaSST. Koutini et al., "Efficient Training of Audio Transformers
with Patchout", Interspeech 2022; the reference evaluator calls it through ``hear21passt``. Tensors
are named as in ``passt-s-f128-p16-s10-ap.476-swa.pt``.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.backbones.requirements import import_published
from bench.checkpoints.load import assign_state, load_state
from bench.dsp.mel import check_waveforms, htk_mel_bank, power_spectrogram

SAMPLE_RATE_HZ = 32_000
WIDTH, N_CLASSES = 768, 527

#: Ten seconds, which the table of time positions was trained for. Other lengths are padded.
N_SAMPLES = 10 * SAMPLE_RATE_HZ
PRE_EMPHASIS = 0.97
N_FFT, WINDOW, HOP = 1024, 800, 320
N_MELS, MIN_HZ, MAX_HZ = 128, 0.0, 15_000.0
LOG_OFFSET = 1e-5
MEL_SHIFT, MEL_SCALE = 4.5, 5.0

STRIDE = 10
N_FRAMES = N_SAMPLES // HOP
#: Frames that the network was configured with: they give its 99 time positions.
TRAINED_FRAMES = 998
N_BLOCKS, N_HEADS = 12, 12
#: The classifier of the distillation token, which inference does not use.
UNUSED = ("head_dist.weight", "head_dist.bias")


class FusedAttention(nn.Module):
    """Self-attention of all tokens ``[B, N, 768]`` in one fused kernel.

    Parameters and result are those of ``hear21passt``'s ``Attention``, which writes the 1190 x 1190
    weights of every head to memory: with it, the network takes 1.5 times as long on a CPU
    (``python -m benchmarks.peers --only passt``).
    """

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attend over all tokens, ``[B, N, 768]``."""
        heads = self.qkv(tokens).unflatten(-1, (3, N_HEADS, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(*heads.unbind(0))
        projected: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return projected


class Passt(nn.Module):
    """Log-mel images ``[B, 128, 1000]`` to an embedding ``[B, 768]`` and logits ``[B, 527]``.

    ``network`` is the package's ``PaSST``.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean of the class and distillation tokens, and its logits (no sigmoid)."""
        logits, embedding = self.network(images.unsqueeze(1))
        return embedding, logits


def build_network(*, is_fused: bool = True) -> nn.Module:
    """Return ``hear21passt``'s PaSST-S with stride 10 on the meta device, without weights.

    ``is_fused=False`` keeps the attention of the package: the slow twin that tests compare with.

    Raises:
        MissingError: ``hear21passt`` is not installed.
    """
    published = import_published("hear21passt", "models.passt")
    # Until its first forward pass, the module prints the shape of every intermediate tensor.
    published.first_RUN = False
    norm = partial(nn.LayerNorm, eps=1e-6)
    with torch.device("meta"):
        # The constructor calls ``item()`` on a tensor with one value per block, which a meta tensor
        # does not have. Without blocks no such call is made; they are added afterwards.
        network: Any = published.PaSST(
            stride=STRIDE, distilled=True, img_size=(N_MELS, TRAINED_FRAMES), depth=0
        )
        new_block = partial(published.Block, WIDTH, N_HEADS, qkv_bias=True, norm_layer=norm)
        network.blocks = nn.Sequential(*(new_block() for _ in range(N_BLOCKS)))
        if is_fused:
            for block in network.blocks:
                block.attn = FusedAttention()
    # The network only checks that this second classifier exists.
    network.head_dist = nn.Identity()
    # 998 frames size the table of time positions (99), for which 1000 would be one too many. The
    # images have 1000: the patches are the same, but the package warns of every other width.
    network.patch_embed.img_size = (N_MELS, N_FRAMES)
    built: nn.Module = network
    return built


def load_passt(checkpoint: Path, device: torch.device | str = "cpu") -> Passt:
    """Return the network with the weights of ``checkpoint``, frozen, on ``device``.

    Raises:
        MissingError: ``checkpoint`` does not exist, or ``hear21passt`` is not installed.
        BenchError: its tensors are not those of PaSST-S with stride 10, or it is damaged.
    """
    network = assign_state(build_network(), load_state(checkpoint), checkpoint, optional=UNUSED)
    return Passt(network).eval().to(device)


def front_end(waveforms: Tensor) -> Tensor:
    """Return log-mel images ``[B, 128, 1000]`` of 32 kHz ``waveforms [B, T]``.

    Shorter waveforms are padded with zeros to 10 s. Pre-emphasis x[t + 1] - 0.97 x[t]; centred
    frames of 1024 samples every 320 under a symmetric Hann window of 800; power; 128 Kaldi mel
    bands up to 15 kHz; (ln(x + 1e-5) + 4.5) / 5, which is -1.40259 for silence.

    Raises:
        MediaError: the waveforms are longer than 10 s.
    """
    # Not the package's ``AugmentMelSTFT``: it takes 1.3 times as long, for it computes its filter
    # bank for every batch, draws random numbers, and warns of deprecated calls. The values differ
    # by 3e-5 at most.
    check_waveforms(waveforms, "PaSST", SAMPLE_RATE_HZ, longest=N_SAMPLES)
    padded = functional.pad(waveforms, (0, N_SAMPLES - waveforms.shape[1]))
    emphasised = padded[:, 1:] - PRE_EMPHASIS * padded[:, :-1]
    window = torch.hann_window(WINDOW, periodic=False)
    power = power_spectrogram(emphasised, window, n_fft=N_FFT, hop_samples=HOP)
    bank = torch.from_numpy(htk_mel_bank(N_MELS, N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ))
    mel = bank.T.float().to(waveforms.device) @ power
    return ((mel + LOG_OFFSET).log() + MEL_SHIFT) / MEL_SCALE
