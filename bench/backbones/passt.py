"""PaSST-S with stride 10: a spectrogram transformer that tags the 527 AudioSet classes.

Features of FD_PaSST, logits of KL_PaSST. Koutini et al., "Efficient Training of Audio Transformers
with Patchout", Interspeech 2022; the reference evaluator calls it through ``hear21passt``. Tensors
are named as in ``passt-s-f128-p16-s10-ap.476-swa.pt``.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.checkpoints.load import assign_state, load_state
from bench.dsp.mel import check_waveforms, htk_mel_bank, power_spectrogram

NAME = "passt"
PREPROCESSING = "1"
SAMPLE_RATE_HZ = 32_000
WIDTH, N_CLASSES = 768, 527

#: Ten seconds: the time positions were learned for this many samples, no more, no less.
N_SAMPLES = 10 * SAMPLE_RATE_HZ
PRE_EMPHASIS = 0.97
N_FFT, WINDOW, HOP = 1024, 800, 320
N_MELS, MIN_HZ, MAX_HZ = 128, 0.0, 15_000.0
LOG_OFFSET = 1e-5
MEL_SHIFT, MEL_SCALE = 4.5, 5.0

PATCH, STRIDE = 16, 10
#: Patches along frequency and time of 128 mel bands by 1000 frames.
GRID = (12, 99)
N_BLOCKS, N_HEADS = 12, 12
#: The second classifier, of training by distillation, is not asked.
UNUSED = ("head_dist.weight", "head_dist.bias")


class Attention(nn.Module):
    """Self-attention of all tokens ``[B, N, 768]`` with one another."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return what each token gathers, ``[B, N, 768]``."""
        heads = self.qkv(tokens).unflatten(-1, (3, N_HEADS, -1)).permute(2, 0, 3, 1, 4)
        gathered = functional.scaled_dot_product_attention(*heads.unbind(0))
        mixed: Tensor = self.proj(gathered.transpose(1, 2).flatten(2))
        return mixed


class Block(nn.Module):
    """Attention and a perceptron, each behind a layer norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn = Attention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = nn.Sequential(
            OrderedDict(
                fc1=nn.Linear(WIDTH, 4 * WIDTH), act=nn.GELU(), fc2=nn.Linear(4 * WIDTH, WIDTH)
            )
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens ``[B, N, 768]`` in and out."""
        attended = tokens + self.attn(self.norm1(tokens))
        refined: Tensor = attended + self.mlp(self.norm2(attended))
        return refined


class Passt(nn.Module):
    """Log-mel images ``[B, 128, 1000]`` to an embedding ``[B, 768]`` and logits ``[B, 527]``."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(1, WIDTH, PATCH, STRIDE)})
        self.cls_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.dist_token = nn.Parameter(torch.empty(1, 1, WIDTH))
        self.new_pos_embed = nn.Parameter(torch.empty(1, 2, WIDTH))
        self.freq_new_pos_embed = nn.Parameter(torch.empty(1, WIDTH, GRID[0], 1))
        self.time_new_pos_embed = nn.Parameter(torch.empty(1, WIDTH, 1, GRID[1]))
        self.blocks = nn.Sequential(*(Block() for _ in range(N_BLOCKS)))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, N_CLASSES))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean of the class and distillation tokens, and its logits, no sigmoid."""
        tokens = self.norm(self.blocks(self._tokens(images)))
        embedding = tokens[:, :2].mean(dim=1)
        return embedding, self.head(embedding)

    def _tokens(self, images: Tensor) -> Tensor:
        """The two extra tokens and the 12 x 99 patches with their positions, ``[B, 1190, 768]``."""
        grid = self.patch_embed["proj"](images.unsqueeze(1))
        grid = grid + self.time_new_pos_embed + self.freq_new_pos_embed
        extra = torch.cat([self.cls_token, self.dist_token], dim=1) + self.new_pos_embed
        patches = grid.flatten(2).transpose(1, 2)
        return torch.cat([extra.expand(len(images), -1, -1), patches], dim=1)


def load_passt(checkpoint: Path, device: torch.device | str = "cpu") -> Passt:
    """Return the network with the weights of ``checkpoint``, frozen, on ``device``.

    Raises:
        MissingError: there is no such file.
        BenchError: its tensors are not those of PaSST-S with stride 10, or it is damaged.
    """
    with torch.device("meta"):
        model = Passt()
    return assign_state(model, load_state(checkpoint), checkpoint, optional=UNUSED).to(device)


def front_end(waveforms: Tensor) -> Tensor:
    """Return log-mel images ``[B, 128, 1000]`` of 32 kHz ``waveforms [B, T]``.

    Shorter sounds are filled with zeros to 10 s. Pre-emphasis x[t + 1] - 0.97 x[t]; centred frames
    of 1024 samples every 320 under a symmetric Hann window of 800; power; 128 Kaldi mel bands up to
    15 kHz; (ln(x + 1e-5) + 4.5) / 5, which is -1.40259 for silence.

    Raises:
        MediaError: the sounds are longer than 10 s.
    """
    check_waveforms(waveforms, "PaSST", SAMPLE_RATE_HZ, longest=N_SAMPLES)
    padded = functional.pad(waveforms, (0, N_SAMPLES - waveforms.shape[1]))
    emphasised = padded[:, 1:] - PRE_EMPHASIS * padded[:, :-1]
    window = torch.hann_window(WINDOW, periodic=False)
    power = power_spectrogram(emphasised, window, n_fft=N_FFT, hop_samples=HOP)
    bank = torch.from_numpy(htk_mel_bank(N_MELS, N_FFT, SAMPLE_RATE_HZ, MIN_HZ, MAX_HZ))
    mel = bank.T.float().to(waveforms.device) @ power
    return ((mel + LOG_OFFSET).log() + MEL_SHIFT) / MEL_SCALE


@torch.inference_mode()
def embed(model: Passt, waveforms: Tensor) -> dict[str, Tensor]:
    """Return ``embedding [B, 768]`` and ``logits [B, 527]`` of 32 kHz ``waveforms [B, T]``.

    Both are float32 on the CPU.
    """
    device = next(model.parameters()).device
    embedding, logits = model(front_end(waveforms).to(device))
    return {"embedding": embedding.cpu(), "logits": logits.cpu()}
