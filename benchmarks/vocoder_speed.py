"""How fast the vocoder is in chunks, beside the same network in one call and as usually written.

    python -m benchmarks.vocoder_speed [seconds]

Three ways to synthesise the same audio from a random spectrogram, with random weights of the full
size, on one thread: chunks of 256 frames with exact context; one call; and one call of the plain
implementation, in which the filters of the activations are grouped convolutions at twice the rate.
Wall and processor time are of one call each; ratios are of processor time, which survives a busy
machine. Exits with 1 if the waveforms differ or chunks are not faster than the plain
implementation.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
from torch import Tensor

from acfoley.codec import snake
from acfoley.codec.snake import AntialiasedSnake
from acfoley.codec.vocoder import CHUNK_FRAMES, VOCODER_44K, Vocoder, synthesise

TOLERANCE = 1e-5
FRAMES_PER_S = 44_100 / VOCODER_44K.hop_samples


def main() -> int:
    """Print the three times and the ratios."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    torch.set_num_threads(1)
    model = drawn_vocoder()
    n_frames = round(seconds * FRAMES_PER_S)
    mel = torch.randn(1, VOCODER_44K.n_mels, n_frames, generator=torch.Generator().manual_seed(1))
    synthesise(model, mel[..., :32])  # allocations and code paths of the first call
    chunks, chunks_s = timed(f"chunks of {CHUNK_FRAMES} frames", lambda: synthesise(model, mel))
    whole, whole_s = timed("one call", lambda: synthesise(model, mel, None))
    with patch.object(snake.AntialiasedSnake, "forward", plain_activation):
        plain, plain_s = timed("one call, plain", lambda: synthesise(model, mel, None))
    gap = max(float((other - chunks).abs().max()) for other in (whole, plain))
    print(f"{seconds:g} s of audio; largest difference {gap:.1e}, at most {TOLERANCE:g}")
    print(f"chunks are {whole_s / chunks_s:.2f} times as fast as one call")
    print(f"and {plain_s / chunks_s:.2f} times as fast as one call of the plain implementation")
    return int(gap > TOLERANCE or chunks_s > plain_s)


def drawn_vocoder() -> Vocoder:
    """The network under weights that keep its output below full scale."""
    generator = torch.Generator().manual_seed(0)
    model = Vocoder().eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 400
        gain = 0.5 if "convs" in name or "conv_post" in name else 1.0
        parameter.normal_(std=gain * fan_in**-0.5, generator=generator)
    return model


def plain_activation(module: AntialiasedSnake, signal: Tensor) -> Tensor:
    """The activation by its definition."""
    frequency, strength = (module.act[name].exp()[:, None] for name in ("alpha", "beta"))
    return snake.activate_by_definition(signal, frequency, 1 / (strength + snake.EPS))


def timed(title: str, work: Callable[[], Tensor]) -> tuple[Tensor, float]:
    """Return the result of ``work`` and its processor seconds, which are printed."""
    wall_s, busy_s = time.perf_counter(), time.process_time()
    result = work()
    wall_s, busy_s = time.perf_counter() - wall_s, time.process_time() - busy_s
    print(f"{title:<22} {wall_s:7.1f} s   {busy_s:7.1f} s of processors", flush=True)
    return result, busy_s


if __name__ == "__main__":
    sys.exit(main())
