"""Sound from a log-mel spectrogram without a network: the vocoder of the mini world.

Two guesses are made: magnitudes whose bands are those of the spectrogram, and phases that frames
overlapping one another agree on. The result has the right spectrum over time and audible phase
errors; it is no match for a trained vocoder, needs no weights, and is the same every time.

Source: Griffin & Lim, "Signal Estimation from Modified Short-Time Fourier Transform", IEEE TASSP
1984; Perraudin et al., "A Fast Griffin-Lim Algorithm", WASPAA 2013 (momentum); Lee & Seung,
"Algorithms for Non-negative Matrix Factorization", NIPS 2000 (magnitudes).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from acfoley.mel import MEL_44K, MelParams, mel_bank
from bench.files import stable_seed

N_MAGNITUDE_STEPS = 60
N_PHASE_STEPS = 60
MOMENTUM = 0.99
TINY = 1e-8


class GriffinLim(nn.Module):
    """Log-mel ``[B, n_mels, T]`` to waveforms ``[B, hop_samples * T]`` in [-1, 1].

    It has no weights. Clips do not depend on their batch.
    """

    bank: Tensor
    window: Tensor

    def __init__(self, params: MelParams = MEL_44K) -> None:
        super().__init__()
        self.params = params
        self.register_buffer("bank", mel_bank(params).T.contiguous(), persistent=False)
        self.register_buffer("window", torch.hann_window(params.n_fft), persistent=False)

    @torch.inference_mode()
    def forward(self, mel: Tensor) -> Tensor:
        """Synthesise the sound of ``mel``."""
        magnitudes = self._magnitudes(mel.exp())
        spectrum = torch.polar(magnitudes, self._first_phases(magnitudes))
        before = torch.zeros_like(spectrum)
        for _ in range(N_PHASE_STEPS):
            agreed = self._spectrum(self._overlapped(spectrum))
            moved = agreed + MOMENTUM * (agreed - before)
            spectrum = magnitudes * moved / moved.abs().clamp(min=TINY)
            before = agreed
        margin = self.params.margin_samples
        return self._overlapped(spectrum)[:, margin:-margin].clamp(-1, 1)

    def _magnitudes(self, bands: Tensor) -> Tensor:
        """Magnitudes ``[B, F, T]`` that are not negative and whose ``bands [B, n_mels, T]`` fit.

        Multiplicative updates of the least squares.
        """
        wanted = self.bank.T @ bands
        normal = self.bank.T @ self.bank
        magnitudes = wanted
        for _ in range(N_MAGNITUDE_STEPS):
            magnitudes = magnitudes * wanted / (normal @ magnitudes + TINY)
        return magnitudes

    def _first_phases(self, magnitudes: Tensor) -> Tensor:
        """Drawn from the method's name, the same for every clip of a length."""
        generator = torch.Generator().manual_seed(stable_seed("griffin-lim"))
        # Time is the slow axis of the draw, so that a longer sound begins with the same phases.
        drawn = torch.rand(magnitudes.shape[2], magnitudes.shape[1], generator=generator)
        phases: Tensor = 2 * torch.pi * drawn.T
        return phases.to(magnitudes.device).expand_as(magnitudes)

    def _spectrum(self, waveforms: Tensor) -> Tensor:
        """Frames of ``waveforms [B, N]`` as complex ``[B, F, T]``, none beyond the ends."""
        frames = waveforms.unfold(-1, self.params.n_fft, self.params.hop_samples) * self.window
        spectrum: Tensor = torch.fft.rfft(frames)
        return spectrum.transpose(1, 2)

    def _overlapped(self, spectrum: Tensor) -> Tensor:
        """The waveforms ``[B, N]`` whose frames are nearest to ``spectrum [B, F, T]``."""
        n_fft, hop = self.params.n_fft, self.params.hop_samples
        frames = torch.fft.irfft(spectrum, n=n_fft, dim=1) * self.window[:, None]
        total = _added(frames, n_fft, hop)
        weights = self.window.square()[None, :, None].expand(1, -1, frames.shape[2])
        return total / _added(weights, n_fft, hop).clamp(min=TINY)


def _added(frames: Tensor, n_fft: int, hop: int) -> Tensor:
    """Overlapping ``frames [B, n_fft, T]`` added up, ``[B, hop * (T - 1) + n_fft]``."""
    length = hop * (frames.shape[2] - 1) + n_fft
    summed = functional.fold(frames, (1, length), (1, n_fft), stride=(1, hop))
    return summed[:, 0, 0]
