"""Time a clip from features to audio beside a plain implementation of the same networks.

    python -m benchmarks.generation_speed [steps]

From the features of a clip to its waveform, 8 s, at preset ``small_44k``: the flow network in 25
steps (``plain_flow`` describes the plain one) and the vocoder (``vocoder_speed``),
drawn weights, two clips. The flow is timed over fewer steps, all of which cost the same, and its
time is multiplied. Encoders and the codec's decoder are left out: they are the same on both sides.
Exits with 1 if both together are not 1.5 times as fast, by the clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
from torch import Tensor

from acfoley.codec import snake
from acfoley.codec.vocoder import VOCODER_44K, synthesise
from acfoley.params import sequence_lengths
from acfoley.sampling import N_STEPS, noise_for
from benchmarks.flow_speed import SECONDS, drawn_features, drawn_network, ours, prepare
from benchmarks.plain_flow import plain
from benchmarks.vocoder_speed import drawn_vocoder, plain_activation

PRESET = "small_44k"
TARGET_RATIO = 1.5
N_CLIPS = 2
FRAMES_PER_LATENT = 2


@torch.inference_mode()
def main() -> int:
    """Print seconds per clip of both parts on both sides, and the ratios."""
    n_steps = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    lengths = sequence_lengths(SECONDS)
    network = drawn_network(PRESET)
    features = drawn_features(network, N_CLIPS, lengths, "cpu")
    prepared = prepare(network)
    noise = noise_for(range(N_CLIPS), lengths.latents)
    vocoder = drawn_vocoder()
    shape = N_CLIPS, VOCODER_44K.n_mels, FRAMES_PER_LATENT * lengths.latents
    mel = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    synthesise(vocoder, mel[:1, :, :32])  # allocations and code paths of the first call

    def plain_vocoder() -> Tensor:
        with patch.object(snake.AntialiasedSnake, "forward", plain_activation):
            return torch.cat([synthesise(vocoder, each[None], None) for each in mel])

    flow_share = N_STEPS / n_steps
    seconds = {
        "flow": (
            flow_share * timed(lambda: plain(network, features, noise, lengths, n_steps)),
            flow_share * timed(lambda: ours(prepared, features, noise, lengths, n_steps)),
        ),
        "vocoder": (timed(plain_vocoder), timed(lambda: synthesise(vocoder, mel))),
    }
    return report(seconds)


def timed(work: Callable[[], Tensor]) -> float:
    """Seconds per clip, by the clock."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / N_CLIPS


def report(seconds: dict[str, tuple[float, float]]) -> int:
    """Print the table and return the exit code."""
    print(f"{PRESET}, {SECONDS:g} s, {N_STEPS} steps, {torch.get_num_threads()} threads, per clip")
    both = tuple(sum(side) for side in zip(*seconds.values(), strict=True))
    for name, (theirs, own) in {**seconds, "both": both}.items():
        print(f"{name:<8} plain {theirs:7.1f} s   ours {own:7.1f} s   ratio {theirs / own:.2f}")
    ratio = both[0] / both[1]
    print(f"ratio {ratio:.2f}, at least {TARGET_RATIO:g} expected")
    return int(ratio < TARGET_RATIO)


if __name__ == "__main__":
    sys.exit(main())
