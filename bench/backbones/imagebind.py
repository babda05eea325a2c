"""ImageBind: audio and video in one space of 1024 dimensions (Girdhar et al., CVPR 2023).

Two of its trunks, vision and audio, in the layout of the official ``imagebind_huge.pth``:

    mels = reference_clips(samples)          # or front_end(waveforms): see the front end
    audio = embed_audio(model, mels[None])["embedding"]
    video = embed_video(model, video_clips(crops)[None])["embedding"]

The IB score is their cosine. Written here because the one release that installs,
``imagebind-unofficial``, is non-commercial, imports a module that torchvision no longer has, and
needs a pytorchvideo whose windows differ from the reference evaluator's.

The weights are not for commercial use (CC BY-NC-SA 4.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.backbones.imagebind_front_end import (
    FPS,
    N_FRAMES,
    N_MELS,
    SAMPLE_RATE_HZ,
    SIDE,
    front_end,
    reference_clips,
    video_clips,
)
from bench.backbones.imagebind_layers import (
    Head,
    LogitScale,
    Tokens,
    Trunk,
    TrunkParams,
    UnitLength,
)
from bench.checkpoints.load import assign_state, load_state

__all__ = [
    "FPS",
    "HUGE",
    "NAME",
    "PREPROCESSING",
    "SAMPLE_RATE_HZ",
    "SIDE",
    "ImageBind",
    "ImageBindParams",
    "TrunkParams",
    "embed_audio",
    "embed_video",
    "front_end",
    "load_imagebind",
    "video_clips",
    "reference_clips",
]

NAME = "imagebind"
#: Raised when a front end changes: part of the key of every cached feature. 2: frames resized as by
#: torchvision to the bit.
PREPROCESSING = "2"

#: Frames, rows and columns of a patch of video; rows and columns of a patch of mel.
VIDEO_PATCH = (2, 14, 14)
MEL_PATCH, MEL_STRIDE = 16, 10

#: Tensors of the four other modalities of the official file, which are never read.
OTHER_MODALITIES = tuple(
    f"modality_{part}.{modality}."
    for part in ("preprocessors", "trunks", "heads", "postprocessors")
    for modality in ("text", "depth", "thermal", "imu")
)


@dataclass(frozen=True)
class ImageBindParams:
    """The size of the network; ``width`` is the embedding's."""

    vision: TrunkParams
    audio: TrunkParams
    width: int


#: The one that was published.
HUGE = ImageBindParams(
    vision=TrunkParams(width=1280, n_blocks=32, n_heads=16),
    audio=TrunkParams(width=768, n_blocks=12, n_heads=12),
    width=1024,
)


class ImageBind(nn.Module):
    """Audio and video to embeddings; tensor names are those of the official checkpoint."""

    def __init__(self, params: ImageBindParams) -> None:
        super().__init__()
        vision, audio = params.vision, params.audio
        self.modality_preprocessors = nn.ModuleDict(
            {"vision": _video_tokens(vision.width), "audio": _mel_tokens(audio.width)}
        )
        self.modality_trunks = nn.ModuleDict(
            {
                "vision": Trunk(vision, has_first_norm=True, has_extra_key=False),
                "audio": Trunk(audio, has_first_norm=False, has_extra_key=True),
            }
        )
        self.modality_heads = nn.ModuleDict(
            {"vision": Head(vision.width, params.width), "audio": Head(audio.width, params.width)}
        )
        self.modality_postprocessors = nn.ModuleDict(
            {"vision": UnitLength(), "audio": nn.Sequential(UnitLength(), LogitScale())}
        )

    def video(self, clips: Tensor) -> Tensor:
        """``clips [N, 3, 2, 224, 224]`` to embeddings ``[N, 1024]`` of length 1."""
        return self._embedding("vision", clips)

    def audio(self, mels: Tensor) -> Tensor:
        """``mels [N, 128, 204]`` to embeddings ``[N, 1024]`` of length 20."""
        return self._embedding("audio", mels.unsqueeze(1))

    def _embedding(self, modality: str, inputs: Tensor) -> Tensor:
        tokens = self.modality_preprocessors[modality](inputs)
        tokens = self.modality_trunks[modality](tokens)
        embeddings = self.modality_heads[modality](tokens)
        scaled: Tensor = self.modality_postprocessors[modality](embeddings)
        return scaled


def _video_tokens(width: int) -> Tokens:
    convolution = nn.Conv3d(3, width, VIDEO_PATCH, stride=VIDEO_PATCH, bias=False)
    # Index 0 of the official module doubles single images, and has no tensors.
    proj = nn.Sequential(nn.Identity(), convolution)
    n_patches = (SIDE // VIDEO_PATCH[1]) * (SIDE // VIDEO_PATCH[2])
    return Tokens(proj, nn.Identity(), n_patches, width)


def _mel_tokens(width: int) -> Tokens:
    convolution = nn.Conv2d(1, width, MEL_PATCH, stride=MEL_STRIDE, bias=False)
    rows, columns = ((extent - MEL_PATCH) // MEL_STRIDE + 1 for extent in (N_MELS, N_FRAMES))
    return Tokens(convolution, nn.LayerNorm(width), rows * columns, width)


def load_imagebind(
    checkpoint: Path, device: torch.device | str = "cpu", params: ImageBindParams = HUGE
) -> ImageBind:
    """The network with the weights of ``checkpoint``, frozen and ready for inference.

    On the CPU the weights stay mapped to the file and are read when first used: 2.9 of the 4.8 GB
    of the official file, since the other modalities are never read.

    Raises:
        MissingError: ``checkpoint`` does not exist.
        BenchError: the file is damaged, or is not of this network.
    """
    state = {
        name: tensor
        for name, tensor in load_state(checkpoint).items()
        if not name.startswith(OTHER_MODALITIES)
    }
    with torch.device("meta"):
        model = ImageBind(params)
    assign_state(model, state, checkpoint)
    return model.to(device)


@torch.inference_mode()
def embed_audio(model: ImageBind, mels: Tensor) -> dict[str, Tensor]:
    """``embedding [B, 1024]``, float32 on the CPU, of log-mel images ``mels [B, K, 128, 204]``.

    The mean over K clips of embeddings of length 20, and so a little shorter.
    """
    embeddings = model.audio(mels.flatten(0, 1).to(_device(model)))
    return {"embedding": embeddings.reshape(*mels.shape[:2], -1).mean(dim=1).cpu()}


@torch.inference_mode()
def embed_video(model: ImageBind, clips: Tensor) -> dict[str, Tensor]:
    """``embedding [B, 1024]``, float32 on the CPU, of ``clips [B, K, 3, 2, 224, 224]``.

    The mean over K pairs of frames of embeddings of length 1, and so a little shorter.
    """
    embeddings = model.video(clips.flatten(0, 1).to(_device(model)))
    return {"embedding": embeddings.reshape(*clips.shape[:2], -1).mean(dim=1).cpu()}


def _device(model: nn.Module) -> torch.device:
    return next(model.parameters()).device
