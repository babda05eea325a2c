"""The columns: what each metric is called, reads, compares with, and how it is printed.

To add a metric, add a row. A profile is one definition of every column: ``av-benchmark`` computes
each as the field's reference scripts do, quirks included, so that numbers can stand beside
published ones; ``strict`` repairs the quirks (``bench.metrics`` documents them one by one). Numbers
of different profiles never share a table. A change that moves any number raises ``SUITE_VERSION``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from bench.errors import BenchError
from bench.judges import Features, Judge

SUITE_VERSION = 1
DEFAULT_PROFILE = "av-benchmark"

#: Clips whose embeddings are held at a time.
BLOCK_CLIPS = 512

#: Features of one sound, by extractor.
Side = Mapping[str, Features]
Against = Literal["target", "reference", "hits", "picture"]


@dataclass(frozen=True)
class Metric:
    """One column.

    ``score(true, generated)`` gives the value of one clip from the features named in ``reads``;
    NaN means "not scored". A metric of a whole set has ``score_set`` instead, which reads the sides
    of all clips one after another. ``against`` says what the true side is: the clip's own sound
    (``target``), the one the system was given (``reference``), annotated hits, or the picture;
    ``true_reads`` names its features where they are others. Clips shorter than ``shortest_s`` or
    longer than ``longest_s`` are not scored. ``has_chance`` asks for the value that shuffled pairs
    reach, beside the column. ``is_extra`` columns are not in the paper's tables.
    """

    name: str
    label: str
    summary: str
    reads: tuple[str, ...]
    score: Callable[[Side, Side], float] | None
    better: Literal["higher", "lower"]
    decimals: int
    unit: str = ""
    against: Against = "target"
    true_reads: tuple[str, ...] | None = None
    score_set: Callable[[Iterable[Side], Iterable[Side]], float] | None = None
    shortest_s: float = 0.0
    longest_s: float = math.inf
    has_chance: bool = False
    is_extra: bool = False

    def suits(self, seconds: float) -> bool:
        """Whether clips of this length can be scored."""
        return self.shortest_s <= seconds <= self.longest_s

    def reads_of(self, side: str) -> tuple[str, ...]:
        """The extractors that this metric reads of one side (``generated`` or the true one)."""
        if side == "generated" or self.true_reads is None:
            return self.reads
        return self.true_reads


def _onset(true: Side, generated: Side, *, mode: str, field: str) -> float:
    from bench.metrics import onset_scores

    return float(getattr(onset_scores(true["onset"], generated["onset"], mode=mode), field))


def _mcd(true: Side, generated: Side) -> float:
    from bench.metrics import mel_cepstral_distortion

    return mel_cepstral_distortion(true["cepstra"]["cepstra"], generated["cepstra"]["cepstra"])


def _mcd_c1(true: Side, generated: Side) -> float:
    from bench.metrics import mcd_c1

    return mcd_c1(true["cepstra"]["cepstra_c1"], generated["cepstra"]["cepstra_c1"])


def _envelope(true: Side, generated: Side) -> float:
    from bench.metrics import envelope_correlation

    return envelope_correlation(true["spectrum"]["envelope"], generated["spectrum"]["envelope"])


def _log_spectral(true: Side, generated: Side) -> float:
    from bench.metrics import log_spectral_distance

    return log_spectral_distance(true["spectrum"]["log_mel"], generated["spectrum"]["log_mel"])


def _frechet(true: Iterable[Side], generated: Iterable[Side], *, extractor: str) -> float:
    from bench.metrics import FrechetStatistics, frechet_distance

    def statistics(sides: Iterable[Side]) -> FrechetStatistics:
        blocks = _blocks(np.atleast_2d(side[extractor]["embedding"]) for side in sides)
        return FrechetStatistics.of_blocks(blocks)

    return frechet_distance(statistics(true), statistics(generated))


def _blocks(rows: Iterable[npt.NDArray[np.float32]]) -> Iterator[npt.NDArray[np.float32]]:
    """Rows ``[n, D]`` gathered to blocks, so that each costs one product of matrices."""
    held: list[npt.NDArray[np.float32]] = []
    for row in rows:
        held.append(row)
        if len(held) == BLOCK_CLIPS:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


def _kl(true: Side, generated: Side, *, extractor: str) -> float:
    from bench.metrics import kl_divergence

    logits = (side[extractor]["logits"][None] for side in (true, generated))
    return float(kl_divergence(*logits)[0])


def _imagebind(true: Side, generated: Side) -> float:
    from bench.metrics import cosine_score

    picture = true["imagebind_picture"]["embedding"][None]
    sound = generated["imagebind_audio"]["embedding"][None]
    return 100.0 * float(cosine_score(picture, sound)[0])


def _desync(true: Side, generated: Side) -> float:
    from bench.metrics import desync

    return float(desync(generated["sync"]["logits"]))


#: The lengths that a network can hear, in seconds.
HEARD_S = {"passt": (0.0, 10.0), "panns": (0.31, math.inf), "vggish": (0.975, math.inf)}


def _fd(name: str, label: str, network: str) -> Metric:
    shortest_s, longest_s = HEARD_S[network]
    return Metric(
        name,
        label,
        f"Frechet distance of {network} embeddings",
        (network,),
        None,
        "lower",
        2,
        score_set=partial(_frechet, extractor=network),
        shortest_s=shortest_s,
        longest_s=longest_s,
    )


def _kl_row(name: str, label: str, network: str) -> Metric:
    shortest_s, longest_s = HEARD_S[network]
    return Metric(
        name,
        label,
        f"KL divergence of {network} labels from those of the true sound",
        (network,),
        partial(_kl, extractor=network),
        "lower",
        2,
        shortest_s=shortest_s,
        longest_s=longest_s,
    )


#: The paper's columns that need networks, in its order.
NETWORK_ROWS = (
    _fd("fd_passt", "FD PaSST", "passt"),
    _fd("fd_panns", "FD PANNs", "panns"),
    _fd("fd_vgg", "FD VGG", "vggish"),
    _kl_row("kl_passt", "KL PaSST", "passt"),
    _kl_row("kl_panns", "KL PANNs", "panns"),
    Metric(
        "ib",
        "IB",
        "ImageBind cosine of picture and sound, times 100",
        ("imagebind_audio",),
        _imagebind,
        "higher",
        1,
        against="picture",
        true_reads=("imagebind_picture",),
    ),
    Metric(
        "desync",
        "DeSync",
        "mean absolute offset that Synchformer hears in two windows of 4.8 s",
        ("sync",),
        _desync,
        "lower",
        3,
        "s",
        against="picture",
        true_reads=(),
        shortest_s=4.8,
    ),
)


def _rows(onset_mode: str) -> tuple[Metric, ...]:
    onset = partial(_onset, mode=onset_mode)
    accuracy = Metric(
        "onset_acc",
        "Onset Acc.",
        "share of the true onsets that are matched within 0.1 s",
        ("onset",),
        partial(onset, field="accuracy"),
        "higher",
        4,
        has_chance=True,
    )
    precision = Metric(
        "onset_ap",
        "Onset AP",
        "average precision of the generated onsets",
        ("onset",),
        partial(onset, field="average_precision"),
        "higher",
        4,
        has_chance=True,
    )
    f1 = replace(
        accuracy,
        name="onset_f1",
        label="Onset F1",
        summary="F-measure of the matched onsets",
        score=partial(onset, field="f1"),
        is_extra=True,
    )
    return (*NETWORK_ROWS, accuracy, precision, MCD, f1, *EXTRAS, *_variants(accuracy, precision))


def _variants(accuracy: Metric, precision: Metric) -> tuple[Metric, ...]:
    """The same definitions against another true side."""
    return (
        replace(
            MCD,
            name="mcd_ref",
            label="MCD ref.",
            summary="MCD to the reference that the system was given",
            against="reference",
            is_extra=True,
        ),
        replace(
            accuracy,
            name="onset_acc_hits",
            label="Onset Acc. (hits)",
            summary="onset accuracy against annotated hits",
            against="hits",
            is_extra=True,
        ),
        replace(
            precision,
            name="onset_ap_hits",
            label="Onset AP (hits)",
            summary="onset AP against annotated hits",
            against="hits",
            is_extra=True,
        ),
    )


MCD = Metric(
    "mcd",
    "MCD",
    "mel-cepstral distortion to the true sound",
    ("cepstra",),
    _mcd,
    "lower",
    2,
    "dB",
)

MCD_C1 = Metric(
    "mcd_c1",
    "MCD c1",
    "mel-cepstral distortion without the level: c1 to c24, exact alignment",
    ("cepstra",),
    _mcd_c1,
    "lower",
    2,
    "dB",
    is_extra=True,
)

EXTRAS = (
    MCD_C1,
    Metric(
        "env_corr",
        "Env. corr.",
        "correlation of the loudness envelopes",
        ("spectrum",),
        _envelope,
        "higher",
        3,
        is_extra=True,
    ),
    Metric(
        "lsd",
        "LSD",
        "log-spectral distance on 64 mel bands",
        ("spectrum",),
        _log_spectral,
        "lower",
        2,
        "dB",
        is_extra=True,
    ),
)


def _strict_rows() -> tuple[Metric, ...]:
    """Quirks repaired; ``mcd`` takes the level-insensitive definition of ``mcd_c1``."""
    return tuple(
        replace(row, score=MCD_C1.score) if row.score is MCD.score else row
        for row in _rows("strict")
    )


PROFILES: dict[str, tuple[Metric, ...]] = {
    "av-benchmark": _rows("reference"),
    "strict": _strict_rows(),
}


def select(profile: str, names: Iterable[str] | None = None) -> tuple[Metric, ...]:
    """Return a profile's rows of these names in the table's order; None means all of them.

    Raises:
        BenchError: no such profile or metric; the message lists those there are.
    """
    if profile not in PROFILES:
        raise BenchError(f"no profile {profile!r}; there are: {', '.join(PROFILES)}")
    rows = PROFILES[profile]
    if names is None:
        return rows
    wanted = list(names)
    known = [row.name for row in rows]
    if unknown := [name for name in wanted if name not in known]:
        raise BenchError(f"no metric {unknown[0]!r}; there are: {', '.join(known)}")
    return tuple(row for row in rows if row.name in wanted)


def computable(metrics: Iterable[Metric], judge: Judge) -> tuple[Metric, ...]:
    """Those of the metrics that this judge has the extractors for."""
    known = {extractor.name for extractor in judge.extractors}
    return tuple(
        metric for metric in metrics if {*metric.reads, *metric.reads_of(metric.against)} <= known
    )
