"""Synchformer's encoders of audio and video, each segment by itself. Tokens are ``[..., N, 768]``.

Audio: a segment's image is cut into 12 x 6 overlapping patches (frequency x time). Twelve layers
attend to all of them; then the 12 frequencies of each time are pooled into one token.

Video: a segment of 16 frames is cut into 8 x 196 patches of 2 frames x 16 x 16 pixels, time
slowest. In each of twelve layers a patch attends first to its own position at all times, then to
all positions at its own time; the class token attends to all patches, and they to it. Last, the 196
positions of each time are pooled into one token.

Sources: Gong et al., "AST: Audio Spectrogram Transformer", Interspeech 2021; Bertasius et al., "Is
Space-Time Attention All You Need for Video Understanding?", ICML 2021; Patrick et al., "Keeping
Your Eye on the Ball" (Motionformer), NeurIPS 2021. Names of parts are those of the checkpoint.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 768
HIDDEN = 4 * WIDTH
#: Of both encoders; the transformer that compares them has fewer.
N_HEADS = 12
N_LAYERS = 12

PATCH_SIDE = 16
PATCH_STRIDE = 10
N_FREQUENCIES, N_TIMES = 12, 6
#: Class and distillation token, which take part in attention and are then dropped.
N_EXTRA = 2
#: Each encoder keeps the epsilon that its published parent was trained with.
AUDIO_EPS, VIDEO_EPS = 1e-12, 1e-6

VIDEO_PATCH = (2, 16, 16)
VIDEO_TIMES, N_POSITIONS = 8, 196
#: Axes of patches ``[N, 8, 196, D]``.
TIMES, POSITIONS = 1, 2


def attend(query: Tensor, key: Tensor, value: Tensor, n_heads: int = N_HEADS) -> Tensor:
    """Attention of queries ``[..., N, D]`` over keys and values ``[..., M, D]``, cut into heads."""
    # Four axes, [-1, H, N, D / H], whatever is in front: the fast kernels are made for them.
    queries, keys, values = (
        each.reshape(-1, each.shape[-2], n_heads, each.shape[-1] // n_heads).transpose(1, 2)
        for each in (query, key, value)
    )
    attended = functional.scaled_dot_product_attention(queries, keys, values)
    return attended.transpose(1, 2).reshape(query.shape)


class SelfAttention(nn.Module):
    """Every token attends to every token; ``has_projection`` mixes the heads at the end.

    In the audio encoder another part of the checkpoint does that.
    """

    def __init__(self, n_heads: int, *, has_projection: bool = False) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH) if has_projection else nn.Identity()

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, N, 768]`` to as many."""
        attended = attend(self.query(tokens), self.key(tokens), self.value(tokens), self.n_heads)
        mixed: Tensor = self.proj(attended)
        return mixed


class ClassTokenPool(nn.Module):
    """Tokens to one: a pre-norm encoder layer, of which only the class token's output is made."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.self_attn = nn.MultiheadAttention(WIDTH, N_HEADS, batch_first=True)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.linear1 = nn.Linear(WIDTH, HIDDEN)
        self.linear2 = nn.Linear(HIDDEN, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [B, T, N, 768]`` to ``[B, T, 768]``, over N."""
        groups = tokens.flatten(0, 1)
        groups = torch.cat([self.cls_token.expand(len(groups), -1, -1), groups], dim=1)
        # One query: the outputs of all other tokens would be thrown away.
        keys = self.norm1(groups)
        attended, _ = self.self_attn(keys[:, :1], keys, keys, need_weights=False)
        pooled: Tensor = groups[:, :1] + attended
        hidden = functional.gelu(self.linear1(self.norm2(pooled)))
        pooled = pooled + self.linear2(hidden)
        return pooled.reshape(*tokens.shape[:2], WIDTH)


class AudioEncoder(nn.Module):
    """Images of segments to 6 tokens each."""

    def __init__(self) -> None:
        super().__init__()
        self.ast = SpectrogramTransformer()
        self.freq_attn_agg = ClassTokenPool()

    def forward(self, images: Tensor) -> Tensor:
        """Normalised ``images [N, 128 mels, 66 frames]`` to ``[N, 6, 768]``."""
        patches = self.ast(images).reshape(-1, N_FREQUENCIES, N_TIMES, WIDTH)
        tokens: Tensor = self.freq_attn_agg(patches.transpose(1, 2))
        return tokens


class SpectrogramTransformer(nn.Module):
    """Images to the tokens of their patches, frequency by frequency."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = PatchEmbeddings()
        # A dict, as in other places here, for a name in the checkpoint: "encoder.layer.0".
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(AudioLayer() for _ in range(N_LAYERS))}
        )
        self.layernorm = nn.LayerNorm(WIDTH, eps=AUDIO_EPS)

    def forward(self, images: Tensor) -> Tensor:
        """``images [N, 128, 66]`` to ``[N, 72, 768]``."""
        tokens: Tensor = self.embeddings(images)
        for layer in self.encoder["layer"].children():
            tokens = layer(tokens)
        # A norm treats each token alone, so the two extra ones can be dropped before it.
        normed: Tensor = self.layernorm(tokens[:, N_EXTRA:])
        return normed


class PatchEmbeddings(nn.Module):
    """Images to tokens of patches with their positions."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.distillation_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        n_tokens = N_EXTRA + N_FREQUENCIES * N_TIMES
        self.position_embeddings = nn.Parameter(torch.empty(1, n_tokens, WIDTH))
        convolution = nn.Conv2d(1, WIDTH, PATCH_SIDE, PATCH_STRIDE)
        self.patch_embeddings = nn.ModuleDict({"projection": convolution})

    def forward(self, images: Tensor) -> Tensor:
        """``images [N, 128, 66]`` to ``[N, 74, 768]``."""
        patches = self.patch_embeddings["projection"](images.unsqueeze(1)).flatten(2).mT
        extra = torch.cat([self.cls_token, self.distillation_token], dim=1)
        tokens = torch.cat([extra.expand(len(images), -1, -1), patches], dim=1)
        return tokens + self.position_embeddings


class AudioLayer(nn.Module):
    """A pre-norm transformer layer, under the names that its checkpoint gives the parts."""

    def __init__(self) -> None:
        super().__init__()
        self.layernorm_before = nn.LayerNorm(WIDTH, eps=AUDIO_EPS)
        self.attention = nn.ModuleDict(
            {"attention": SelfAttention(N_HEADS), "output": _dense(WIDTH, WIDTH)}
        )
        self.layernorm_after = nn.LayerNorm(WIDTH, eps=AUDIO_EPS)
        self.intermediate = _dense(WIDTH, HIDDEN)
        self.output = _dense(HIDDEN, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [N, 74, 768]`` to as many."""
        attended = self.attention["attention"](self.layernorm_before(tokens))
        tokens = tokens + self.attention["output"](attended)
        hidden = functional.gelu(self.intermediate(self.layernorm_after(tokens)))
        change: Tensor = self.output(hidden)
        return tokens + change


def _dense(width_in: int, width_out: int) -> nn.Sequential:
    # The checkpoint calls the one layer inside "dense".
    dense = nn.Sequential()
    dense.add_module("dense", nn.Linear(width_in, width_out))
    return dense


class VideoEncoder(nn.Module):
    """Segments of frames to 8 tokens each."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + N_POSITIONS, WIDTH))
        self.temp_embed = nn.Parameter(torch.empty(1, VIDEO_TIMES, WIDTH))
        self.patch_embed_3d = nn.ModuleDict({"proj": nn.Conv3d(3, WIDTH, VIDEO_PATCH, VIDEO_PATCH)})
        self.blocks = nn.ModuleList(VideoLayer() for _ in range(N_LAYERS))
        self.norm = nn.LayerNorm(WIDTH, eps=VIDEO_EPS)
        self.spatial_attn_agg = ClassTokenPool()

    def forward(self, segments: Tensor) -> Tensor:
        """``segments [N, 16, 3, 224, 224]`` in [-1, 1] to ``[N, 8, 768]``."""
        patches = self.patch_embed_3d["proj"](segments.transpose(1, 2))
        patches = patches.flatten(3).permute(0, 2, 3, 1)
        patches = patches + self.pos_embed[:, None, 1:] + self.temp_embed[:, :, None]
        # The class token has a position and no time: it stands for all of them.
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(segments), -1, -1)
        tokens = torch.cat([first, patches.flatten(1, 2)], dim=1)  # [N, 1569, 768]
        for block in self.blocks:
            tokens = block(tokens)
        patches = self.norm(tokens[:, 1:])
        pooled: Tensor = self.spatial_attn_agg(patches.reshape(-1, VIDEO_TIMES, N_POSITIONS, WIDTH))
        return pooled


class VideoLayer(nn.Module):
    """A pre-norm transformer layer: time, space, and an MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm3 = nn.LayerNorm(WIDTH, eps=VIDEO_EPS)
        # The patches of one position share a group, so this one attends in time.
        self.timeattn = DividedAttention(POSITIONS)
        self.norm1 = nn.LayerNorm(WIDTH, eps=VIDEO_EPS)
        self.attn = DividedAttention(TIMES)
        self.norm2 = nn.LayerNorm(WIDTH, eps=VIDEO_EPS)
        parts = {"fc1": nn.Linear(WIDTH, HIDDEN), "gelu": nn.GELU()}
        self.mlp = nn.Sequential(OrderedDict(parts, fc2=nn.Linear(HIDDEN, WIDTH)))

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [N, 1569, 768]`` to as many."""
        tokens = tokens + self.timeattn(self.norm3(tokens))
        tokens = tokens + self.attn(self.norm1(tokens))
        change: Tensor = self.mlp(self.norm2(tokens))
        return tokens + change


class DividedAttention(nn.Module):
    """Patches attend to the class token and their group, which shares a time or a position."""

    def __init__(self, group_axis: int) -> None:
        super().__init__()
        self.group_axis = group_axis
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """``tokens [N, 1569, 768]`` to as many."""
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        # The class token alone attends to everything: N keys for one query, not for each patch.
        first = attend(query[:, :1], key, value)
        groups = attend(self._groups(query), self._context(key), self._context(value))
        patches = groups.movedim(1, self.group_axis).flatten(1, 2)
        mixed: Tensor = self.proj(torch.cat([first, patches], dim=1))
        return mixed

    def _groups(self, tokens: Tensor) -> Tensor:
        """The patches of ``tokens [N, 1569, D]``, group by group: ``[N, G, 1568 / G, D]``."""
        patches = tokens[:, 1:].reshape(-1, VIDEO_TIMES, N_POSITIONS, WIDTH)
        return patches.movedim(self.group_axis, 1)

    def _context(self, tokens: Tensor) -> Tensor:
        """The groups with the class token in front of each, ``[N, G, 1 + 1568 / G, D]``."""
        groups = self._groups(tokens)
        first = tokens[:, None, :1].expand(-1, groups.shape[1], -1, -1)
        return torch.cat([first, groups], dim=2)
