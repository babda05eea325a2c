"""The judges' front ends and PaSST's attention beside those of the published packages.

    python -m benchmarks.packages_speed [rounds]

Both sides of a row take turns in one process and on one thread, so that ratios hold on a busy
machine: CPU time of the package over ours (above 1: ours is faster), and the largest difference of
the values.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.backbones import panns, passt
from bench.backbones.requirements import import_published
from bench.checkpoints.load import assign_state
from tests.backbones.seeded import drawn_state

SECONDS = 8


def main() -> int:
    """Print one row per comparison."""
    n_rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    torch.set_num_threads(1)
    # hear21passt's front end calls two deprecated functions of torch.
    warnings.simplefilter("ignore")
    print(f"{'':24s} package / ours   largest difference")
    with torch.inference_mode():
        for name, ours, package in (*_front_ends(), _attention()):
            difference = float((ours() - package()).abs().max())
            print(f"{name:24s} {_ratio(ours, package, n_rounds):14.2f} {difference:20.1e}")
    return 0


def _front_ends() -> list[tuple[str, Callable[[], Tensor], Callable[[], Tensor]]]:
    at_16k, at_32k = _noise(16_000), _noise(32_000)
    stft = import_published("torchlibrosa", "stft")
    power = stft.Spectrogram(panns.N_FFT, panns.HOP, panns.N_FFT)
    bands = panns.SAMPLE_RATE_HZ, panns.N_FFT, panns.N_MELS, panns.MIN_HZ, panns.MAX_HZ
    log_mel = stft.LogmelFilterBank(*bands, top_db=None)
    preprocess = import_published("hear21passt", "models.preprocess")
    images = preprocess.AugmentMelSTFT(fmax=15_000, fmax_aug_range=2000, fmin_aug_range=10).eval()
    padded = torch.nn.functional.pad(at_32k, (0, passt.N_SAMPLES - at_32k.shape[1]))
    return [
        (
            "PANNs front end",
            lambda: panns.front_end(at_16k),
            lambda: log_mel(power(at_16k))[:, 0],
        ),
        ("PaSST front end", lambda: passt.front_end(at_32k), lambda: images(padded)),
    ]


def _attention() -> tuple[str, Callable[[], Tensor], Callable[[], Tensor]]:
    fused, plain = (passt.build_network(is_fused=is_fused) for is_fused in (True, False))
    state = drawn_state(fused.state_dict())
    fused, plain = (assign_state(network, state, Path("drawn")) for network in (fused, plain))
    image = passt.front_end(_noise(passt.SAMPLE_RATE_HZ)).unsqueeze(1)
    return "PaSST network", lambda: fused(image)[1], lambda: plain(image)[1]


def _noise(rate_hz: int) -> Tensor:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, SECONDS * rate_hz))
    return torch.from_numpy(noise.astype(np.float32))


def _ratio(ours: Callable[[], Tensor], package: Callable[[], Tensor], n_rounds: int) -> float:
    """Median CPU time of the package over that of our code, measured in turns."""
    spent: list[list[float]] = [[], []]
    for _ in range(n_rounds):
        for compute, seconds in zip((ours, package), spent, strict=True):
            started = time.process_time()
            compute()
            seconds.append(time.process_time() - started)
    return float(np.median(spent[1]) / np.median(spent[0]))


if __name__ == "__main__":
    sys.exit(main())
