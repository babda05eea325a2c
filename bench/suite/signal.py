"""The columns that need no network: onsets, MCD and the spectral extras."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bench.suite import clips
from bench.suite.metric import Metric


def signal_rows(onset_mode: str) -> tuple[Metric, ...]:
    """The columns with onsets scored in this mode: ``reference`` or ``strict``."""
    onset = partial(clips.onset, mode=onset_mode)
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
    precision = Metric(
        "onset_ap",
        "Onset AP",
        "average precision of the generated onsets",
        ("onset",),
        partial(onset, field="average_precision"),
        "higher",
        4,
        has_chance=True,
        undefined_for="clips whose true audio has no onset",
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
    "mel-cepstral distortion to the true audio, warped by frames of 5 ms",
    ("cepstra",),
    clips.mcd,
    "lower",
    2,
    "dB",
)

MCD_C1 = Metric(
    "mcd_c1",
    "MCD c1",
    "mel-cepstral distortion without the level: c1 to c24 of 25 ms, exact alignment",
    ("cepstra",),
    clips.mcd_c1,
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
        clips.envelope,
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
        clips.log_spectral,
        "lower",
        2,
        "dB",
        is_extra=True,
    ),
)


def strict_signal_rows() -> tuple[Metric, ...]:
    """Quirks repaired; ``mcd`` takes the level-insensitive definition of ``mcd_c1``."""
    return tuple(
        replace(row, score=MCD_C1.score) if row.score is MCD.score else row
        for row in signal_rows("strict")
    )
