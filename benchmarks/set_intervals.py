"""Time all metrics of sets with their intervals, at the size of a published test set.

    python benchmarks/set_intervals.py [--clips 8676]

Features of the widths of the three networks (PaSST 768, PANNs 2,048, VGGish 8 patches of 128 and
527 labels) are random; every set column of the suite is computed from them, with its interval, one
after another: as in a run, the first column of a network computes what the others share. Prints
the seconds of each by the clock and of the processor, and the peak memory of the process; exits
with 1 if all together take more than 90 s by the clock. Where other work shares the cores, use
OPENBLAS_NUM_THREADS=1 and the seconds of the processor.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time

import numpy as np

from bench.pipeline.aggregate import score_of_set
from bench.suite import PROFILES, Metric, SideSet

MOST_SECONDS = 90.0
N_LABELS = 527

#: Embeddings per clip and their width, by network.
EMBEDDINGS = {"passt": (1, 768), "panns": (1, 2_048), "vggish": (8, 128)}

Sides = list[dict[str, dict[str, np.ndarray]]]


def main() -> int:
    """Time every set column, print it, and return the exit code."""
    parser = argparse.ArgumentParser(description="Time the intervals of set metrics.")
    parser.add_argument("--clips", type=int, default=8_676)
    n_clips = parser.parse_args().clips
    metrics = [each for each in PROFILES["av-benchmark"] if each.score_set is not None]
    spent_s = 0.0
    for network in EMBEDDINGS:
        rng = np.random.default_rng(0)
        true, generated = (
            SideSet(draw_features(rng, network, n_clips, shift)) for shift in (0.0, 0.02)
        )
        for metric in (each for each in metrics if each.reads == (network,)):
            spent_s += time_metric(metric, true, generated, n_clips)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"all {len(metrics)} columns over {n_clips:,} clips: {spent_s:.1f} s on {os.cpu_count()} "
        f"cores, at most {MOST_SECONDS:.0f} s expected; {time.process_time():.1f} s busy and "
        f"{peak_gib:.2f} GiB with the features"
    )
    return int(spent_s > MOST_SECONDS)


def time_metric(metric: Metric, true: SideSet, generated: SideSet, n_clips: int) -> float:
    """Print one column with its interval; the seconds that it took."""
    if metric.score_set is None:
        raise ValueError(f"{metric.name} is not a metric of sets")
    start_s, start_busy_s = time.perf_counter(), time.process_time()
    estimate = metric.score_set(true, generated)
    score = score_of_set(estimate, [str(i) for i in range(n_clips)])
    seconds, busy_s = time.perf_counter() - start_s, time.process_time() - start_busy_s
    interval = f"{score.value:.4f} [{score.low:.4f}, {score.high:.4f}]"
    print(f"{metric.name:<13} {seconds:6.1f} s  {busy_s:6.1f} s busy  {interval}")
    return seconds


def draw_features(rng: np.random.Generator, network: str, n_clips: int, shift: float) -> Sides:
    """Rectified, mixed embeddings whose spectrum falls off, and labels that are fairly sure."""
    n_rows, width = EMBEDDINGS[network]
    mix = rng.normal(size=(width, width)).astype(np.float32) * np.arange(1, width + 1) ** -0.5
    mix = (mix / np.sqrt(width)).astype(np.float32)
    rows = rng.standard_normal((n_clips * n_rows, width), dtype=np.float32) @ mix + shift
    logits = 2.0 * rng.standard_normal((n_clips, N_LABELS), dtype=np.float32)
    embeddings = np.maximum(rows + 0.5, 0).astype(np.float32).reshape(n_clips, n_rows, width)
    return [
        {network: {"embedding": embedding, "logits": label}}
        for embedding, label in zip(embeddings, logits, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
