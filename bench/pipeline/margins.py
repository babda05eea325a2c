"""How large a loss may be before it counts: the margin of every column, with its reason.

A margin is small against what separates systems: for the paper's columns, against the step from its
own baseline (MMAudio + CLAP) to AC-Foley in its Table 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: The paper's ten columns, which decide unless others are named.
PRIMARY = (
    *("fd_passt", "fd_panns", "fd_vgg", "kl_passt", "kl_panns"),
    *("ib", "desync", "onset_acc", "onset_ap", "mcd"),
)


@dataclass(frozen=True)
class Margin:
    """A loss that does not count: ``absolute`` in the column's unit, ``relative`` to the base.

    Where both are given the larger one holds: a share of a value near 0 would be no margin at all.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def of(self, base: float) -> float:
        """The margin in the column's unit, for a base run of this value."""
        return max(self.absolute, self.relative * abs(base))

    def __str__(self) -> str:
        share = f"{100 * self.relative:g} % of the base"
        if self.absolute and self.relative:
            return f"{share}, at least {self.absolute:g}"
        return share if self.relative else f"{self.absolute:g}"


@dataclass(frozen=True)
class DefaultMargin:
    """The margin of some columns, and why it is that large."""

    columns: tuple[str, ...]
    margin: Margin
    reason: str


DEFAULTS: tuple[DefaultMargin, ...] = (
    DefaultMargin(
        ("fd_passt",),
        Margin(0.5, 0.03),
        "a ninth of the step from 70.80 to 56.00; the floor holds near 0",
    ),
    DefaultMargin(
        ("fd_panns",),
        Margin(0.1, 0.03),
        "a twentieth of the step from 7.95 to 4.93; the floor holds near 0",
    ),
    DefaultMargin(
        ("fd_vgg",),
        Margin(0.05, 0.03),
        "far below the step from 4.33 to 1.08; the floor holds near 0",
    ),
    DefaultMargin(
        ("kl_passt", "kl_panns"), Margin(0.02), "in nats; a sixteenth of the step from 1.17 to 0.84"
    ),
    DefaultMargin(("ib",), Margin(0.3), "a fifth of the step from 35.7 to 37.1"),
    DefaultMargin(
        ("desync",),
        Margin(0.01),
        "in seconds; a twentieth of the grid of 0.2 s, half of what the best two are apart "
        "(0.392 and 0.410)",
    ),
    DefaultMargin(
        ("onset_acc", "onset_acc_hits", "onset_f1"),
        Margin(0.005),
        "one onset of two hundred; a sixth of the step from 0.2511 to 0.2832",
    ),
    DefaultMargin(
        ("onset_ap", "onset_ap_hits"), Margin(0.005), "a quarter of the step from 0.5107 to 0.5317"
    ),
    DefaultMargin(
        ("mcd", "mcd_c1", "mcd_ref"),
        Margin(0.1),
        "in dB; a thirtieth of the step from 14.63 to 11.37",
    ),
    DefaultMargin(("lsd",), Margin(0.1), "in dB, as for MCD; not in the paper"),
    DefaultMargin(
        ("env_corr",),
        Margin(0.01),
        "a hundredth of the way from equal to unrelated; not in the paper",
    ),
    DefaultMargin(
        ("fd_inf_passt", "fd_inf_panns", "fd_inf_vgg"),
        Margin(0.1, 0.03),
        "as for FD; not in the paper",
    ),
    DefaultMargin(
        ("kid_passt", "kid_panns", "kid_vgg"),
        Margin(0.0001, 0.03),
        "as for FD, with the last printed digit as floor; not in the paper",
    ),
    DefaultMargin(("is_passt", "is_panns"), Margin(0.0, 0.03), "as for FD; not in the paper"),
    DefaultMargin(("clap",), Margin(0.3), "as for IB, a cosine times 100 too; not in the paper"),
)

DEFAULT_MARGINS: Mapping[str, Margin] = {
    name: default.margin for default in DEFAULTS for name in default.columns
}
