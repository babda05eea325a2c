"""The tensors of CLAP: under the official names, and under those of the package transformers.

The official file comes from LAION's training code, the networks from transformers, which has the
same two towers under other names. This module maps one to the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from torch import Tensor

Tower = Literal["audio", "text"]

#: Replacements in an official name, applied in this order.
RENAMES = (
    ("text_branch.", "text_model."),
    ("audio_branch.bn0.", "audio_branch.batch_norm."),
    ("audio_branch.", "audio_model.audio_encoder."),
    ("_projection.0.", "_projection.linear1."),
    ("_projection.2.", "_projection.linear2."),
    (".norm1.", ".layernorm_before."),
    (".norm2.", ".layernorm_after."),
    (".mlp.fc1.", ".intermediate.dense."),
    (".mlp.fc2.", ".output.dense."),
    (".attn.proj.", ".attention.output.dense."),
    (".attn.", ".attention.self."),
)

#: One official tensor holds all three, stacked.
STACKED = ".attention.self.qkv."
PARTS = ("query", "key", "value")

#: Tensors of the official file that no embedding needs: constants of the front end and the shifted
#: windows, the tagger that the audio tower was before, and a counter that older versions of
#: transformers wrote down.
UNUSED = (
    r"audio_branch\.(spectrogram_extractor|logmel_extractor|tscam_conv|head)\..*"
    r"|audio_branch\.layers\.\d+\.blocks\.\d+\.attn_mask"
    r"|text_branch\.embeddings\.position_ids"
)


def tower_state(state: Mapping[str, Tensor], tower: Tower) -> dict[str, Tensor]:
    """Of the official tensors return those of one tower, under the names of transformers.

    Unknown names stay as they are, so that the loader can reject them.
    """
    renamed: dict[str, Tensor] = {}
    for official, tensor in state.items():
        is_own = official.startswith((f"{tower}_branch.", f"{tower}_projection."))
        if not is_own or re.fullmatch(UNUSED, official):
            continue
        name = official
        for part, ours in RENAMES:
            name = name.replace(part, ours)
        # One matrix of the checkpoint is three of transformers: query, key and value.
        if STACKED in name and len(tensor) % len(PARTS) == 0:
            pieces = zip(PARTS, tensor.chunk(len(PARTS)), strict=True)
            renamed |= {name.replace("qkv", part): piece for part, piece in pieces}
        else:
            renamed[name] = tensor
    return renamed
