"""Scores: from the features of the true and the generated side to a number.

Per clip, from two ``Side``; per set, from the sides of all clips, one after another, to an estimate
with the contribution of each clip. A value of NaN means "not scored".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench import metrics
from bench.judges import Features
from bench.metrics import Gaussian, SetEstimate

#: Features of one audio, by extractor.
Side = Mapping[str, Features]

#: The seed of av-benchmark for the subsets of KID and the splits of the inception score.
SET_SEED = 2020
FEWEST_FOR_LIMIT = 4

#: The last two onset features that were compared, the mode, and their scores.
_last_onsets: tuple[Features, Features, str, metrics.OnsetScores] | None = None


def onset(true: Side, generated: Side, *, mode: str, field: str) -> float:
    """Return one field of the onset scores: accuracy, average_precision or f1."""
    # A row has a column for every field, one after the other, and the match of a pair is most of
    # their work: the last one is kept. It holds for the very same objects, which it keeps alive so
    # that no others get their ids; nothing changes features in place.
    global _last_onsets  # noqa: PLW0603
    first, second, last = true["onset"], generated["onset"], _last_onsets
    if last is None or last[0] is not first or last[1] is not second or last[2] != mode:
        found = metrics.onset_scores(first, second, mode=mode)
        last = _last_onsets = (first, second, mode, found)
    return float(getattr(last[3], field))


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


class SideSet(Iterable[Side]):
    """The sides of all clips, read when they are first needed, and what metrics share of them.

    The columns of one network read the same embeddings. Their rows are stacked once, there is one
    Gaussian per network, and the distance from another set is kept: a limit (FD-infinity) reads
    its contributions. ``find_gaussian`` returns the Gaussian of rows, computed or kept before.
    """

    def __init__(
        self, sides: Iterable[Side], find_gaussian: Callable[[Rows], Gaussian] = Gaussian.of
    ) -> None:
        self._unread: Iterable[Side] | None = sides
        self._sides: tuple[Side, ...] = ()
        self._find_gaussian = find_gaussian
        self._stacked: dict[tuple[str, str], Stacked] = {}
        self._gaussians: dict[str, Gaussian] = {}
        self._distances: dict[str, tuple[SideSet, SetEstimate]] = {}

    @classmethod
    def of(cls, sides: Iterable[Side]) -> SideSet:
        """Return the sides as a set; a set as it is."""
        return sides if isinstance(sides, cls) else cls(sides)

    def __iter__(self) -> Iterator[Side]:
        # Not in the constructor: the inception score has a true side that it never reads.
        if self._unread is not None:
            self._sides, self._unread = tuple(self._unread), None
        return iter(self._sides)

    def stack(self, extractor: str, feature: str) -> Stacked:
        """Return the rows ``[n, D]`` that each clip has of one feature, one below the other."""
        if (extractor, feature) not in self._stacked:
            rows = [np.atleast_2d(side[extractor][feature]) for side in self]
            counts = np.array([len(each) for each in rows])
            # The cumulative sum is the end of each clip's rows; less its own count, their start.
            starts = np.cumsum(counts) - counts
            self._stacked[extractor, feature] = Stacked(np.concatenate(rows), starts)
        return self._stacked[extractor, feature]

    def gaussian(self, extractor: str) -> Gaussian:
        """Return the embeddings as a Gaussian."""
        if extractor not in self._gaussians:
            rows = self.stack(extractor, "embedding").rows
            self._gaussians[extractor] = self._find_gaussian(rows)
        return self._gaussians[extractor]

    def distance(self, generated: SideSet, extractor: str) -> SetEstimate:
        """Return the Fréchet distance of the embeddings, with contributions by row."""
        known = self._distances.get(extractor)
        if known is None or known[0] is not generated:
            sides = (each.stack(extractor, "embedding").rows for each in (self, generated))
            found = metrics.frechet_estimate(*sides, known=self.gaussian(extractor))
            known = self._distances[extractor] = generated, found
        return known[1]


def frechet(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the Frechet distance of the embeddings."""
    sets = SideSet.of(true), SideSet.of(generated)
    return _by_clip(sets[0].distance(sets[1], extractor), sets, extractor)


def frechet_limit(
    true: Iterable[Side], generated: Iterable[Side], *, extractor: str
) -> SetEstimate:
    """Return the distance extrapolated to unlimited generated samples; NaN for fewer than four."""
    sets = SideSet.of(true), SideSet.of(generated)
    first, second = (each.stack(extractor, "embedding").rows for each in sets)
    # Rows and not clips: VGGish has several embeddings for each clip.
    if len(second) < FEWEST_FOR_LIMIT:
        reason = f"{len(second)} samples: the limit needs at least {FEWEST_FOR_LIMIT}"
        return SetEstimate(math.nan, reason=reason)
    found = metrics.frechet_limit_estimate(
        first,
        second,
        np.random.default_rng(SET_SEED),
        known=sets[0].gaussian(extractor),
        distance=sets[0].distance(sets[1], extractor),
    )
    return _by_clip(found, sets, extractor)


def kernel(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the kernel distance (KID) of the embeddings."""
    first, second = (SideSet.of(s).stack(extractor, "embedding") for s in (true, generated))
    # RandomState, not a Generator: the subsets are those of the published numbers.
    found = metrics.kernel_estimate(first.rows, second.rows, np.random.RandomState(SET_SEED))
    return found.by_clip(first.starts, second.starts)


def inception(_: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> SetEstimate:
    """Return the inception score of the generated side; NaN for fewer than ten clips."""
    logits = SideSet.of(generated).stack(extractor, "logits")
    return metrics.inception_estimate(logits.rows, np.random.RandomState(SET_SEED))


def _by_clip(found: SetEstimate, sets: tuple[SideSet, SideSet], extractor: str) -> SetEstimate:
    """Return a Frechet estimate by clip, with the reason why it has no interval, "" for none.

    With no more clips than dimensions the bias of a single distance exceeds any interval.
    """
    first, second = (each.stack(extractor, "embedding") for each in sets)
    n, width = min(first.n_clips, second.n_clips), first.rows.shape[1]
    reason = f"n = {n:,} clips in D = {width:,} dimensions: no interval below n > D"
    # Patches of one clip depend on one another: their contributions are summed before any interval.
    by_clip = found.by_clip(first.starts, second.starts)
    return replace(by_clip, reason=reason if n <= width else "")
