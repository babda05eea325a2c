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

import math
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.backbones.imagebind_front_end import (
    FPS,
    N_FRAMES,
    N_MELS,
    PINNED_GAPS,
    RELEASE_GAPS,
    SAMPLE_RATE_HZ,
    SIDE,
    front_end,
    reference_clips,
    video_clips,
)
from bench.checkpoints.load import assign_state, load_state

__all__ = [
    "FPS",
    "HUGE",
    "PINNED_GAPS",
    "RELEASE_GAPS",
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

#: Frames, rows and columns of a patch of video; rows and columns of a patch of mel.
VIDEO_PATCH = (2, 14, 14)
MEL_PATCH, MEL_STRIDE = 16, 10

MLP_RATIO = 4
EPS = 1e-6
AUDIO_LENGTH, MAX_AUDIO_LENGTH = 20.0, 100.0

#: Tensors of the four other modalities of the official file, which are never read.
OTHER_MODALITIES = tuple(
    f"modality_{part}.{modality}."
    for part in ("preprocessors", "trunks", "heads", "postprocessors")
    for modality in ("text", "depth", "thermal", "imu")
)


@dataclass(frozen=True)
class TrunkParams:
    """The size of one trunk: ``width`` of its tokens, blocks, attention heads per block."""

    width: int
    n_blocks: int
    n_heads: int


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
    """Audio and video to embeddings, each by a plain vision transformer.

    Names are those of the official checkpoint, which explains the dictionaries and sequences that
    hold one part.
    """

    def __init__(self, params: ImageBindParams) -> None:
        super().__init__()
        vision, audio = params.vision, params.audio
        patches_3d = nn.Conv3d(3, vision.width, VIDEO_PATCH, stride=VIDEO_PATCH, bias=False)
        patches_2d = nn.Conv2d(1, audio.width, MEL_PATCH, stride=MEL_STRIDE, bias=False)
        n_video = (SIDE // VIDEO_PATCH[1]) * (SIDE // VIDEO_PATCH[2])
        rows, columns = ((extent - MEL_PATCH) // MEL_STRIDE + 1 for extent in (N_MELS, N_FRAMES))
        self.modality_preprocessors = nn.ModuleDict(
            {
                # Index 0 of the official module doubles single images, and has no tensors.
                "vision": Tokens(
                    nn.Sequential(nn.Identity(), patches_3d), nn.Identity(), n_video, vision.width
                ),
                "audio": Tokens(patches_2d, nn.LayerNorm(audio.width), rows * columns, audio.width),
            }
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
        # Index 0 of the official module makes unit vectors, for video alone too; it has no tensors.
        self.modality_postprocessors = nn.ModuleDict(
            {"audio": nn.Sequential(nn.Identity(), LogitScale())}
        )

    def video(self, clips: Tensor) -> Tensor:
        """``clips [N, 3, 2, 224, 224]`` to embeddings ``[N, 1024]`` of length 1."""
        return self._embed("vision", clips)

    def audio(self, mels: Tensor) -> Tensor:
        """``mels [N, 128, 204]`` to embeddings ``[N, 1024]`` of length 20."""
        unit_vectors = self._embed("audio", mels.unsqueeze(1))
        scaled: Tensor = self.modality_postprocessors["audio"](unit_vectors)
        return scaled

    def _embed(self, modality: str, inputs: Tensor) -> Tensor:
        tokens = self.modality_preprocessors[modality](inputs)
        tokens = self.modality_trunks[modality](tokens)
        embeddings = self.modality_heads[modality](tokens)
        unit_vectors: Tensor = functional.normalize(embeddings, dim=-1)
        return unit_vectors


class Tokens(nn.Module):
    """``[N, C, ...]`` to ``[N, 1 + n_patches, width]``: class token first, positions added.

    ``proj`` cuts patches, ``norm_layer`` follows it.
    """

    def __init__(self, proj: nn.Module, norm_layer: nn.Module, n_patches: int, width: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.rgbt_stem = nn.ModuleDict({"proj": proj, "norm_layer": norm_layer})
        positions = torch.zeros(1, 1 + n_patches, width)
        self.pos_embedding_helper = nn.ParameterDict({"pos_embed": positions})

    def forward(self, inputs: Tensor) -> Tensor:
        """Tokens of the patches of ``inputs``."""
        patches = self.rgbt_stem["proj"](inputs).flatten(2).transpose(1, 2)
        patches = self.rgbt_stem["norm_layer"](patches)
        # The class token has the first position, and is what the head reads.
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches], dim=1)
        positioned: Tensor = tokens + self.pos_embedding_helper["pos_embed"]
        return positioned


class Trunk(nn.Module):
    """Pre-norm transformer blocks, ``[N, n_tokens, width]`` to the same.

    ``has_first_norm``: a norm comes before all blocks (vision). ``has_extra_key``: attention
    has one more, learned, key and value (audio).
    """

    def __init__(self, params: TrunkParams, *, has_first_norm: bool, has_extra_key: bool) -> None:
        super().__init__()
        first = nn.LayerNorm(params.width, EPS) if has_first_norm else nn.Identity()
        self.pre_transformer_layer = nn.Sequential(first)
        self.blocks = nn.Sequential(
            *(Block(params, has_extra_key=has_extra_key) for _ in range(params.n_blocks))
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens after the last block, without a last norm."""
        attended: Tensor = self.blocks(self.pre_transformer_layer(tokens))
        return attended


class Block(nn.Module):
    """Attention, then two layers with an exact GELU between them; each adds to its input."""

    def __init__(self, params: TrunkParams, *, has_extra_key: bool) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(
            params.width, params.n_heads, add_bias_kv=has_extra_key, batch_first=True
        )
        self.norm_1 = nn.LayerNorm(params.width, EPS)
        hidden = MLP_RATIO * params.width
        parts = {"fc1": nn.Linear(params.width, hidden), "gelu": nn.GELU()}
        self.mlp = nn.Sequential(OrderedDict(parts, fc2=nn.Linear(hidden, params.width)))
        self.norm_2 = nn.LayerNorm(params.width, EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[N, n_tokens, width]`` to the same."""
        normed = self.norm_1(tokens)
        # Without weights torch takes its fused kernel; with them it would store N x N numbers.
        tokens = tokens + self.attn(normed, normed, normed, need_weights=False)[0]
        change: Tensor = self.mlp(self.norm_2(tokens))
        return tokens + change


class Head(nn.ModuleDict):
    """The class token of ``[N, n_tokens, width]``, normed and projected: ``[N, out_width]``."""

    def __init__(self, width: int, out_width: int) -> None:
        # Index 1 of the official module, between the two, selects the class token. A norm treats
        # each token alone, so that it may be selected first.
        projection = nn.Linear(width, out_width, bias=False)
        super().__init__({"0": nn.LayerNorm(width, EPS), "2": projection})

    def forward(self, tokens: Tensor) -> Tensor:
        """Read nothing but the class token."""
        projected: Tensor = self["2"](self["0"](tokens[:, 0]))
        return projected


class LogitScale(nn.Module):
    """A length for unit vectors: 20, kept as its logarithm and never above 100."""

    def __init__(self) -> None:
        super().__init__()
        # A buffer and no parameter: for audio the length is a constant of the checkpoint.
        self.register_buffer("log_logit_scale", torch.tensor(math.log(AUDIO_LENGTH)))
        self.log_logit_scale: Tensor

    def forward(self, embeddings: Tensor) -> Tensor:
        """``embeddings`` times the length."""
        return embeddings * self.log_logit_scale.exp().clamp(max=MAX_AUDIO_LENGTH)


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
    embeddings = model.audio(mels.flatten(0, 1).to(next(model.parameters()).device))
    return {"embedding": embeddings.reshape(*mels.shape[:2], -1).mean(dim=1).cpu()}


@torch.inference_mode()
def embed_video(model: ImageBind, clips: Tensor) -> dict[str, Tensor]:
    """``embedding [B, 1024]``, float32 on the CPU, of ``clips [B, K, 3, 2, 224, 224]``.

    The mean over K pairs of frames of embeddings of length 1, and so a little shorter.
    """
    embeddings = model.video(clips.flatten(0, 1).to(next(model.parameters()).device))
    return {"embedding": embeddings.reshape(*clips.shape[:2], -1).mean(dim=1).cpu()}
