"""The activation of the vocoder: a periodic function between two times the rate.

A sine makes overtones that the rate cannot hold, and what cannot be held folds back as false tones.
So the signal is brought to twice its rate, the function applied, and the rate halved again, each
through a low-pass of 12 taps.

The published code interleaves the samples of the doubled rate. Here its even and odd samples stay
apart, which makes each filter six multiplications of whole rows, the same sums with half the work.
On a CPU compiled code does it (``snake_cpu``). For inference only: there are no gradients.

Source: Lee et al., "BigVGAN", ICLR 2023; Karras et al., "Alias-Free GAN" (StyleGAN3), NeurIPS 2021.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

N_TAPS = 12
CUTOFF, HALF_WIDTH = 0.25, 0.3
EPS = 1e-9
#: Each phase of a filter reaches this far to either side.
SIDE = N_TAPS // 4
#: How far, in samples, a value of the output depends on the input to either side of it.
REACH = 2 * SIDE - 1


@cache
def lowpass_taps() -> tuple[float, ...]:
    """The 12 taps of both filters: a sinc of a quarter of the rate under a Kaiser window.

    The window's attenuation is that of a transition of 0.6 of the rate (Kaiser's formula), and the
    taps sum to one, in float32 as published.
    """
    attenuation_db = 2.285 * (N_TAPS // 2 - 1) * torch.pi * 4 * HALF_WIDTH + 7.95
    window = torch.kaiser_window(N_TAPS, periodic=False, beta=0.1102 * (attenuation_db - 8.7))
    times = torch.arange(N_TAPS) - (N_TAPS - 1) / 2
    taps = 2 * CUTOFF * window * torch.sinc(2 * CUTOFF * times)
    return tuple((taps / taps.sum()).tolist())


class AntialiasedSnake(nn.Module):
    """x + sin²(x exp(alpha)) / exp(beta) at twice the rate, per channel: ``[B, C, T]`` to as much.

    Ends are continued by their last value.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        parts = {name: nn.Parameter(torch.empty(n_channels)) for name in ("alpha", "beta")}
        self.act = nn.ParameterDict(parts)

    def forward(self, signal: Tensor) -> Tensor:
        """Apply it to ``signal``."""
        frequency = self.act["alpha"].exp()
        strength = 1 / (self.act["beta"].exp() + EPS)
        if signal.device.type == "cpu" and signal.dtype == torch.float32:
            from acfoley.codec import snake_cpu

            return snake_cpu.activate(signal, frequency, strength, lowpass_taps())
        return activate(signal, frequency[:, None], strength[:, None])


def activate(signal: Tensor, frequency: Tensor, strength: Tensor) -> Tensor:
    """The same of given ``frequency [C, 1]`` and ``strength [C, 1]``, by torch."""
    taps = lowpass_taps()
    odd_taps, even_taps = taps[1::2], taps[0::2]
    padded = functional.pad(signal, (SIDE, SIDE), mode="replicate")
    # Doubling the rate halves the level, hence twice the taps; they apply backwards.
    even = _filtered(padded[..., :-1], [2 * tap for tap in reversed(odd_taps)])
    odd = _filtered(padded[..., 1:], [2 * tap for tap in reversed(even_taps)])
    even, odd = _snake(even, frequency, strength), _snake(odd, frequency, strength)
    first, last = even[..., :1], odd[..., -1:]
    even, odd = _continued(first, even, last), _continued(first, odd, last)
    return _filtered(even[..., 1:], odd_taps).add_(_filtered(odd[..., :-1], even_taps))


def _filtered(signal: Tensor, taps: tuple[float, ...] | list[float]) -> Tensor:
    """Sum of ``taps`` times ``signal [B, C, T + 5]`` shifted by each, ``[B, C, T]``."""
    length = signal.shape[-1] - len(taps) + 1
    total = signal[..., :length] * taps[0]
    for shift, tap in enumerate(taps[1:], start=1):
        total.add_(signal[..., shift : shift + length], alpha=tap)
    return total


def _snake(signal: Tensor, frequency: Tensor, strength: Tensor) -> Tensor:
    return torch.addcmul(signal, (signal * frequency).sin_().square_(), strength)


def _continued(first: Tensor, middle: Tensor, last: Tensor) -> Tensor:
    """``middle`` with the first and last value of the doubled rate repeated beyond its ends."""
    shape = (*middle.shape[:-1], SIDE)
    return torch.cat([first.expand(shape), middle, last.expand(shape)], dim=-1)
