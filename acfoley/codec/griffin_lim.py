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

from acfoley.codec.mel import MEL_44K, MelParams, mel_bank
from bench.seeds import stable_seed

N_MAGNITUDE_STEPS = 30
N_PHASE_STEPS = 32
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
        magnitudes = magnitudes.transpose(1, 2).contiguous()
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
        magnitudes = wanted
        for _ in range(N_MAGNITUDE_STEPS):
            magnitudes = magnitudes * wanted / (self.bank.T @ (self.bank @ magnitudes) + TINY)
        return magnitudes

    def _first_phases(self, magnitudes: Tensor) -> Tensor:
        """Phases ``[T, F]``, drawn from the method's name: the same for every clip of a length."""
        generator = torch.Generator().manual_seed(stable_seed("griffin-lim"))
        # Time is the slow axis of the draw, so that a longer sound begins with the same phases.
        drawn = torch.rand(magnitudes.shape[1:], generator=generator)
        phases: Tensor = 2 * torch.pi * drawn
        return phases.to(magnitudes.device).expand_as(magnitudes)

    def _spectrum(self, waveforms: Tensor) -> Tensor:
        """Frames of ``waveforms [B, N]`` as complex ``[B, T, F]``, none beyond the ends."""
        frames = waveforms.unfold(-1, self.params.n_fft, self.params.hop_samples) * self.window
        spectrum: Tensor = torch.fft.rfft(frames)
        return spectrum

    def _overlapped(self, spectrum: Tensor) -> Tensor:
        """The waveforms ``[B, N]`` whose frames are nearest to ``spectrum [B, T, F]``."""
        n_fft, hop = self.params.n_fft, self.params.hop_samples
        frames = torch.fft.irfft(spectrum, n=n_fft) * self.window
        weights = self.window.square().expand(1, spectrum.shape[1], -1)
        return _added(frames, hop) / _added(weights, hop).clamp(min=TINY)


def _added(frames: Tensor, hop: int) -> Tensor:
    """Overlapping ``frames [B, T, n_fft]`` added up, ``[B, hop * (T - 1) + n_fft]``."""
    n_frames, n_hops = frames.shape[1], frames.shape[2] // hop
    parts = frames.view(len(frames), n_frames, n_hops, hop)
    total = frames.new_zeros(len(frames), n_frames + n_hops - 1, hop)
    for place in range(n_hops):
        total[:, place : place + n_frames] += parts[:, :, place]
    return total.flatten(1)
