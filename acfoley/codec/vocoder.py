"""BigVGAN v2: log-mel frames to a waveform, 512 samples each.

A stack of transposed convolutions raises the rate; after each, three residual blocks of different
kernels are averaged. Tensors are named as in ``bigvgan_generator.pt`` once its weight norm is
multiplied out: 122,155,368 values.

A sample depends on 21 frames to either side of its own and on nothing else, so that long audio is
computed in chunks with that much context: the same samples in memory that does not grow with the
length.

Source: Lee et al., "BigVGAN: A Universal Neural Vocoder with Large-Scale Training", ICLR 2023;
configuration ``nvidia/bigvgan_v2_44khz_128band_512x``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from acfoley.codec.snake import N_TAPS, REACH, AntialiasedSnake, lowpass_taps
from bench.checkpoints.load import assign_state, load_state
from bench.errors import BenchError

KERNEL = 7
#: Frames of a chunk on a CPU: 3 s of audio, whose context costs a sixth more work.
CHUNK_FRAMES = 256

# The file stores weight normalisation, w = g v / |v| with the norm over all axes but the first, as
# ``weight_g`` and ``weight_v`` (newer torch: ``parametrizations.weight.original0`` and
# ``original1``), and repeats the anti-aliasing filter, a constant, 218 times.
#: Suffixes of magnitude g and direction v: in the official file, and in files of newer torch.
PAIRS = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)
FILTER = ".filter"
FILTER_TOLERANCE = 1e-5


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


def context_frames(params: VocoderParams) -> int:
    """Return how many mel frames to either side of its own a sample depends on."""
    # Backwards from the output: a level whose output matters up to r samples away needs (r + b) / u
    # samples of its input, where b is the reach of its widest residual block and u the factor of
    # its transposed convolution, which has 2 u taps and thus reaches one sample further.
    widest = max(params.block_kernels)
    block = sum(2 * REACH + (dilation + 1) * (widest // 2) for dilation in params.dilations)
    reach = REACH + KERNEL // 2
    for rate in reversed(params.rates):
        reach = math.ceil((reach + block) / rate) + 1
    return reach + KERNEL // 2


class Vocoder(nn.Module):
    """Log-mel ``[B, n_mels, T]`` to waveforms ``[B, hop_samples * T]`` in [-1, 1]."""

    def __init__(self, params: VocoderParams = VOCODER_44K) -> None:
        super().__init__()
        self.params = params
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

    def forward(self, mel: Tensor) -> Tensor:
        """Synthesise the waveforms of ``mel``."""
        signal = self.conv_pre(mel)
        n_blocks = len(self.params.block_kernels)
        for number, upsample in enumerate(self.ups):
            signal = upsample(signal)
            blocks = self.resblocks[number * n_blocks : (number + 1) * n_blocks]
            total = blocks[0](signal)
            for block in blocks[1:]:
                total += block(signal)
            signal = total / n_blocks
        signal = self.conv_post(self.activation_post(signal))
        waveforms: Tensor = signal.squeeze(1).clamp(-1, 1)
        return waveforms


class ResidualBlock(nn.Module):
    """Per dilation a dilated and a plain convolution, each after an activation, around a skip."""

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
        """``signal [B, C, T]`` to the same shape."""
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


def fuse_weight_norm(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return the tensors of ``state`` without filters and with weight normalisation fused.

    Weights that were fused before pass unchanged. ``path`` is for the refusal.

    Raises:
        BenchError: half of a pair is missing, or a filter is not the one that the vocoder computes.
    """
    plain: dict[str, Tensor] = {}
    taps = torch.tensor(lowpass_taps())
    for name, tensor in state.items():
        if name.endswith(FILTER):
            # The vocoder computes its filter, so a file made with another one would give wrong
            # audio and no error.
            if tensor.shape != (1, 1, N_TAPS) or not torch.allclose(
                tensor.flatten().float(), taps, rtol=0, atol=FILTER_TOLERANCE
            ):
                raise BenchError(
                    f"{path}: {name} is not the low-pass of BigVGAN v2 with {N_TAPS} taps"
                )
            continue
        pair = next((pair for pair in PAIRS if name.endswith(pair)), None)
        if pair is None:
            plain[name] = tensor
            continue
        stem = name.removesuffix(pair[0]).removesuffix(pair[1])
        # A pair is met twice, by either half: the direction's turn writes the weight.
        if name.endswith(pair[1]):
            plain[f"{stem}.weight"] = _fuse(state, stem, pair, path)
        elif stem + pair[1] not in state:
            raise BenchError(f"{path} has {name} without {stem + pair[1]}: it is half a checkpoint")
    return plain


def _fuse(state: Mapping[str, Tensor], stem: str, pair: tuple[str, str], path: Path) -> Tensor:
    magnitude, direction = state.get(stem + pair[0]), state[stem + pair[1]]
    expected = (len(direction), *[1] * (direction.ndim - 1))
    if magnitude is None or magnitude.shape != expected:
        raise BenchError(
            f"{path} has {stem + pair[1]} {list(direction.shape)} without a {stem + pair[0]} "
            f"{list(expected)}: it is no complete checkpoint of this vocoder"
        )
    axes = tuple(range(1, direction.ndim))
    norm: Tensor = torch.linalg.vector_norm(direction, dim=axes, keepdim=True)
    return magnitude * direction / norm


@torch.inference_mode()
def synthesise(model: Vocoder, mel: Tensor, chunk_frames: int | None = CHUNK_FRAMES) -> Tensor:
    """Waveforms ``[B, hop_samples * T]`` of ``mel [B, n_mels, T]``, ``chunk_frames`` at a time.

    The result does not depend on ``chunk_frames`` but for rounding (1e-6); None is all at once.
    """
    n_frames, hop = mel.shape[-1], model.params.hop_samples
    step = n_frames if chunk_frames is None else chunk_frames
    reach = context_frames(model.params)
    chunks = []
    for start in range(0, n_frames, step):
        stop = min(start + step, n_frames)
        first, last = max(0, start - reach), min(n_frames, stop + reach)
        waveforms = model(mel[..., first:last])
        chunks.append(waveforms[:, (start - first) * hop : (stop - first) * hop])
    return torch.cat(chunks, dim=-1)
