"""A waveform from a log-mel spectrogram without a network: the vocoder of the mini world.

Magnitudes are found from the mel bands by non-negative least squares, phases by the fast
Griffin-Lim algorithm. The result has the right spectrum over time and audible phase errors; it is
no match for a trained vocoder, needs no weights, and is deterministic.

Source: Griffin & Lim, "Signal Estimation from Modified Short-Time Fourier Transform", IEEE TASSP
1984; Perraudin et al., "A Fast Griffin-Lim Algorithm", WASPAA 2013 (momentum); Lee & Seung,
"Algorithms for Non-negative Matrix Factorization", NIPS 2000 (magnitudes).
"""

# Magnitudes. Given bands b = F m of magnitudes m >= 0 (F: the mel filters), the squared error is
# lowered by m <- m * (F^T b) / (F^T F m): a gradient step whose size makes the update a product
# of numbers that are not negative, so that m stays so (Lee and Seung, Eq. 4).
#
# Phases. C projects a spectrogram onto those of real waveforms (inverse, then forward STFT), M
# gives it the wanted magnitudes. Griffin and Lim iterate M(C(s)); the fast variant extrapolates,
#
#     t_n = C(M(y_{n-1})),   y_n = t_n + a (t_n - t_{n-1}),   a = 0.99,
#
# which gets to a lower error in as many steps. Its fixed points are many, and small changes of the
# spectrogram can lead to others: rounding of latents by 1e-6 moves samples by up to 5e-3.

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
        """Synthesise the waveforms of ``mel``."""
        magnitudes = self._magnitudes(mel.exp())
        magnitudes = magnitudes.transpose(1, 2).contiguous()
        spectrum = torch.polar(magnitudes, self._first_phases(magnitudes))
        before = torch.zeros_like(spectrum)
        for _ in range(N_PHASE_STEPS):
            agreed = self._spectrum(self._overlap_add(spectrum))
            moved = agreed + MOMENTUM * (agreed - before)
            spectrum = magnitudes * moved / moved.abs().clamp(min=TINY)
            before = agreed
        margin = self.params.margin_samples
        return self._overlap_add(spectrum)[:, margin:-margin].clamp(-1, 1)

    def _magnitudes(self, bands: Tensor) -> Tensor:
        """Find magnitudes ``[B, F, T]``, not negative, whose bands are ``bands [B, n_mels, T]``."""
        wanted = self.bank.T @ bands
        magnitudes = wanted
        for _ in range(N_MAGNITUDE_STEPS):
            magnitudes = magnitudes * wanted / (self.bank.T @ (self.bank @ magnitudes) + TINY)
        return magnitudes

    def _first_phases(self, magnitudes: Tensor) -> Tensor:
        """Draw phases ``[B, T, F]`` by a fixed seed: the same for every clip of a length."""
        generator = torch.Generator().manual_seed(stable_seed("griffin-lim"))
        # Time is the slow axis of the draw, so that longer audio begins with the same phases.
        drawn = torch.rand(magnitudes.shape[1:], generator=generator)
        phases: Tensor = 2 * torch.pi * drawn
        return phases.to(magnitudes.device).expand_as(magnitudes)

    def _spectrum(self, waveforms: Tensor) -> Tensor:
        """Frames of ``waveforms [B, N]`` as complex ``[B, T, F]``, none beyond the ends."""
        frames = waveforms.unfold(-1, self.params.n_fft, self.params.hop_samples) * self.window
        spectrum: Tensor = torch.fft.rfft(frames)
        return spectrum

    def _overlap_add(self, spectrum: Tensor) -> Tensor:
        """Return the waveforms ``[B, N]`` whose frames are nearest to ``spectrum [B, T, F]``."""
        n_fft, hop = self.params.n_fft, self.params.hop_samples
        frames = torch.fft.irfft(spectrum, n=n_fft) * self.window
        weights = self.window.square().expand(1, spectrum.shape[1], -1)
        return _sum_frames(frames, hop) / _sum_frames(weights, hop).clamp(min=TINY)


def _sum_frames(frames: Tensor, hop: int) -> Tensor:
    """Add up overlapping ``frames [B, T, n_fft]``, ``[B, hop * (T - 1) + n_fft]``."""
    n_frames, n_hops = frames.shape[1], frames.shape[2] // hop
    parts = frames.view(len(frames), n_frames, n_hops, hop)
    total = frames.new_zeros(len(frames), n_frames + n_hops - 1, hop)
    for hop_index in range(n_hops):
        total[:, hop_index : hop_index + n_frames] += parts[:, :, hop_index]
    return total.flatten(1)
