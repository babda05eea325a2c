"""CLAP: embeddings of audio and prompts in one space, whose cosine measures how well they agree.

Wu et al., "Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and
Keyword-to-Caption Augmentation", 2023. The networks (HTSAT-base, RoBERTa-base) are those of the
package transformers, an extra of this one; weights are those of
``music_speech_audioset_epoch_15_esc_89.98.pt``, front end and order of steps those of LAION's
package laion_clap without fusion, but for one thing: of longer audio it takes the first 10 s,
while that package takes 10 s at random.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.checkpoints.load import assign_state, load_state, numpy_types
from bench.dsp.mel import check_waveforms, power_spectrogram, slaney_mel_bank
from bench.errors import MissingError
from bench.extras import describe_missing_module

SAMPLE_RATE_HZ = 48_000
WINDOW = 10 * SAMPLE_RATE_HZ
WIDTH = 512

N_FFT, HOP = 1024, 480
N_MELS, MIN_HZ, MAX_HZ = 64, 50.0, 14_000.0
POWER_FLOOR = 1e-10
#: Waveforms are rounded to 16 bits, as in training.
FULL_SCALE = 32_767

N_TOKENS = 77
#: RoBERTa-base reads up to 512 tokens; positions count from 2.
N_POSITIONS = 514

HTSAT_BASE = {
    "patch_embeds_hidden_size": 128,
    "hidden_size": 1024,
    "depths": [2, 2, 12, 2],
    "num_attention_heads": [4, 8, 16, 32],
    "projection_dim": WIDTH,
}
ROBERTA_BASE = {
    "max_position_embeddings": N_POSITIONS,
    "layer_norm_eps": 1e-5,
    "projection_dim": WIDTH,
}

Tower = Literal["audio", "text"]

#: The official file comes from LAION's training code, the networks from transformers, which has
#: the same two towers under other names: replacements in an official one, applied in this order.
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


def require_transformers() -> None:
    """Check that the package with the networks is installed.

    Raises:
        MissingError: it is not; the message has the command that installs it.
    """
    if find_spec("transformers") is None:
        raise MissingError(describe_missing_module("transformers", "CLAP") or "")


def load_clap_audio(checkpoint: Path, device: torch.device | str = "cpu") -> nn.Module:
    """Return the audio tower, frozen, on ``device``: for ``embed_audio``.

    Raises:
        MissingError: ``checkpoint`` does not exist, or transformers is not installed.
        BenchError: its tensors are not those of CLAP with HTSAT-base, or it is damaged.
    """
    require_transformers()
    from transformers import ClapAudioConfig, ClapAudioModelWithProjection

    with torch.device("meta"):
        tower: nn.Module = ClapAudioModelWithProjection(ClapAudioConfig(**HTSAT_BASE))
    return assign_state(tower, _official(checkpoint, "audio"), checkpoint).to(device)


def load_clap_text(checkpoint: Path, device: torch.device | str = "cpu") -> nn.Module:
    """Return the text tower, frozen, on ``device``: for ``embed_text``.

    Raises:
        MissingError: ``checkpoint`` does not exist, or transformers is not installed.
        BenchError: its tensors are not those of CLAP with RoBERTa-base, or it is damaged.
    """
    require_transformers()
    from transformers import ClapTextConfig, ClapTextModelWithProjection

    with torch.device("meta"):
        tower: nn.Module = ClapTextModelWithProjection(ClapTextConfig(**ROBERTA_BASE))
    # Counters, not weights: on the meta device they would have no values.
    counters = {
        "text_model.embeddings.position_ids": torch.arange(N_POSITIONS)[None],
        "text_model.embeddings.token_type_ids": torch.zeros(1, N_POSITIONS, dtype=torch.int64),
    }
    state = _official(checkpoint, "text") | counters
    return assign_state(tower, state, checkpoint).to(device)


def load_tokeniser(vocabulary: Path, merges: Path) -> Any:
    """Return RoBERTa's tokeniser from its two files; one thread at a time may use it.

    Raises:
        MissingError: transformers is not installed.
    """
    require_transformers()
    from transformers import RobertaTokenizer

    return RobertaTokenizer(str(vocabulary), str(merges))


def front_end(waveforms: Tensor) -> Tensor:
    """Return log-mel frames ``[B, 1001, 64]`` in dB of 48 kHz ``waveforms [B, T]``.

    The first 10 s; shorter audio is repeated as often as it fits and padded with zeros. Rounded to
    16 bits; centred frames of 1024 samples every 480 with mirrored ends, periodic Hann, power, 64
    Slaney mel bands from 50 to 14,000 Hz, 10 log10(max(x, 1e-10)).

    Raises:
        MediaError: the waveforms are empty.
    """
    check_waveforms(waveforms, "CLAP", SAMPLE_RATE_HZ)
    padded = waveforms[:, :WINDOW]
    padded = padded.repeat(1, WINDOW // padded.shape[1])
    padded = functional.pad(padded, (0, WINDOW - padded.shape[1]))
    # Truncated and not rounded to nearest, as NumPy converts floats to integers.
    padded = (padded.clamp(-1, 1) * FULL_SCALE).trunc() / FULL_SCALE
    power = power_spectrogram(padded, torch.hann_window(N_FFT), n_fft=N_FFT, hop_samples=HOP)
    bank = torch.from_numpy(slaney_mel_bank(N_MELS, N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ))
    mels = power.transpose(1, 2) @ bank.float().to(power.device)
    return 10 * mels.clamp(min=POWER_FLOOR).log10()


@torch.inference_mode()
def embed_audio(tower: nn.Module, log_mels: Tensor) -> dict[str, Tensor]:
    """Return ``embedding [B, 512]`` of length 1 from the output of ``front_end``."""
    output = tower(input_features=log_mels[:, None])
    return {"embedding": functional.normalize(output.audio_embeds, dim=-1)}


@torch.inference_mode()
def embed_text(tower: nn.Module, tokeniser: Any, prompts: Sequence[str]) -> dict[str, Tensor]:
    """Return ``embedding [B, 512]`` of length 1; of each prompt the first 77 tokens are read."""
    device = next(tower.parameters()).device
    read = tokenise(tokeniser, prompts)
    tokens, mask = (torch.from_numpy(each).to(device) for each in read)
    output = tower(input_ids=tokens, attention_mask=mask)
    return {"embedding": functional.normalize(output.text_embeds, dim=-1)}


def tokenise(tokeniser: Any, prompts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens ``[B, 77]`` padded with 1, and 1 where they are no padding, else 0; both int64."""
    read = tokeniser(
        list(prompts),
        padding="max_length",
        truncation=True,
        max_length=N_TOKENS,
        return_tensors="np",
    )
    return read["input_ids"].astype(np.int64), read["attention_mask"].astype(np.int64)


def _official(checkpoint: Path, tower: Tower) -> dict[str, Tensor]:
    # The file also stores the state of training, with numbers of NumPy.
    with torch.serialization.safe_globals(numpy_types()):
        state = load_state(checkpoint, key="state_dict", prefix="module.")
    return tower_state(state, tower)


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
