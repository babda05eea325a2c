"""The table of metrics: one row per column, in the order of the table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from bench.metrics import SetEstimate
from bench.suite import scores
from bench.suite.scores import Side

Against = Literal["target", "reference", "hits", "picture", "prompt"]


@dataclass(frozen=True)
class Metric:
    """One column.

    ``score(true, generated)`` computes the value of one clip from the features listed in ``reads``;
    NaN means "not scored", and ``undefined_for`` describes clips that have no value by definition.
    A metric of sets has ``score_set`` instead, which reads the sides of all clips one after another
    and returns the contribution of each. ``against`` is the true side: the clip's own audio
    (``target``), the reference audio of the request, annotated hits, the video (``picture``), or
    the prompt; ``true_reads`` lists its features where they differ from ``reads``. Clips shorter
    than ``shortest_s`` or longer than ``longest_s`` are not scored. ``has_chance`` adds the value
    of shuffled pairs to the column. ``is_extra`` columns are not in the paper's tables. A column
    that ``ignores_truth`` can be computed of clips without true audio whatever it is ``against``.
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
    score_set: Callable[[Iterable[Side], Iterable[Side]], SetEstimate] | None = None
    shortest_s: float = 0.0
    longest_s: float = math.inf
    has_chance: bool = False
    is_extra: bool = False
    undefined_for: str = ""
    ignores_truth: bool = False

    def accepts_length(self, seconds: float) -> bool:
        """Whether clips of this length can be scored."""
        return self.shortest_s <= seconds <= self.longest_s

    @property
    def reads_truth(self) -> bool:
        """Whether it compares with the clip's true audio."""
        return self.against == "target" and not self.ignores_truth

    @property
    def accepted_lengths(self) -> str:
        """The lengths that can be scored, in words: ``clips of 0.31 s and more``."""
        if math.isinf(self.longest_s):
            return f"clips of {self.shortest_s:g} s and more"
        if self.shortest_s == 0:
            return f"clips of up to {self.longest_s:g} s"
        return f"clips of {self.shortest_s:g} to {self.longest_s:g} s"

    def reads_of(self, side: str) -> tuple[str, ...]:
        """Return the extractors that this metric reads of a side (``generated`` or a true one)."""
        if side == "generated" or self.true_reads is None:
            return self.reads
        return self.true_reads


#: The lengths of audio that a network accepts, in seconds: PaSST has time embeddings for 10 s,
#: PANNs pools a spectrogram five times, VGGish needs one full patch of 0.96 s and its window.
LENGTHS_S = {"passt": (0.0, 10.0), "panns": (0.31, math.inf), "vggish": (0.975, math.inf)}


def _of_network(metric: Metric) -> Metric:
    """Add the lengths that the one network of the metric accepts."""
    # A metric of one network: the first feature names it.
    shortest_s, longest_s = LENGTHS_S[metric.reads[0]]
    return replace(metric, shortest_s=shortest_s, longest_s=longest_s)


def _frechet(suffix: str, label: str, network: str) -> Metric:
    summary = f"Frechet distance of {network} embeddings"
    score = partial(scores.frechet, extractor=network)
    return _of_network(
        Metric(
            f"fd_{suffix}", f"FD {label}", summary, (network,), None, "lower", 2, score_set=score
        )
    )


def _kl(suffix: str, label: str, network: str) -> Metric:
    summary = f"KL divergence of {network} labels from those of the true audio"
    score = partial(scores.kl, extractor=network)
    return _of_network(
        Metric(f"kl_{suffix}", f"KL {label}", summary, (network,), score, "lower", 2)
    )


def _set_extras(suffix: str, label: str, network: str) -> tuple[Metric, ...]:
    """Return the metrics of sets beyond the paper's for one network."""
    # From the distance they take the network, its lengths, and the direction.
    base = replace(_frechet(suffix, label, network), is_extra=True)
    limit = replace(
        base,
        name=f"fd_inf_{suffix}",
        label=f"FD-inf {label}",
        summary=f"Frechet distance of {network} embeddings, extrapolated to unlimited samples",
        score_set=partial(scores.frechet_limit, extractor=network),
    )
    kernel = replace(
        base,
        name=f"kid_{suffix}",
        label=f"KID {label}",
        summary=f"kernel distance of {network} embeddings",
        decimals=4,
        score_set=partial(scores.kernel, extractor=network),
    )
    if network == "vggish":
        return limit, kernel  # it has no labels
    inception = replace(
        base,
        name=f"is_{suffix}",
        label=f"IS {label}",
        summary=f"inception score of the {network} labels of the generated audio",
        better="higher",
        # It rates the labels of the generated side alone.
        ignores_truth=True,
        score_set=partial(scores.inception, extractor=network),
    )
    return limit, kernel, inception


#: The paper's columns that need networks, in its order.
NETWORK_ROWS = (
    _frechet("passt", "PaSST", "passt"),
    _frechet("panns", "PANNs", "panns"),
    _frechet("vgg", "VGG", "vggish"),
    _kl("passt", "PaSST", "passt"),
    _kl("panns", "PANNs", "panns"),
    Metric(
        "ib",
        "IB",
        "ImageBind cosine of video and audio, times 100",
        ("imagebind_audio",),
        scores.imagebind,
        "higher",
        1,
        against="picture",
        true_reads=("imagebind_picture",),
    ),
    Metric(
        "desync",
        "DeSync",
        "mean absolute offset by Synchformer in two windows of 4.8 s",
        ("sync",),
        scores.desync,
        "lower",
        3,
        "s",
        against="picture",
        # The extractor "sync" reads the video's tokens itself, so the true side adds nothing.
        true_reads=(),
        shortest_s=4.8,
    ),
)

MCD = Metric(
    "mcd",
    "MCD",
    "mel-cepstral distortion to the true audio, warped by frames of 5 ms",
    ("cepstra",),
    scores.mcd,
    "lower",
    2,
    "dB",
)

#: Columns beyond the paper's that need no network.
SIGNAL_EXTRAS = (
    Metric(
        "mcd_c1",
        "MCD c1",
        "mel-cepstral distortion without the level: c1 to c24 of 25 ms, exact alignment",
        ("cepstra_c1",),
        scores.mcd_c1,
        "lower",
        2,
        "dB",
        is_extra=True,
    ),
    Metric(
        "env_corr",
        "Env. corr.",
        "correlation of the loudness envelopes",
        ("spectrum",),
        scores.envelope,
        "higher",
        3,
        is_extra=True,
        undefined_for="clips with a side of constant level, such as silence",
    ),
    Metric(
        "lsd",
        "LSD",
        "log-spectral distance on 64 mel bands",
        ("spectrum",),
        scores.log_spectral,
        "lower",
        2,
        "dB",
        is_extra=True,
    ),
)


def _signal_rows(onset_mode: str, mcd: Metric) -> tuple[Metric, ...]:
    """Return the columns without networks, with onsets scored in this mode."""
    onset = partial(scores.onset, mode=onset_mode)
    # The other columns of onsets and hits differ from this one in what is named below.
    accuracy = Metric(
        "onset_acc",
        "Onset Acc.",
        "share of the true onsets that are matched within 0.1 s",
        ("onset",),
        partial(onset, field="accuracy"),
        "higher",
        4,
        has_chance=True,
        undefined_for="clips whose true audio has no onset",
    )
    precision = replace(
        accuracy,
        name="onset_ap",
        label="Onset AP",
        summary="average precision of the generated onsets",
        score=partial(onset, field="average_precision"),
    )
    f1 = replace(
        accuracy,
        name="onset_f1",
        label="Onset F1",
        summary="F-measure of the matched onsets",
        score=partial(onset, field="f1"),
        is_extra=True,
    )
    # Low where a system takes the timbre of its reference, and lowest where it copies it.
    mcd_ref = replace(
        mcd,
        name="mcd_ref",
        label="MCD ref.",
        summary="MCD to the reference that the system was given",
        against="reference",
        is_extra=True,
    )
    # Against hits that people annotated instead of onsets that a detector found in the true audio.
    hits = (
        replace(
            metric,
            name=f"{metric.name}_hits",
            label=f"{metric.label} (hits)",
            summary=summary,
            against="hits",
            is_extra=True,
        )
        for metric, summary in (
            (accuracy, "onset accuracy against annotated hits"),
            (precision, "onset AP against annotated hits"),
        )
    )
    return accuracy, precision, mcd, f1, *SIGNAL_EXTRAS, mcd_ref, *hits


#: Extras with networks take minutes for thousands of clips: computed only when asked for. The paper
#: does not measure agreement with the prompt (CLAP).
NETWORK_EXTRAS = (
    *_set_extras("passt", "PaSST", "passt"),
    *_set_extras("panns", "PANNs", "panns"),
    *_set_extras("vgg", "VGG", "vggish"),
    Metric(
        "clap",
        "CLAP",
        "CLAP cosine of prompt and audio, times 100",
        ("clap_audio",),
        scores.clap,
        "higher",
        1,
        against="prompt",
        true_reads=("clap_text",),
        is_extra=True,
    ),
)

#: ``strict`` has the definition of ``mcd_c1`` for ``mcd``: without the level and its quirks.
PROFILES: dict[str, tuple[Metric, ...]] = {
    "av-benchmark": (*NETWORK_ROWS, *_signal_rows("reference", MCD), *NETWORK_EXTRAS),
    "strict": (
        *NETWORK_ROWS,
        *_signal_rows("strict", replace(MCD, reads=("cepstra_c1",), score=scores.mcd_c1)),
        *NETWORK_EXTRAS,
    ),
}
