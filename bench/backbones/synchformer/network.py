"""The full network, its checkpoint, and features and logits of batches of clips.

Features are computed once per audio and once per video, and compared as often as wanted:

    model = load_synchformer(checkpoint, device)
    video = video_features(model, video_front_end(pixels))   # [B, 24, 8, 768] for 8 s
    audio = audio_tokens(model, front_end(waveforms))        # [B, 24, 6, 768]
    logits = offset_logits(model, video, audio)              # [B, 2, 21]

Segments are independent of one another and of their batch. All results are float32 on the CPU.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.backbones.synchformer.attention import WIDTH
from bench.backbones.synchformer.audio import AudioEncoder
from bench.backbones.synchformer.offset import (
    AUDIO_TOKENS,
    N_SEGMENTS,
    VIDEO_TOKENS,
    OffsetTransformer,
)
from bench.backbones.synchformer.segments import video_segments
from bench.backbones.synchformer.video import VideoEncoder
from bench.checkpoints.load import assign_state, load_state
from bench.errors import MediaError

NAME = "synchformer"
#: Raised when a front end changes: part of the key of every cached feature. 2: frames resized as by
#: torchvision to the bit.
PREPROCESSING = "2"

#: Each takes some 100 MB while it is encoded; more at once are no faster on a CPU.
VIDEO_SEGMENTS_AT_ONCE = 4
AUDIO_SEGMENTS_AT_ONCE = 64

VIDEO_PREFIX = "vfeat_extractor."
#: A patch embedding of single frames that the official model stores and never uses.
UNUSED = ("patch_embed.proj.weight", "patch_embed.proj.bias")


class Synchformer(nn.Module):
    """Both encoders and the comparison; parts are named as in the official checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.vfeat_extractor = VideoEncoder()
        self.afeat_extractor = AudioEncoder()
        self.vproj = nn.Linear(WIDTH, WIDTH)
        self.aproj = nn.Linear(WIDTH, WIDTH)
        self.transformer = OffsetTransformer()

    def forward(self, video: Tensor, audio: Tensor) -> Tensor:
        """``video [B, 14, 8, 768]`` and ``audio [B, 14, 6, 768]`` to logits ``[B, 21]``."""
        sides = self.vproj(video).flatten(1, 2), self.aproj(audio).flatten(1, 2)
        logits: Tensor = self.transformer(*sides)
        return logits


def load_synchformer(checkpoint: Path, device: torch.device | str = "cpu") -> Synchformer:
    """Return the network with the tensors of ``synchformer_state_dict.pth``, frozen.

    Raises:
        MissingError: ``checkpoint`` does not exist.
        BenchError: the file is damaged, or its tensors are not Synchformer's.
    """
    with torch.device("meta"):
        model = Synchformer()
    unused = tuple(VIDEO_PREFIX + name for name in UNUSED)
    return assign_state(model, load_state(checkpoint), checkpoint, optional=unused).to(device)


def load_video_encoder(checkpoint: Path, device: torch.device | str = "cpu") -> VideoEncoder:
    """Return the video encoder alone, about half of the network, from the same file.

    Raises as ``load_synchformer``.
    """
    with torch.device("meta"):
        encoder = VideoEncoder()
    state = load_state(checkpoint, prefix=VIDEO_PREFIX)
    return assign_state(encoder, state, checkpoint, optional=UNUSED).to(device)


def audio_tokens(model: Synchformer, images: Tensor) -> Tensor:
    """``images [B, S, 128, 66]``, as ``front_end`` returns them, to tokens ``[B, S, 6, 768]``.

    The reference evaluator takes the channel mean, resampled without removing the mean, and
    exactly 8 s of it (S = 24). Images may be on any device.
    """
    with torch.inference_mode():
        return _encoded(model.afeat_extractor, images, AUDIO_SEGMENTS_AT_ONCE)


def video_features(model: Synchformer | VideoEncoder, frames: Tensor) -> Tensor:
    """``frames [B, F, 3, 224, 224]`` at 25 fps as tokens ``[B, S, 8, 768]``, S = (F - 16) // 8 + 1.

    Frames are in [-1, 1], as ``video_front_end`` makes them of pixels whose short side was resized
    to 224 and whose centre was cropped; they may be on any device. 8 s are 200 frames, S = 24.

    Raises:
        ValueError: the frames are not float32 [B, F, 3, 224, 224].
        MediaError: they are fewer than one segment (16).
    """
    encoder = model.vfeat_extractor if isinstance(model, Synchformer) else model
    with torch.inference_mode():
        return _encoded(encoder, video_segments(frames), VIDEO_SEGMENTS_AT_ONCE)


def offset_logits(model: Synchformer, video: Tensor, audio: Tensor) -> Tensor:
    """Logits of 21 offsets in the first and the last 14 segments, ``[B, 2, 21]``.

    From the features ``video [B, S, 8, 768]`` and ``audio [B, S, 6, 768]`` of the same stretch of
    time. Class k stands for an offset of -2 + 0.2 k seconds. For 8 s the windows are 0 to 4.8 s
    and 3.2 to 8 s; for 4.8 s they are the same.

    Raises:
        ValueError: the features have other shapes.
        MediaError: they have fewer than 14 segments (4.8 s).
    """
    _check_features(video, audio)
    windows = (slice(None, N_SEGMENTS), slice(-N_SEGMENTS, None))
    device = model.vproj.weight.device
    with torch.inference_mode():
        video, audio = video.to(device), audio.to(device)
        logits = [model(video[:, window], audio[:, window]) for window in windows]
        return torch.stack(logits, dim=1).cpu()


def _encoded(encoder: nn.Module, segments: Tensor, n_at_once: int) -> Tensor:
    """``segments [B, S, ...]`` encoded a few at a time, ``[B, S, ...]`` on the CPU."""
    device = next(encoder.parameters()).device
    n_clips, n_segments = segments.shape[:2]
    # Video segments are an overlapping view: only those of one chunk are ever copied.
    chunks = torch.split(torch.arange(n_clips * n_segments), n_at_once)
    features = [
        encoder(segments[chunk // n_segments, chunk % n_segments].to(device)).cpu()
        for chunk in chunks
    ]
    return torch.cat(features).reshape(n_clips, n_segments, -1, WIDTH)


def _check_features(video: Tensor, audio: Tensor) -> None:
    shapes = list(video.shape), list(audio.shape)
    batch = shapes[0][:2]
    if shapes != ([*batch, VIDEO_TOKENS, WIDTH], [*batch, AUDIO_TOKENS, WIDTH]):
        raise ValueError(
            f"features must be [B, S, {VIDEO_TOKENS}, {WIDTH}] of video and "
            f"[B, S, {AUDIO_TOKENS}, {WIDTH}] of audio, got {shapes[0]} and {shapes[1]}"
        )
    if batch[1] < N_SEGMENTS:
        raise MediaError(
            f"Synchformer compares {N_SEGMENTS} segments (4.8 s) at a time, these clips have "
            f"{batch[1]}: they are too short to be scored"
        )
