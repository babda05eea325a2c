"""The faults that metrics are validated with, and the metrics that must follow each."""

from __future__ import annotations

from typing import NamedTuple

FRECHET = ("fd_passt", "fd_panns", "fd_vgg")
LABELS = ("kl_passt", "kl_panns")
ONSETS = ("onset_acc", "onset_ap", "onset_f1")
TIMBRE = ("mcd", "mcd_c1", "lsd")


class Fault(NamedTuple):
    """One corruption of true audio, in growing amounts.

    ``system`` is the oracle that applies it, and ``amounts`` are its arguments with their labels;
    the metrics ``followed_by`` must get worse with it. Without any, responses are only printed.
    """

    name: str
    system: str
    amounts: dict[str, str]
    followed_by: tuple[str, ...]

    def specs(self) -> list[str]:
        """Return the oracles to run, from the smallest amount to the largest."""
        return [f"{self.system}:{argument}" for argument in self.amounts]


def _counted(unit: str, *amounts: str) -> dict[str, str]:
    return {amount: f"{amount} {unit}".strip() for amount in amounts}


FAULTS = (
    Fault(
        "late",
        "oracle-shift",
        _counted("s", "0.05", "0.1", "0.15", "0.2", "0.3", "0.4", "0.5"),
        (*ONSETS, "env_corr", "desync"),
    ),
    Fault(
        # No claim: delays shorter than a frame change mcd like another timbre, mcd_c1 hardly.
        "hardly late",
        "oracle-shift",
        _counted("s", "0.0025", "0.005", "0.0125"),
        (),
    ),
    Fault(
        "other timbre",
        "oracle-timbre",
        _counted("", "0.1", "0.2", "0.4", "0.6", "0.8"),
        (*TIMBRE, *FRECHET),
    ),
    Fault(
        "other class",
        "oracle-class",
        {"0.25": "25 %", "0.5": "50 %", "0.75": "75 %", "1": "100 %"},
        (*LABELS, *TIMBRE, "ib"),
    ),
    Fault(
        "noise",
        "oracle-noise",
        _counted("dB", "-40", "-30", "-20", "-10", "0"),
        (*TIMBRE, *FRECHET, *LABELS),
    ),
    Fault(
        "low-pass",
        "oracle-lowpass",
        {"8000": "8 kHz", "4000": "4 kHz", "2000": "2 kHz", "1000": "1 kHz"},
        # mcd_c1 responds most strongly of all and saturates by 2 kHz.
        ("mcd", "lsd", *FRECHET, *LABELS),
    ),
    Fault(
        "quieter",
        "oracle-gain",
        _counted("dB", "-3", "-6", "-12", "-24"),
        ("mcd", "lsd"),
    ),
    Fault(
        "cut short",
        "oracle-cut",
        _counted("s", "0.5", "1", "2", "4"),
        ("onset_acc", "onset_f1", "lsd", "env_corr"),
    ),
    Fault(
        "too fast",
        "oracle-speed",
        _counted("%", "1", "2", "5", "10", "20"),
        (*TIMBRE, "env_corr"),
    ),
)
