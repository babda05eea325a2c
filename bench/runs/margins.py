"""How large a loss may be before it counts: the margin of every column, with its reason.

The paper's columns are held to half or less of the smallest step between neighbouring systems of
its Table 1, so that a loss beyond the margin would move a system in that table.
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
        "neighbouring systems are 6 % apart (64.90 and 69.25); the floor holds near 0",
    ),
    DefaultMargin(
        ("fd_panns",),
        Margin(0.1, 0.03),
        "neighbouring systems are 2 to 6 % apart (8.59, 8.81, 9.51); the floor holds near 0",
    ),
    DefaultMargin(
        ("fd_vgg",),
        Margin(0.05, 0.03),
        "neighbouring systems are 3 % apart (3.87 and 3.98); the floor holds near 0",
    ),
    DefaultMargin(
        ("kl_passt", "kl_panns"),
        Margin(0.02),
        "the closest systems are 0.05 nats apart (1.12, 1.17)",
    ),
    DefaultMargin(("ib",), Margin(0.3), "the closest good systems are 0.7 apart (37.1 and 37.8)"),
    DefaultMargin(
        ("desync",),
        Margin(0.01),
        "the closest systems are 0.02 s apart (0.392, 0.410); a twentieth of its grid of 0.2 s",
    ),
    DefaultMargin(
        ("onset_acc", "onset_acc_hits", "onset_f1"),
        Margin(0.005),
        "systems are 0.01 apart (0.2735 and 0.2619): one onset of two hundred",
    ),
    DefaultMargin(
        ("onset_ap", "onset_ap_hits"),
        Margin(0.005),
        "systems are 0.005 to 0.01 apart (0.5107, 0.5173, 0.5257)",
    ),
    DefaultMargin(
        ("mcd", "mcd_c1", "mcd_ref"),
        Margin(0.1),
        "the closest systems are 0.24 dB apart (14.35 and 14.59)",
    ),
    DefaultMargin(
        ("lsd",), Margin(0.1), "not in the paper: the same as for MCD, which has the same unit"
    ),
    DefaultMargin(
        ("env_corr",), Margin(0.01), "not in the paper: a hundredth of the way to no relation"
    ),
    DefaultMargin(
        ("fd_inf_passt", "fd_inf_panns", "fd_inf_vgg"),
        Margin(0.1, 0.03),
        "as for the distances that they extrapolate",
    ),
    DefaultMargin(
        ("kid_passt", "kid_panns", "kid_vgg"),
        Margin(0.0001, 0.03),
        "not in the paper: as for FD; the floor is the last printed digit",
    ),
    DefaultMargin(("is_passt", "is_panns"), Margin(0.0, 0.03), "not in the paper: as for FD"),
    DefaultMargin(("clap",), Margin(0.3), "not in the paper: as for IB, the same kind of cosine"),
)

DEFAULT_MARGINS: Mapping[str, Margin] = {
    name: default.margin for default in DEFAULTS for name in default.columns
}
