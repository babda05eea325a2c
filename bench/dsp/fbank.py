"""Kaldi's log-mel filter bank, in torch: the input that ImageBind's audio trunk was trained on.

Written from the definition of ``compute-fbank-feats`` (Povey et al., The Kaldi Speech Recognition
Toolkit, ASRU 2011), with the settings that audio transformers use: 25 ms Hann frames every 10 ms,
no dither, no energy. No padding at the ends.

Not ``torchaudio.compliance.kaldi.fbank``, which takes one waveform at a time and computes its bank
in float32: the logarithms differ by up to 1e-3 where a band has little power.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.dsp.mel import htk_mel_bank
from bench.errors import MediaError

FRAME_S = 0.025
SHIFT_S = 0.010
PREEMPHASIS = 0.97
LOWEST_HZ = 20.0
#: Powers are floored here before the logarithm: the spacing of float32 at one.
POWER_FLOOR = torch.finfo(torch.float32).eps


def fbank(waveforms: Tensor, sample_rate_hz: int, n_mels: int) -> Tensor:
    """Natural logarithm of mel powers, ``[..., n_mels, F]``, of ``waveforms [..., T]`` in [-1, 1].

    F = 1 + (T - 0.025 * rate) // (0.010 * rate): 198 for two seconds at 16 kHz. Each frame loses
    its mean and is pre-emphasised; bands lie between 20 Hz and half the rate.

    Raises:
        MediaError: the waveforms are shorter than one frame of 25 ms.
    """
    n_frame, n_shift = round(FRAME_S * sample_rate_hz), round(SHIFT_S * sample_rate_hz)
    if waveforms.shape[-1] < n_frame:
        raise MediaError(
            f"audio of {waveforms.shape[-1]} samples has no frame of {n_frame} samples "
            f"({FRAME_S * 1000:g} ms at {sample_rate_hz} Hz): use a longer one"
        )
    frames = waveforms.unfold(-1, n_frame, n_shift)
    frames = frames - frames.mean(dim=-1, keepdim=True)
    # A first sample counts as its own predecessor.
    previous = torch.cat([frames[..., :1], frames[..., :-1]], dim=-1)
    # Kaldi's window is symmetric; torch's default, periodic, is cut from one of a sample more.
    window = torch.hann_window(n_frame, periodic=False, device=frames.device)
    # The next power of two, to which Kaldi pads its frames.
    n_fft = 1 << (n_frame - 1).bit_length()
    spectrum = torch.fft.rfft((frames - PREEMPHASIS * previous) * window, n_fft)
    bank = htk_mel_bank(n_mels, n_fft, sample_rate_hz, LOWEST_HZ, sample_rate_hz / 2)
    powers: Tensor = spectrum.abs().square() @ torch.from_numpy(bank).to(frames)
    return powers.clamp(min=POWER_FLOOR).log().transpose(-1, -2)
