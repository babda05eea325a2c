"""The activation of the vocoder: x + sin²(alpha x) / beta, anti-aliased.

A sine of a signal has overtones above half the sampling rate, which alias. So the signal is
brought to twice its rate, the function applied, and the rate halved again, each through a low-pass
filter of 12 taps. On a CPU compiled code does it (``snake_cpu``). For inference only: there are no
gradients.

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
    """Return the 12 taps of both filters: a sinc of a quarter of the rate, Kaiser-windowed.

    The window's attenuation is that of a transition of 0.6 of the rate (Kaiser's formula), and the
    taps sum to one, in float32 as published.
    """
    # Kaiser: an attenuation of A dB over a transition of width d (in cycles per sample) takes
    # (A - 7.95) / (2.285 * 2 pi d) taps; here the number is fixed and A follows. beta is his
    # approximation for A > 50 dB. h(t) = 2 f sinc(2 f t) is the ideal low-pass of cutoff f.
    attenuation_db = 2.285 * (N_TAPS // 2 - 1) * torch.pi * 4 * HALF_WIDTH + 7.95
    window = torch.kaiser_window(N_TAPS, periodic=False, beta=0.1102 * (attenuation_db - 8.7))
    times = torch.arange(N_TAPS) - (N_TAPS - 1) / 2
    taps = 2 * CUTOFF * window * torch.sinc(2 * CUTOFF * times)
    return tuple((taps / taps.sum()).tolist())


class AntialiasedSnake(nn.Module):
    """x + sin²(x exp(alpha)) / exp(beta) at twice the rate, per channel, of ``[B, C, T]``.

    Ends are continued by their last value. The result has the shape of the input.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        parts = {name: nn.Parameter(torch.empty(n_channels)) for name in ("alpha", "beta")}
        self.act = nn.ParameterDict(parts)

    def forward(self, signal: Tensor) -> Tensor:
        """Activate ``signal``."""
        frequency = self.act["alpha"].exp()
        strength = 1 / (self.act["beta"].exp() + EPS)
        if signal.device.type == "cpu" and signal.dtype == torch.float32:
            from acfoley.codec import snake_cpu

            return snake_cpu.activate(signal, frequency, strength, lowpass_taps())
        return activate(signal, frequency[:, None], strength[:, None])


# Doubling the rate puts a zero after every sample x[n] and filters by 2 h, since zeros halve the
# level:
#
#     u[m] = 2 sum_k h[k] z[m - k],   z[2 n] = x[n],  z[2 n + 1] = 0.
#
# For even m only the even taps meet samples, for odd m only the odd ones, so that the two phases
#
#     u[2 n]     = 2 sum_j h[2 j]     x[n - j]
#     u[2 n + 1] = 2 sum_j h[2 j + 1] x[n - j]
#
# are convolutions of x with 6 taps each: half of the products of z with 12. Likewise the halved
# rate y[n] = sum_k h[k] v[2 n - k] splits into the even and the odd samples of v. So the phases
# need never be interleaved. ``activate_by_definition`` does, and is the slow twin for tests.


def activate(signal: Tensor, frequency: Tensor, strength: Tensor) -> Tensor:
    """Return x + strength sin²(frequency x) at twice the rate, of ``signal [B, C, T]``.

    ``frequency`` and ``strength`` are ``[C, 1]``.
    """
    taps = lowpass_taps()
    odd_taps, even_taps = taps[1::2], taps[0::2]
    padded = functional.pad(signal, (SIDE, SIDE), mode="replicate")
    # Taps apply backwards: the sum runs over samples, not over delays.
    even = _filter(padded[..., :-1], [2 * tap for tap in reversed(odd_taps)])
    odd = _filter(padded[..., 1:], [2 * tap for tap in reversed(even_taps)])
    even, odd = _snake(even, frequency, strength), _snake(odd, frequency, strength)
    first, last = even[..., :1], odd[..., -1:]
    even, odd = _extend(first, even, last), _extend(first, odd, last)
    return _filter(even[..., 1:], odd_taps).add_(_filter(odd[..., :-1], even_taps))


def activate_by_definition(signal: Tensor, frequency: Tensor, strength: Tensor) -> Tensor:
    """Return the same as ``activate``, by interleaved samples and full filters: for tests."""
    n_channels, taps = signal.shape[1], torch.tensor(lowpass_taps())
    kernel = taps.expand(n_channels, 1, -1).to(signal)
    margin = N_TAPS // 2 - 1
    padded = functional.pad(signal, (margin, margin), mode="replicate")
    doubled = 2 * functional.conv_transpose1d(padded, kernel, stride=2, groups=n_channels)
    # Cut what stems from the padding, at twice the rate, and half of the filter's tail.
    cut = 2 * margin + margin
    doubled = doubled[..., cut : cut + 2 * signal.shape[-1]]
    curved = doubled + strength * (frequency * doubled).sin() ** 2
    curved = functional.pad(curved, (margin, N_TAPS // 2), mode="replicate")
    return functional.conv1d(curved, kernel, stride=2, groups=n_channels)


def _filter(signal: Tensor, taps: tuple[float, ...] | list[float]) -> Tensor:
    """Sum of ``taps`` times ``signal [B, C, T + 5]`` shifted by each, ``[B, C, T]``."""
    length = signal.shape[-1] - len(taps) + 1
    total = signal[..., :length] * taps[0]
    for shift, tap in enumerate(taps[1:], start=1):
        total.add_(signal[..., shift : shift + length], alpha=tap)
    return total


def _snake(signal: Tensor, frequency: Tensor, strength: Tensor) -> Tensor:
    return torch.addcmul(signal, (signal * frequency).sin_().square_(), strength)


def _extend(first: Tensor, middle: Tensor, last: Tensor) -> Tensor:
    """Repeat the first and the last value of the doubled rate beyond the ends of ``middle``."""
    shape = (*middle.shape[:-1], SIDE)
    return torch.cat([first.expand(shape), middle, last.expand(shape)], dim=-1)
