"""Measure what the mini codec keeps, and how much each condition lowers the loss.

    python -m benchmarks.mini_acfoley [CLIPS]

The first line is of clips of the split ``mini`` that were encoded and decoded (rendered before by
``bench data prepare mini``): Fréchet distance by the small PaSST, error of the loud bands, time.
The others give the loss of each shipped network on held-out training clips (features
that ``make mini-weights`` leaves) without a component; ``other`` is another clip's reference.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from acfoley.codec import Codec
from acfoley.codec.mel import MEL_44K, log_mel
from acfoley.mini.train import Work
from acfoley.mini.variants import (
    VARIANTS,
    open_mini_codec,
    open_mini_flow,
    variant_recipe,
)
from acfoley.network.conditions import COMPONENTS
from acfoley.params import SAMPLE_RATE_HZ, sequence_lengths
from acfoley.train.collate import Batch, Collator
from acfoley.train.dataset import FeatureDataset
from acfoley.train.loss import FlowMatchingLoss
from bench.io import bench_home
from bench.media import read_audio, resample
from bench.metrics import frechet_distance
from bench.mini_judges.weights import load_network
from bench.splits import open_split
from bench.types import FloatArray, Waveform

N_CLIPS = 24
SECONDS = 8.0
PASST_RATE_HZ = 32_000
#: Bands over this level in natural units are loud.
LOUD = -3.0
NEPER_DB = 20 / np.log(10)


def measure_codec(n_clips: int) -> None:
    """Print how well the codec reconstructs the first clips."""
    codec, passt = open_mini_codec(), load_network("passt")
    embeddings: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    errors, spent_s = [], 0.0
    for clip in open_split("mini").clips[:n_clips]:
        true = read_audio(clip.audio, mono=True).samples[0]
        started = time.process_time()
        decoded, error = _passed(codec, true)
        spent_s += time.process_time() - started
        errors.append(error)
        for found, audio in zip(embeddings, (true, decoded), strict=True):
            resampled = resample(audio, SAMPLE_RATE_HZ, PASST_RATE_HZ, "soxr_hq")
            with torch.inference_mode():
                found.append(passt(torch.from_numpy(resampled)[None])[0][0].double().numpy())
    distance = frechet_distance(*(np.stack(found) for found in embeddings))
    print(f"codec, {n_clips} clips: FD PaSST {distance:.2f}, loud bands off by "
          f"{np.mean(errors):.2f} dB, {spent_s / n_clips:.2f} s a clip")  # fmt: skip


def _passed(codec: Codec, audio: Waveform) -> tuple[Waveform, float]:
    """The waveform after encoding and decoding, and the mean error of its loud bands in dB."""
    n_samples = sequence_lengths(SECONDS).samples
    whole = torch.from_numpy(np.pad(audio, (0, n_samples - len(audio))))[None]
    latents = codec.encode(whole).mean
    true, kept = log_mel(whole, MEL_44K), codec.decode_mel(latents)
    error = (kept - true)[true > LOUD].abs().mean().item() * NEPER_DB
    return codec.synthesise(kept)[0, : len(audio)].numpy(), error


def measure_conditions() -> None:
    """Print the held-out loss of every shipped network without each component."""
    work = Work(bench_home() / "mini-acfoley")
    for variant in VARIANTS:
        collator = Collator(FeatureDataset([work.features("held-out")]), variant_recipe(variant))
        objective = FlowMatchingLoss(
            open_mini_flow(variant), sequence_lengths(SECONDS), bfloat16=False
        )
        losses = {
            name: _loss(objective, batch)
            for name, batch in _changed(collator.validation(collator.dataset.clips))
        }
        print(f"{variant}: " + ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items()))


def _changed(batch: Batch) -> Iterator[tuple[str, Batch]]:
    yield "all", batch
    for name in COMPONENTS:
        lost = {**batch.is_empty, name: torch.ones_like(batch.is_empty[name])}
        yield f"without {name}", replace(batch, is_empty=lost)
    assert batch.features.audio is not None  # noqa: S101 - every mini clip has a reference
    turned = replace(batch.features, audio=batch.features.audio.roll(7, dims=0))
    yield "other", replace(batch, features=turned)


@torch.no_grad()
def _loss(objective: FlowMatchingLoss, batch: Batch) -> float:
    return float(objective(batch).mean())


if __name__ == "__main__":
    measure_codec(int(sys.argv[1]) if sys.argv[1:] else N_CLIPS)
    measure_conditions()
