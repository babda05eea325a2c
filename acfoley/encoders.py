"""What the network is told about a clip: pictures and prompts to features.

    encoders = load_encoders(clip_file, synchformer_file, device)
    video, sync = encoders.picture(excerpt, seconds=8)    # [64, 1024], [192, 768]
    text = encoders.prompts(["dog barking"]).features     # [1, 77, 1024]

Each clip is encoded by itself, so that its features depend on nothing else and can be kept. The
reference sound goes through ``reference`` and the codec instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from acfoley.clip import image_features, load_clip, text_features, token_batch, tokenise
from acfoley.frames import clip_frames, sync_frames
from bench.backbones.synchformer import VideoEncoder, load_video_encoder, video_features
from bench.types import Excerpt


@dataclass(frozen=True, eq=False)
class PictureFeatures:
    """Of one clip: CLIP's ``video [F, 1024]`` at 8 fps and Synchformer's ``sync [24 s, 768]``."""

    video: Tensor
    sync: Tensor


@dataclass(frozen=True, eq=False)
class PromptFeatures:
    """CLIP's ``features [B, 77, 1024]``; ``messages`` say which words of which prompt were cut."""

    features: Tensor
    messages: tuple[str, ...]


class Encoders:
    """CLIP and the video half of Synchformer, frozen; all features are float32 on the CPU."""

    def __init__(self, clip: nn.Module, sync: VideoEncoder) -> None:
        self.clip = clip
        self.sync = sync

    def picture(self, picture: Excerpt, seconds: float) -> PictureFeatures:
        """Features of the first ``seconds`` of ``picture``.

        ``int(8 seconds)`` frames of CLIP; 8 tokens of Synchformer for each of its overlapping
        segments of 0.64 s, (int(25 seconds) - 16) // 8 + 1 of them, one after another.

        Raises:
            MediaError: there is no picture, or it ends before ``seconds``.
        """
        return PictureFeatures(
            self.video(clip_frames(picture, seconds)), self.movement(sync_frames(picture, seconds))
        )

    def video(self, frames: Tensor) -> Tensor:
        """What CLIP sees in ``frames [F, 3, 384, 384]``: ``[F, 1024]``."""
        return image_features(self.clip, frames)

    def movement(self, frames: Tensor) -> Tensor:
        """What Synchformer sees in ``frames [F, 3, 224, 224]``: ``[8 S, 768]``."""
        return video_features(self.sync, frames[None])[0].flatten(0, 1)

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        """What CLIP reads in ``prompts``; "" is what stands for no prompt."""
        tokens = [tokenise(prompt) for prompt in prompts]
        features = text_features(self.clip, token_batch(tokens))
        messages = tuple(each.message for each in tokens if each.message)
        return PromptFeatures(features, messages)

    def to(self, device: torch.device | str) -> Encoders:
        """Move both networks and return the encoders."""
        self.clip.to(device)
        self.sync.to(device)
        return self


def load_encoders(clip: Path, synchformer: Path, device: torch.device | str = "cpu") -> Encoders:
    """Return both from ``open_clip_pytorch_model.bin`` and ``synchformer_state_dict.pth``.

    Raises:
        MissingError: a file is not there.
        BenchError: a file is damaged or another one.
    """
    return Encoders(load_clip(clip, device), load_video_encoder(synchformer, device))
