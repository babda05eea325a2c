"""The encoders of the mini model, in the roles of CLIP, Synchformer and CLAP.

Video and audio are encoded by three small networks; the prompt has a fixed random vector per word,
whose meaning the flow network learns. The networks were trained on the mini world and come with the
package in half precision. Their weights are copies of those of the small judges ImageBind
(``video-encoder``, ``audio-encoder``) and Synchformer (``motion-encoder``), so that the mini judge
favours this model in IB and DeSync; every table with its numbers has that caveat.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from acfoley.encoders import PromptFeatures
from acfoley.mini.variants import ENCODER_FILES, load_weights
from acfoley.params import (
    CLIP_FPS,
    MINI_TEXT_WIDTH,
    SAMPLE_RATE_HZ,
    SYNC_FPS,
    TEXT_TOKENS,
    count_sync_tokens,
)
from bench.dsp.mel import power_spectrogram, slaney_mel_bank
from bench.media import center_crop, read_frames, resample
from bench.seeds import stable_seed
from bench.types import MAX_SHORTFALL_S, Excerpt, Pixels, Waveform

#: Height and width of the frames that both video networks take.
SIDE_PIXELS = 64
ENCODER_RATE_HZ = 16_000
WIDTH = 64

N_FFT, HOP_SAMPLES, N_MELS = 512, 320, 64
MIN_HZ, MAX_HZ = 50.0, 8_000.0
#: Power of a band below which codecs leave nothing of a signal; a full-scale sine has a quarter.
POWER_FLOOR = 3e-8
#: Brings the log10 of powers near to mean 0 and unit variance.
CENTRE, SPREAD = -5.0, 1.5


class VideoEncoder(nn.Module):
    """Frames ``[B, F, 64, 64, 3]`` uint8 to features ``[B, F, 64]``, each frame by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_block(3, 16, 5, 2),
            *_block(16, 32, 3, 2),
            *_block(32, 64, 3, 2),
            *_block(64, 96, 3, 2),
        )
        self.head = nn.Sequential(nn.Linear(96 * 16, 128), nn.ReLU(), nn.Linear(128, WIDTH))

    def forward(self, frames: Tensor) -> Tensor:
        """Encode ``frames``."""
        pixels = frames.flatten(0, 1).movedim(-1, 1).float() / 127.5 - 1.0
        features: Tensor = self.head(self.convolutions(pixels).flatten(1))
        return features.view(*frames.shape[:2], -1)


class MotionEncoder(nn.Module):
    """Grey frames ``[B, F, 64, 64]`` uint8 at 25 fps to features ``[B, F, 96]``.

    Of these 64 describe a frame and its change from the one before and to the next, 32 the frames
    within 6 of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Sequential(
            nn.Conv2d(3, 16, 8, stride=4, padding=2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            *_block(16, 32, 3, 2),
            *_block(32, 48, 3, 2),
            nn.Flatten(),
            nn.Linear(48 * 16, 64),
        )
        # Three kernels of 5 frames reach 3 * 2 = 6 frames to each side.
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(64), nn.GELU(), nn.Conv1d(64, 64, 5, padding=2))
            for _ in range(3)
        )
        self.out = nn.Linear(64, 32)

    def forward(self, grey: Tensor) -> Tensor:
        """Encode ``grey``."""
        levels = grey.float() / 64.0 - 2.0
        change = functional.pad(levels.diff(dim=1), (0, 0, 0, 0, 1, 1))
        # Changes from and to the neighbours mark when something moves, the frame shows where.
        channels = torch.stack([levels, 2.0 * change[:, :-1], 2.0 * change[:, 1:]], dim=2)
        each = self.frames(channels.flatten(0, 1)).view(*grey.shape[:2], -1).transpose(1, 2)
        around = each
        for layer in self.layers:
            around = around + layer(around)
        return torch.cat([each.transpose(1, 2), self.out(around.transpose(1, 2))], dim=-1)


class AudioEncoder(nn.Module):
    """Waveforms ``[B, T]`` at 16 kHz to embeddings ``[B, 64]`` of unit length."""

    def __init__(self) -> None:
        super().__init__()
        # Bands are halved four times, frames of 20 ms only twice: rhythm is in frames of 80 ms.
        self.maps = nn.Sequential(
            *_block(1, 16, 5, (2, 2)),
            *_block(16, 32, 3, (2, 2)),
            *_block(32, 64, 3, (2, 1)),
            *_block(64, 96, 3, (2, 1)),
        )
        self.merge = nn.Conv1d(4 * 96, 96, 1)
        # Kernels of 3 with these dilations reach 1 + 2 + ... + 16 = 31 frames, 2.5 s, to each side.
        self.rhythm = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(96),
                nn.ReLU(),
                nn.Conv1d(96, 96, 3, padding=dilation, dilation=dilation),
            )
            for dilation in (1, 2, 4, 8, 16)
        )
        self.fc = nn.Linear(2 * 96, 128)
        self.head = nn.Linear(128, WIDTH)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Encode ``waveforms``."""
        frames = self.merge(self.maps(_log_mel(waveforms)[:, None]).flatten(1, 2))
        for layer in self.rhythm:
            frames = frames + layer(frames)
        # The maximum finds a single impact in 8 s, which the mean would hide.
        pooled = torch.cat([frames.amax(dim=2), frames.mean(dim=2)], dim=1)
        return functional.normalize(self.head(self.fc(pooled).relu()), dim=-1)


def _block(n_in: int, n_out: int, size: int, stride: int | tuple[int, int]) -> list[nn.Module]:
    # Without a bias, which the normalisation after it would subtract again.
    convolution = nn.Conv2d(n_in, n_out, size, stride, size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(n_out), nn.ReLU()]


def _log_mel(waveforms: Tensor) -> Tensor:
    """Log-mel frames ``[B, 64, T // 320]``, near mean 0 and variance 1.

    Powers are relative to a sine of full scale and summed over each band.
    """
    window = torch.hann_window(N_FFT)
    power = power_spectrogram(waveforms, window, n_fft=N_FFT, hop_samples=HOP_SAMPLES)
    bands = torch.einsum("bft,fm->bmt", power / window.sum() ** 2, _mel_bank().to(power))
    frames = bands[..., : waveforms.shape[1] // HOP_SAMPLES]
    return ((frames + POWER_FLOOR).log10() - CENTRE) / SPREAD


@cache
def _mel_bank() -> Tensor:
    """Triangles ``[257, 64]`` of height 1."""
    bank = slaney_mel_bank(N_MELS, N_FFT, ENCODER_RATE_HZ, MIN_HZ, MAX_HZ)
    return torch.from_numpy(bank / np.maximum(bank.max(axis=0), 1e-9)).float()


class MiniEncoders:
    """Three frozen networks; all features are float32 on the CPU."""

    def __init__(self, video: VideoEncoder, motion: MotionEncoder, audio: AudioEncoder) -> None:
        self._video, self._motion, self._audio = video, motion, audio

    def video(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode frames at 8 fps: ``[int(8 seconds), 64]``.

        Raises:
            MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
        """
        return self.videos(self.video_frames(video, seconds)[None])[0]

    def video_frames(self, video: Excerpt, seconds: float) -> Tensor:
        """Decode what ``videos`` takes, ``[F, 64, 64, 3]`` uint8; raises as ``video``."""
        return torch.from_numpy(_read_square_frames(video, CLIP_FPS, seconds))

    @torch.inference_mode()
    def videos(self, frames: Tensor) -> Tensor:
        """Encode frames of several videos, ``[B, F, 64, 64, 3]``: ``[B, F, 64]``."""
        features: Tensor = self._video(frames.to(self._device))
        return features.cpu()

    def sync_features(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode motion at about 24 tokens per second: ``[8 S, 96]``.

        Raises:
            MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
        """
        return self.syncs(self.sync_frames(video, seconds)[None])[0]

    def sync_frames(self, video: Excerpt, seconds: float) -> Tensor:
        """Decode what ``syncs`` takes, ``[F, 64, 64]`` uint8; raises as ``sync_features``."""
        pixels = _read_square_frames(video, SYNC_FPS, seconds)
        # The network was trained on whole grey levels.
        grey = np.round(pixels.mean(axis=-1, dtype=np.float32)).astype(np.uint8)
        return torch.from_numpy(grey)

    @torch.inference_mode()
    def syncs(self, frames: Tensor) -> Tensor:
        """Encode motion of several videos, ``[B, F, 64, 64]`` at 25 fps: ``[B, 8 S, 96]``.

        Features at 25 fps are interpolated to the middle of each token.
        """
        features = self._motion(frames.to(self._device)).transpose(1, 2)
        n_tokens = count_sync_tokens(frames.shape[1])
        tokens = functional.interpolate(features, n_tokens, mode="linear", align_corners=False)
        return tokens.transpose(1, 2).cpu()

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        """Give every word its vector, then zeros: ``[B, 77, 32]``.

        Words beyond the 77th are cut, which a message reports.
        """
        features, messages = torch.zeros(len(prompts), TEXT_TOKENS, MINI_TEXT_WIDTH), []
        for row, prompt in zip(features, prompts, strict=True):
            words = re.findall(r"\w+", prompt.lower())
            if cut := words[TEXT_TOKENS:]:
                messages.append(f"the prompt is too long: cut from {cut[0]!r} on")
            for index, word in enumerate(words[:TEXT_TOKENS]):
                row[index] = torch.from_numpy(_word_vector(word))
        return PromptFeatures(features, tuple(messages))

    @torch.inference_mode()
    def embedding(self, waveform: Waveform) -> Tensor:
        """Encode ``waveform [T]`` at 44.1 kHz as one vector ``[64]`` of unit length.

        The network was trained to match audio with video: the vector describes what makes the
        sound, and little of its timbre.
        """
        resampled = resample(waveform, SAMPLE_RATE_HZ, ENCODER_RATE_HZ, "soxr_hq")
        vectors: Tensor = self._audio(torch.from_numpy(resampled).to(self._device)[None])
        return vectors[0].cpu()

    def to(self, device: torch.device | str) -> MiniEncoders:
        """Move all networks and return the encoders."""
        for network in (self._video, self._motion, self._audio):
            network.to(device)
        return self

    @property
    def _device(self) -> torch.device:
        return next(self._video.parameters()).device


def load_mini_encoders(device: torch.device | str = "cpu") -> MiniEncoders:
    """Return the encoders with the weights of the package, frozen, in single precision.

    Raises:
        MissingError: a file of the package is missing.
        BenchError: a file is damaged or of another network.
    """
    with torch.device("meta"):
        networks = VideoEncoder(), MotionEncoder(), AudioEncoder()
    for network, name in zip(networks, ENCODER_FILES.values(), strict=True):
        load_weights(network, name)
    return MiniEncoders(*networks).to(device)


def _read_square_frames(video: Excerpt, fps: int, seconds: float) -> Pixels:
    """Read the middle squares of the frames of the first ``seconds``, ``[F, 64, 64, 3]`` uint8."""
    # Whole frames only, as the network's tokens are counted (``count_sync_tokens``).
    excerpt = replace(video, seconds=int(fps * seconds) / fps)
    frames = read_frames(excerpt, fps, short_side=SIDE_PIXELS, shortfall_s=MAX_SHORTFALL_S)
    return np.ascontiguousarray(center_crop(frames.pixels, SIDE_PIXELS))


@cache
def _word_vector(word: str) -> Waveform:
    """A vector of unit variance, random but determined by the word."""
    rng = np.random.default_rng(stable_seed("word", word))
    return rng.standard_normal(MINI_TEXT_WIDTH).astype(np.float32)
