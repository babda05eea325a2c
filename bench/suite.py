"""The columns: what each metric is called, reads, compares with, and how it is printed.

To add a metric, add a row. A profile is one definition of every column: ``av-benchmark`` computes
each as the field's reference scripts do, quirks included, so that numbers can stand beside
published ones; ``strict`` repairs the quirks (``bench.metrics`` documents them one by one). Numbers
of different profiles never share a table. A change that moves any number raises ``SUITE_VERSION``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from bench.errors import BenchError
from bench.judges import Features

SUITE_VERSION = 1

#: Features of one sound, by extractor.
Side = Mapping[str, Features]
Against = Literal["target", "reference", "hits"]


@dataclass(frozen=True)
class Metric:
    """One column.

    ``score(true, generated)`` gives the value of one clip from the features named in ``reads``;
    NaN means "not scored". ``against`` says which sound is the true side: the clip's own
    (``target``), the one the system was given (``reference``), or annotated hits. ``has_chance``
    asks for the value that shuffled pairs reach, beside the column. ``is_extra`` columns are not in
    the paper's tables.
    """

    name: str
    label: str
    summary: str
    reads: tuple[str, ...]
    score: Callable[[Side, Side], float]
    better: Literal["higher", "lower"]
    decimals: int
    unit: str = ""
    against: Against = "target"
    has_chance: bool = False
    is_extra: bool = False


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
    return (accuracy, precision, MCD, f1, *EXTRAS, *_variants(accuracy, precision))


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
