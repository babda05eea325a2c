"""CLIP: 1024 numbers per video frame and per token of the prompt.

The network is open_clip's ``ViT-H-14-378-quickgelu``, with the weights of
``apple/DFN5B-CLIP-ViT-H-14-384``, read from a local file. open_clip downloads nothing here, and
importing this module loads neither torchvision nor open_clip.

Frames are selected by ``bench.media``, as ffmpeg's ``fps`` filter does and the published batch
evaluation with it (the demonstration script takes the first frame at or after each time instead).
The last frame of a video that ends up to 0.1 s early is repeated, as everywhere.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision",
ICML 2021; Fang et al., "Data Filtering Networks", ICLR 2024; features as MMAudio takes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from acfoley.params import CLIP_FPS
from bench.checkpoints.load import assign_state, load_state
from bench.media import iterate_frames, resize_frames
from bench.types import MAX_SHORTFALL_S, Excerpt, Pixels

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer


#: The frames that CLIP takes: their side in pixels, and mean and deviation by channel.
SIDE_PIXELS = 384
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
WIDTH = 1024
N_TOKENS = 77
#: Two tokens mark the beginning and the end of the prompt.
N_WORD_TOKENS = N_TOKENS - 2
#: With more at once, activations between two layers do not fit into the caches of a CPU.
FRAMES_AT_ONCE_CPU, FRAMES_AT_ONCE_GPU = 2, 32


@dataclass(frozen=True)
class ClipParams:
    """Sizes of both halves; the defaults of open_clip for everything else."""

    embedding: int
    image_size: int
    patch: int
    vision_width: int
    vision_layers: int
    vision_head: int
    text_width: int
    text_layers: int
    text_heads: int
    vocabulary: int = 49_408


CLIP_H14 = ClipParams(
    embedding=WIDTH,
    image_size=378,
    patch=14,
    vision_width=1280,
    vision_layers=32,
    vision_head=80,
    text_width=WIDTH,
    text_layers=24,
    text_heads=16,
)


def build_clip(params: ClipParams = CLIP_H14) -> nn.Module:
    """Return open_clip's network of these sizes, with its initial (random) weights."""
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg

    vision = CLIPVisionCfg(
        layers=params.vision_layers,
        width=params.vision_width,
        head_width=params.vision_head,
        patch_size=params.patch,
        image_size=params.image_size,
    )
    text = CLIPTextCfg(
        context_length=N_TOKENS,
        vocab_size=params.vocabulary,
        width=params.text_width,
        heads=params.text_heads,
        layers=params.text_layers,
    )
    model: nn.Module = CLIP(params.embedding, vision, text, quick_gelu=True)
    return model


def load_clip(
    checkpoint: Path, device: torch.device | str = "cpu", params: ClipParams = CLIP_H14
) -> nn.Module:
    """Return the network with the tensors of ``open_clip_pytorch_model.bin``, frozen.

    Raises:
        MissingError: there is no such file.
        BenchError: the file is damaged, or its tensors are not those of this CLIP.
    """
    with torch.device("meta"):
        model = build_clip(params)
    # A constant that no file holds: tokens attend to themselves and to those before.
    mask = torch.full((N_TOKENS, N_TOKENS), float("-inf")).triu(1)
    model.register_buffer("attn_mask", mask, persistent=False)
    return assign_state(model, load_state(checkpoint), checkpoint).to(device)


@dataclass(frozen=True)
class Tokens:
    """A prompt as CLIP reads it: ``ids`` of up to 77 tokens, and the words that were ``cut``."""

    ids: tuple[int, ...]
    cut: str

    @property
    def message(self) -> str:
        """One sentence that names the words that were cut; "" where none were."""
        if not self.cut:
            return ""
        return f"CLIP reads {N_WORD_TOKENS} tokens of a prompt and does not read {self.cut!r}"


def tokenise(prompt: str) -> Tokens:
    """Return the tokens of ``prompt``: lower case, white space and broken Unicode cleaned.

    The first 75 are kept between the marks; the end mark is always there.
    """
    tokeniser = _tokeniser()
    # ``encode``, since calling the tokeniser cuts what is too long silently.
    words = tokeniser.encode(prompt)
    kept, cut = words[:N_WORD_TOKENS], words[N_WORD_TOKENS:]
    ids = (tokeniser.sot_token_id, *kept, tokeniser.eot_token_id)
    return Tokens(ids, tokeniser.decode(cut).strip())


def token_batch(prompts: list[Tokens]) -> Tensor:
    """Token ids int64 ``[B, 77]``, zeros after the end mark."""
    batch = torch.zeros(len(prompts), N_TOKENS, dtype=torch.int64)
    for row, tokens in zip(batch, prompts, strict=True):
        row[: len(tokens.ids)] = torch.tensor(tokens.ids)
    return batch


def clip_frames(video: Excerpt, seconds: float) -> Tensor:
    """The first ``int(8 seconds)`` frames at 8 fps as float32 ``[F, 3, 384, 384]``, normalised.

    Each is resized to a square, whatever its proportions (bicubic). One by one, so that a video is
    never in memory at its full size.

    Raises:
        MediaError: there is no video, or it ends more than 0.1 s before ``seconds``.
    """
    # Up to the end of the last whole frame: 8.06 s need no more video than 8 s.
    n_frames = int(CLIP_FPS * seconds)
    excerpt = replace(video, seconds=n_frames / CLIP_FPS)
    squares: list[Pixels] = []
    last_index = -1
    for frame in iterate_frames(excerpt, CLIP_FPS, shortfall_s=MAX_SHORTFALL_S):
        # A video below 8 fps, or at its end, gives one frame several times: it is resized once.
        is_repeated = frame.index == last_index
        if is_repeated:
            squares.append(squares[-1])
        else:
            squares.append(resize_frames(frame.pixels, SIDE_PIXELS, SIDE_PIXELS))
        last_index = frame.index
    mean, std = torch.tensor([MEAN, STD])[:, :, None, None]
    images = torch.from_numpy(np.stack(squares)).movedim(-1, 1).contiguous()
    normalised: Tensor = (images / 255 - mean) / std
    return normalised


@torch.inference_mode()
def image_features(model: Any, frames: Tensor) -> Tensor:
    """Unit vectors ``[F, 1024]``, float32 on the CPU, of normalised ``frames [F, 3, 384, 384]``.

    Patches are those of 378 pixels: the last 6 rows and columns fill no patch and are not used.
    """
    weight = model.visual.conv1.weight
    n_at_once = FRAMES_AT_ONCE_CPU if weight.device.type == "cpu" else FRAMES_AT_ONCE_GPU
    chunks = [
        model.encode_image(chunk.to(weight), normalize=True).float()
        for chunk in torch.split(frames, n_at_once)
    ]
    return torch.cat(chunks).cpu()


@torch.inference_mode()
def text_features(model: Any, tokens: Tensor) -> Tensor:
    """Unit vectors ``[B, 77, 1024]``, float32 on the CPU, one per token of ``tokens [B, 77]``.

    The states after the last norm, without the projection that the pooled feature would pass;
    those of the padding included.
    """
    weight = model.token_embedding.weight
    states = model.token_embedding(tokens.to(weight.device)) + model.positional_embedding
    states = model.transformer(states, attn_mask=model.attn_mask.to(weight.dtype))
    return functional.normalize(model.ln_final(states), dim=-1).float().cpu()


@cache
def _tokeniser() -> SimpleTokenizer:
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer(context_length=N_TOKENS)
