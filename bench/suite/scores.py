"""Scores: from the features of the true and the generated side to a number.

Per clip, from two ``Side``; per set, from the sides of all clips, one after another, to an estimate
with the contribution of each clip. A value of NaN means "not scored".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench import metrics
from bench.judges import Features
from bench.metrics import SetEstimate

#: Features of one audio, by extractor.
Side = Mapping[str, Features]

#: The seed of av-benchmark for the subsets of KID and the splits of the inception score.
SET_SEED = 2020
FEWEST_FOR_LIMIT = 4


def onset(true: Side, generated: Side, *, mode: str, field: str) -> float:
    """Return one field of the onset scores: accuracy, average_precision or f1."""
    return float(getattr(metrics.onset_scores(true["onset"], generated["onset"], mode=mode), field))


def mcd(true: Side, generated: Side) -> float:
    """Return the mel-cepstral distortion in dB."""
    return metrics.mel_cepstral_distortion(
        true["cepstra"]["cepstra"], generated["cepstra"]["cepstra"]
    )


def mcd_c1(true: Side, generated: Side) -> float:
    """Return the distortion in dB without the level."""
    return metrics.mcd_c1(true["cepstra_c1"]["cepstra"], generated["cepstra_c1"]["cepstra"])


def envelope(true: Side, generated: Side) -> float:
    """Return the correlation of the loudness envelopes."""
    return metrics.envelope_correlation(
        true["spectrum"]["envelope"], generated["spectrum"]["envelope"]
    )


def log_spectral(true: Side, generated: Side) -> float:
    """Return the log-spectral distance in dB."""
    return metrics.log_spectral_distance(
        true["spectrum"]["log_mel"], generated["spectrum"]["log_mel"]
    )


def kl(true: Side, generated: Side, *, extractor: str) -> float:
    """Return KL(true || generated) in nats, of one network's labels."""
    # kl_divergence compares rows: one row [1, C] for each side.
    logits = (side[extractor]["logits"][None] for side in (true, generated))
    return float(metrics.kl_divergence(*logits)[0])


def imagebind(true: Side, generated: Side) -> float:
    """Return the cosine of the video (true side) and the audio, times 100."""
    video = true["imagebind_picture"]["embedding"][None]
    audio = generated["imagebind_audio"]["embedding"][None]
    return 100.0 * float(metrics.cosine_score(video, audio)[0])


def clap(true: Side, generated: Side) -> float:
    """Return the cosine of the prompt (true side) and the audio, times 100."""
    prompt = true["clap_text"]["embedding"][None]
    audio = generated["clap_audio"]["embedding"][None]
    return 100.0 * float(metrics.cosine_score(prompt, audio)[0])


def desync(true: Side, generated: Side) -> float:
    """Return the mean absolute offset of two windows, in seconds."""
    # The true side, the video, is in the logits already: the network compares both.
    return float(metrics.desync(generated["sync"]["logits"]))


Rows = npt.NDArray[np.float32]


class Stacked(NamedTuple):
    """The rows ``[N, D]`` of all clips of one side, and the index of each clip's first row.

    A clip may have several embeddings (VGGish: one per 0.96 s). Memory is one float32 row per
    embedding, and a few times that in float64 while a metric is computed.
    """

    rows: Rows
    starts: npt.NDArray[np.int64]

    @property
    def n_clips(self) -> int:
        """The number of clips."""
        return len(self.starts)


def frechet(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the Frechet distance of the embeddings."""
    first, second = (_stack(side, extractor, "embedding") for side in (true, generated))
    # Patches of one clip depend on one another: their contributions are summed before any interval.
    found = metrics.frechet_estimate(first.rows, second.rows).by_clip(first.starts, second.starts)
    return replace(found, reason=_explain_missing_interval(first, second))


def frechet_limit(
    true: Iterable[Side], generated: Iterable[Side], *, extractor: str
) -> SetEstimate:
    """Return the distance extrapolated to unlimited generated samples; NaN for fewer than four."""
    first, second = (_stack(side, extractor, "embedding") for side in (true, generated))
    # Rows and not clips: VGGish has several embeddings for each clip.
    if len(second.rows) < FEWEST_FOR_LIMIT:
        reason = f"{len(second.rows)} samples: the limit needs at least {FEWEST_FOR_LIMIT}"
        return SetEstimate(math.nan, reason=reason)
    found = metrics.frechet_limit_estimate(first.rows, second.rows, np.random.default_rng(SET_SEED))
    return replace(
        found.by_clip(first.starts, second.starts), reason=_explain_missing_interval(first, second)
    )


def kernel(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the kernel distance (KID) of the embeddings."""
    first, second = (_stack(side, extractor, "embedding") for side in (true, generated))
    # RandomState, not a Generator: the subsets are those of the published numbers.
    found = metrics.kernel_estimate(first.rows, second.rows, np.random.RandomState(SET_SEED))
    return found.by_clip(first.starts, second.starts)


def inception(_: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the inception score of the generated side; NaN for fewer than ten clips."""
    logits = _stack(generated, extractor, "logits")
    return metrics.inception_estimate(logits.rows, np.random.RandomState(SET_SEED))


def _explain_missing_interval(first: Stacked, second: Stacked) -> str:
    """Return why a Frechet distance of these sets has no interval, "" where it has one.

    With no more clips than dimensions the bias of a single distance exceeds any interval.
    """
    n, width = min(first.n_clips, second.n_clips), first.rows.shape[1]
    reason = f"n = {n:,} clips in D = {width:,} dimensions: no interval below n > D"
    return reason if n <= width else ""


def _stack(sides: Iterable[Side], extractor: str, feature: str) -> Stacked:
    """Stack the rows ``[n, D]`` that each clip has of one feature."""
    rows = [np.atleast_2d(side[extractor][feature]) for side in sides]
    counts = np.array([len(each) for each in rows])
    # The cumulative sum is the end of each clip's rows; less its own count it is their start.
    return Stacked(np.concatenate(rows), np.cumsum(counts) - counts)
