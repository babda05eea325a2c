"""Synchformer: by how much audio is ahead of video or behind it.

``synchformer_state_dict.pth`` (model 24-01-04T16-39-21, trained on AudioSet) as the evaluator
hkchengrex/av-benchmark uses it: full files at 16 kHz, frames resized to 224 at the short side.
Generative models condition on the video tokens, so the video encoder also loads on its own.

Features are computed once per audio and once per video, and compared as often as wanted:

    model = load_synchformer(checkpoint, device)
    video = video_features(model, video_front_end(pixels))   # [B, 24, 8, 768] for 8 s
    audio = audio_tokens(model, front_end(waveforms))        # [B, 24, 6, 768]
    logits = offset_logits(model, video, audio)              # [B, 2, 21]

Segments are independent of one another and of their batch. All results are float32 on the CPU.

Source: Iashin et al., "Synchformer: Efficient Synchronization from Sparse Cues", ICASSP 2024.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bench.backbones.synchformer_encoders import (
    HIDDEN,
    WIDTH,
    AudioEncoder,
    SelfAttention,
    VideoEncoder,
)
from bench.backbones.synchformer_front_end import (
    FRAMES_PER_S,
    SAMPLE_RATE_HZ,
    SIDE_PIXELS,
    front_end,
    video_front_end,
    video_segments,
)
from bench.checkpoints.load import assign_state, load_state
from bench.errors import MediaError

__all__ = [
    "FRAMES_PER_S",
    "SAMPLE_RATE_HZ",
    "SIDE_PIXELS",
    "Synchformer",
    "VideoEncoder",
    "audio_tokens",
    "front_end",
    "load_synchformer",
    "load_video_encoder",
    "offset_logits",
    "video_features",
    "video_front_end",
]

#: Each takes some 100 MB while it is encoded; more at once are no faster on a CPU.
VIDEO_SEGMENTS_AT_ONCE, VIDEO_SEGMENTS_AT_ONCE_GPU = 4, 12
AUDIO_SEGMENTS_AT_ONCE = 64

VIDEO_PREFIX = "vfeat_extractor."
#: A patch embedding of single frames that the official model stores and never uses.
UNUSED = ("patch_embed.proj.weight", "patch_embed.proj.bias")

#: The comparison has a table of positions of fixed size: exactly 14 segments (4.8 s) at a time.
N_SEGMENTS = 14
VIDEO_TOKENS, AUDIO_TOKENS = 8, 6
OFFSET_LAYERS, OFFSET_HEADS = 3, 8
#: From -2 to 2 s in steps of 0.2 s.
N_OFFSETS = 21


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


class OffsetTransformer(nn.Module):
    """Projected tokens of 14 segments of video and audio to logits.

    One sequence: a token for the result, the video's tokens, a token in between, the audio's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.vis_in_lnorm = nn.LayerNorm(WIDTH)
        self.aud_in_lnorm = nn.LayerNorm(WIDTH)
        self.OFF_tok = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.MOD_tok = nn.Parameter(torch.empty(1, 1, WIDTH))
        n_tokens = 2 + N_SEGMENTS * (VIDEO_TOKENS + AUDIO_TOKENS)
        self.pos_emb_cfg = nn.ParameterDict({"pos_emb": torch.empty(1, n_tokens, WIDTH)})
        self.blocks = nn.Sequential(*(OffsetLayer() for _ in range(OFFSET_LAYERS)))
        self.ln_f = nn.LayerNorm(WIDTH)
        self.off_head = nn.Linear(WIDTH, N_OFFSETS)

    def forward(self, video: Tensor, audio: Tensor) -> Tensor:
        """``video [B, 112, 768]`` and ``audio [B, 84, 768]`` to ``[B, 21]``."""
        result, between = (
            token.expand(len(video), -1, -1) for token in (self.OFF_tok, self.MOD_tok)
        )
        sides = self.vis_in_lnorm(video), self.aud_in_lnorm(audio)
        sequence = torch.cat([result, sides[0], between, sides[1]], dim=1)
        sequence = self.blocks(sequence + self.pos_emb_cfg["pos_emb"])
        logits: Tensor = self.off_head(self.ln_f(sequence[:, 0]))
        return logits


class OffsetLayer(nn.Module):
    """A pre-norm transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(WIDTH)
        self.attn = SelfAttention(OFFSET_HEADS, has_projection=True)
        self.ln2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, 198, 768]`` to as many."""
        tokens = tokens + self.attn(self.ln1(tokens))
        change: Tensor = self.mlp(self.ln2(tokens))
        return tokens + change


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
    is_cpu = next(encoder.parameters()).device.type == "cpu"
    n_at_once = VIDEO_SEGMENTS_AT_ONCE if is_cpu else VIDEO_SEGMENTS_AT_ONCE_GPU
    with torch.inference_mode():
        return _encoded(encoder, video_segments(frames), n_at_once)


def offset_logits(model: Synchformer, video: Tensor, audio: Tensor) -> Tensor:
    """Logits of 21 offsets in the first and the last 14 segments, ``[B, 2, 21]``.

    From the features ``video [B, S, 8, 768]`` and ``audio [B, S, 6, 768]`` of the same stretch of
    time. Class k stands for an offset of -2 + 0.2 k seconds. For 8 s the windows are 0 to 4.8 s
    and 3.2 to 8 s; for 4.8 s they are the same.

    Raises:
        ValueError: the features have other shapes.
        MediaError: they have fewer than 14 segments (4.8 s).
    """
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
    # The first and the last window, as in the reference evaluator: a clip of 8 s is longer than
    # what the network compares at once.
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
        encoder(segments[chunk // n_segments, chunk % n_segments].to(device)) for chunk in chunks
    ]
    return torch.cat(features).cpu().reshape(n_clips, n_segments, -1, WIDTH)
