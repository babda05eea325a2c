"""In the role of Synchformer: the offset between audio and video.

Audio and video are encoded to features at 25 per second. Their cross-correlation, by groups of
coordinates, gives the agreement at every lag; a small convolutional head over lags turns it into
logits of 21 offsets. An offset is positive where the audio is ahead of the video, as in
Synchformer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.mini_judges.front_end import FrontEnd, log_mel

FRONT_END = FrontEnd(16_000, 512, 400, 160, 48, 60.0, 7_800.0, is_slaney=True)
#: Frames of a window (4.8 s), and between neighbours of the grid of offsets (0.2 s).
WINDOW_FRAMES = 120
GRID_FRAMES = 5
N_OFFSETS = 21
LARGEST_FRAMES = GRID_FRAMES * (N_OFFSETS // 2)
WIDTH = 32
N_GROUPS = 8
#: Lags beyond those of the grid. The three convolutions of the head have no padding and consume
#: 4 + 4 + 2 lags, five at either end.
MARGIN = 5


class Synchformer(nn.Module):
    """Grey frames and audio to features, and two windows of features to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.frame_encoder = nn.Sequential(
            nn.Conv2d(3, 16, 8, stride=4, padding=2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48 * 16, 64),
        )
        self.video_context = TemporalEncoder(64)
        # Mel frames come at 100 per second; two strides of 2 match the 25 of the video.
        self.mel_encoder = nn.Sequential(
            nn.Conv1d(FRONT_END.n_mels, 64, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(64, 64, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv1d(64, 64, 4, stride=2, padding=1),
        )
        self.audio_context = TemporalEncoder(64)
        self.head = nn.Sequential(
            nn.Conv1d(N_GROUPS, 32, 5),
            nn.GELU(),
            nn.Conv1d(32, 32, 5),
            nn.GELU(),
            nn.Conv1d(32, 1, 3, stride=GRID_FRAMES),
        )
        # The mean over the few frames that overlap at a large lag varies more, hence a scale and a
        # bias for each offset.
        self.scale = nn.Parameter(torch.ones(N_OFFSETS))
        self.bias = nn.Parameter(torch.zeros(N_OFFSETS))

    def encode_video(self, grey: Tensor) -> Tensor:
        """Encode ``grey [B, F, 64, 64]`` uint8 at 25 fps. Returns features ``[B, F, 32]``."""
        # Three channels: the frame, its change since the frame before, and that until the next. An
        # impact reverses a motion abruptly, which the two differences show within one frame.
        now = grey.float() / 64.0 - 2.0
        change = functional.pad(now.diff(dim=1), (0, 0, 0, 0, 1, 1))
        channels = torch.stack([now, 2.0 * change[:, :-1], 2.0 * change[:, 1:]], dim=2)
        each = self.frame_encoder(channels.flatten(0, 1)).view(*grey.shape[:2], -1)
        features: Tensor = self.video_context(each.transpose(1, 2))
        return features

    def encode_audio(self, waveforms: Tensor) -> Tensor:
        """Encode ``waveforms [B, T]`` at 16 kHz. Returns ``[B, F, 32]`` at 25 frames per second."""
        features: Tensor = self.audio_context(self.mel_encoder(log_mel(waveforms, FRONT_END)))
        return features

    def offset_logits(self, video: Tensor, audio: Tensor) -> Tensor:
        """Logits ``[B, 2, 21]`` of the first and the last 4.8 s of features ``[B, F, 32]``.

        The longer side is cut to the length of the shorter one.

        Raises:
            ValueError: F is below 120.
        """
        n_frames = min(video.shape[1], audio.shape[1])
        if n_frames < WINDOW_FRAMES:
            raise ValueError(f"a window has {WINDOW_FRAMES} frames (4.8 s), these are {n_frames}")
        windows = slice(0, WINDOW_FRAMES), slice(n_frames - WINDOW_FRAMES, n_frames)
        return torch.stack([self.calibrated_logits(video[:, w], audio[:, w]) for w in windows], 1)

    def calibrated_logits(self, video: Tensor, audio: Tensor) -> Tensor:
        """Logits ``[B, 21]`` of windows ``[B, 120, 32]``, minus those of features of zeros.

        Where nothing agrees, as in silence, the raw logits are those of the learned bias, and its
        largest entry would count as the offset. After the subtraction they are equal, except for
        the effect of the two ends of the audio on its features.
        """
        zeros = video.new_zeros(1, WINDOW_FRAMES, WIDTH)
        return self.raw_logits(video, audio) - self.raw_logits(zeros, zeros)

    def raw_logits(self, video: Tensor, audio: Tensor) -> Tensor:
        """Logits ``[B, 21]`` of offsets -2 to 2 s from windows ``[B, 120, 32]`` of features."""
        reach = LARGEST_FRAMES + MARGIN
        lags = cross_correlate(video, audio)[..., WINDOW_FRAMES - 1 - reach : WINDOW_FRAMES + reach]
        # Audio that is ahead by n frames agrees with the video n frames later: at lag -n.
        scores = self.head(lags.flip(-1)).squeeze(1)
        logits: Tensor = scores * self.scale + self.bias
        return logits


class TemporalEncoder(nn.Module):
    """Residual convolutions over time, ``[B, C, F]`` to ``[B, F, 32]``."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(n_in), nn.GELU(), nn.Conv1d(n_in, n_in, 5, padding=2))
            for _ in range(3)
        )
        self.out = nn.Linear(n_in, WIDTH)

    def forward(self, features: Tensor) -> Tensor:
        """Encode features with a receptive field of 6 frames (0.24 s) on either side."""
        for layer in self.layers:
            features = features + layer(features)
        encoded: Tensor = self.out(features.transpose(1, 2))
        return encoded


def cross_correlate(video: Tensor, audio: Tensor) -> Tensor:
    """Cross-correlation ``[B, 8, 2 N - 1]`` of windows ``[B, N, 32]`` at lags -(N - 1) to N - 1.

    At lag n, the mean over the overlapping frames t of the product of ``video[t]`` and
    ``audio[t + n]``, summed within each of 8 groups of 4 coordinates. The mean over time is
    subtracted first, since constant features would agree at every lag.
    """
    n_clips, n_frames = video.shape[:2]
    groups = [
        (side - side.mean(dim=1, keepdim=True)).reshape(n_clips, n_frames, N_GROUPS, -1)
        for side in (video, audio)
    ]
    products = torch.einsum("btgc,bugc->bgtu", groups[0].flip(1), groups[1])
    # products[t, u] pairs video frame N - 1 - t with audio frame u: a lag of u + t - (N - 1). To
    # sum over equal u + t, rows are padded from N to 2 N elements, flattened, and read again with
    # 2 N - 1 per row: row t is shifted right by t, and columns hold equal lags.
    skewed = functional.pad(products, (0, n_frames)).flatten(-2)[..., :-n_frames]
    sums = skewed.reshape(n_clips, N_GROUPS, n_frames, 2 * n_frames - 1).sum(dim=-2)
    overlap: Tensor = n_frames - torch.arange(1 - n_frames, n_frames, device=video.device).abs()
    means: Tensor = sums / overlap
    return means
