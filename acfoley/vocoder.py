"""BigVGAN v2: log-mel frames to sound, 512 samples each.

A stack of transposed convolutions raises the rate; after each, three residual blocks of different
kernels are averaged. Tensors are named as in ``bigvgan_generator.pt`` once its weight norm is
multiplied out: 122,155,368 values.

A sample depends on 21 frames to either side of its own and on nothing else, so a long sound is made
piece by piece with that much context, of which a level keeps no more than the next ones need:
exactly the same sound in memory that does not grow with its length.

Source: Lee et al., "BigVGAN: A Universal Neural Vocoder with Large-Scale Training", ICLR 2023;
configuration ``nvidia/bigvgan_v2_44khz_128band_512x``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from acfoley.snake import REACH, AntialiasedSnake
from acfoley.vocoder_weights import fuse_weight_norm
from bench.checkpoints.load import assign_state, load_state

KERNEL = 7
#: Frames made at once on a CPU: 3 s of sound, whose context costs a twelfth more work.
CHUNK_FRAMES = 256


@dataclass(frozen=True)
class VocoderParams:
    """Sizes; a level multiplies the rate by its entry of ``rates`` and halves the channels."""

    n_mels: int
    width: int
    rates: tuple[int, ...]
    block_kernels: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def hop_samples(self) -> int:
        """Samples per frame."""
        return math.prod(self.rates)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels before the first level and after each."""
        return tuple(self.width >> number for number in range(len(self.rates) + 1))


VOCODER_44K = VocoderParams(
    n_mels=128, width=1536, rates=(8, 4, 2, 2, 2, 2), block_kernels=(3, 7, 11), dilations=(1, 3, 5)
)


def context_per_level(params: VocoderParams) -> list[int]:
    """How far, in its own samples, each stage's output matters to either side of a sample.

    The first entry is of the mel frames themselves; one entry per level follows.
    """
    widest = max(params.block_kernels)
    block = sum(2 * REACH + (dilation + 1) * (widest // 2) for dilation in params.dilations)
    reaches = [REACH + KERNEL // 2]
    for rate in reversed(params.rates):
        reaches.append(math.ceil((reaches[-1] + block) / rate) + 1)
    reaches[-1] += KERNEL // 2
    return reaches[::-1]


class Vocoder(nn.Module):
    """Log-mel ``[B, n_mels, T]`` to waveforms ``[B, hop_samples * T]`` in [-1, 1]."""

    def __init__(self, params: VocoderParams = VOCODER_44K) -> None:
        super().__init__()
        self.params = params
        self.reaches = context_per_level(params)
        widths = params.widths
        self.conv_pre = nn.Conv1d(params.n_mels, widths[0], KERNEL, padding=KERNEL // 2)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose1d(before, width, 2 * rate, rate, rate // 2))
            for (before, width), rate in zip(pairwise(widths), params.rates, strict=True)
        )
        self.resblocks = nn.ModuleList(
            ResidualBlock(width, kernel, params.dilations)
            for width in widths[1:]
            for kernel in params.block_kernels
        )
        self.activation_post = AntialiasedSnake(widths[-1])
        self.conv_post = nn.Conv1d(widths[-1], 1, KERNEL, padding=KERNEL // 2, bias=False)

    def forward(self, mel: Tensor, context: tuple[int, int] = (0, 0)) -> Tensor:
        """The sound of ``mel``, without its first and last ``context`` frames.

        Those frames are heard in the rest and dropped as soon as nothing depends on them.
        """
        left, right = context
        signal = self.conv_pre(mel)
        n_blocks = len(self.params.block_kernels)
        for number, rate in enumerate(self.params.rates):
            signal = self.ups[number](signal)
            signal = _mean_of(self.resblocks[number * n_blocks : (number + 1) * n_blocks], signal)
            reach = self.reaches[number + 1]
            signal, left, right = _trimmed(signal, left * rate, right * rate, reach)
        signal, *_ = _trimmed(self.conv_post(self.activation_post(signal)), left, right, 0)
        return signal.squeeze(1).clamp(-1, 1)


class ResidualBlock(nn.Module):
    """A dilated and a plain convolution per dilation, each behind its activation."""

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(
            nn.Conv1d(width, width, kernel, dilation=step, padding=step * (kernel // 2))
            for step in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=kernel // 2) for _ in dilations
        )
        self.activations = nn.ModuleList(AntialiasedSnake(width) for _ in range(2 * len(dilations)))

    def forward(self, signal: Tensor) -> Tensor:
        """``signal [B, C, T]`` to as much."""
        acts = zip(self.activations[0::2], self.activations[1::2], strict=True)
        for first, second, (act1, act2) in zip(self.convs1, self.convs2, acts, strict=True):
            signal = signal + second(act2(first(act1(signal))))
        return signal


def load_vocoder(
    checkpoint: Path,
    device: torch.device | str = "cpu",
    params: VocoderParams = VOCODER_44K,
) -> Vocoder:
    """Return the network with the tensors of ``bigvgan_generator.pt``, frozen, on ``device``.

    Raises:
        MissingError: there is no such file.
        BenchError: it is damaged, or its tensors are not those of this vocoder.
    """
    with torch.device("meta"):
        model = Vocoder(params)
    state = fuse_weight_norm(load_state(checkpoint, key="generator"), checkpoint)
    return assign_state(model, state, checkpoint).to(device)


@torch.inference_mode()
def synthesise(model: Vocoder, mel: Tensor, chunk_frames: int | None = CHUNK_FRAMES) -> Tensor:
    """Waveforms ``[B, hop_samples * T]`` of ``mel [B, n_mels, T]``, ``chunk_frames`` at a time.

    The result does not depend on ``chunk_frames`` but for rounding (1e-6); None makes it whole.
    """
    n_frames = mel.shape[-1]
    step = n_frames if chunk_frames is None else chunk_frames
    reach = model.reaches[0]
    pieces = []
    for start in range(0, n_frames, step):
        stop = min(start + step, n_frames)
        left, right = min(reach, start), min(reach, n_frames - stop)
        pieces.append(model(mel[..., start - left : stop + right], (left, right)))
    return torch.cat(pieces, dim=-1)


def _mean_of(blocks: nn.ModuleList, signal: Tensor) -> Tensor:
    total = blocks[0](signal)
    for block in blocks[1:]:
        total += block(signal)
    mean: Tensor = total / len(blocks)
    return mean


def _trimmed(signal: Tensor, left: int, right: int, reach: int) -> tuple[Tensor, int, int]:
    """``signal`` with at most ``reach`` of its ``left`` and ``right`` samples of context."""
    start, stop = max(0, left - reach), signal.shape[-1] - max(0, right - reach)
    return signal[..., start:stop], min(left, reach), min(right, reach)
