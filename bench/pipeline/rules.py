"""The rules of a gate: which columns decide, how large a loss counts, at which level of error.

A loss counts where it exceeds the margin of its column. A margin is small against what separates
systems: for the paper's columns, against the step from its own baseline (MMAudio + CLAP) to
AC-Foley in its Table 1.

A file of rules is TOML::

    alpha = 0.05                           # chance of any false alarm, over all primary columns
    primary = ["mcd", "onset_acc", "ib"]   # the columns that decide

    [columns.mcd]
    absolute = 0.2                         # margin in the column's unit
    relative = 0.01                        # margin as a share of the base; the larger one holds
    alpha = 0.01                           # a stricter level for this column
    required = true                        # equivalence must be shown for this column

    [columns.ib]
    ignored = true                         # printed, never decides
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError, describe_cause
from bench.pipeline.columns import Names, split_names
from bench.suite import PROFILES, find_metrics

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


DEFAULT_ALPHA = 0.05
FILE_KEYS = ("alpha", "primary", "columns")
COLUMN_KEYS = ("absolute", "relative", "alpha", "required", "ignored")


@dataclass(frozen=True)
class ColumnRule:
    """The rule of one column; None leaves the default."""

    margin: Margin | None = None
    alpha: float | None = None
    is_required: bool = False
    is_ignored: bool = False


@dataclass(frozen=True)
class Rules:
    """``primary`` is None where the default columns decide.

    Raises:
        BenchError: a column is both primary and ignored.
    """

    alpha: float = DEFAULT_ALPHA
    primary: tuple[str, ...] | None = None
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.primary or ():
            if self.rule(name).is_ignored:
                raise BenchError(
                    f"{name} is both primary and ignored by the rules; drop one of them"
                )

    def rule(self, column: str) -> ColumnRule:
        """Return the rule of this column."""
        return self.columns.get(column, ColumnRule())

    def margin(self, column: str) -> Margin:
        """The margin of this column.

        Raises:
            BenchError: neither the rules nor the defaults have one.
        """
        margin = self.rule(column).margin or DEFAULT_MARGINS.get(column)
        if margin is None:
            raise BenchError(f"the column {column} has no default margin: give one with --rules")
        return margin


def read_rules(path: Path | None, primary: Names = None) -> Rules:
    """Return the rules of a file, or the default ones, with the primary columns that are named.

    Raises:
        BenchError: the file or a name is refused.
    """
    rules = load_rules(path) if path else Rules()
    names = split_names(primary)
    if names is None:
        return rules
    # A name given twice counts once: in Holm's adjustment it would count as two tests.
    columns = tuple(dict.fromkeys(check_column(name, "--primary") for name in names))
    if not columns:
        raise BenchError("--primary names no column")
    return replace(rules, primary=columns)


def load_rules(path: Path) -> Rules:
    """Read the rules of a gate.

    Raises:
        BenchError: the file is missing, is not TOML, or has an unknown column, key or value.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # TOMLDecodeError and UnicodeDecodeError are the latter
        raise BenchError(f"cannot read the rules {path}: {describe_cause(error)}") from error
    _check_keys(found, FILE_KEYS, str(path))
    columns = found.get("columns", {})
    if not isinstance(columns, dict):
        raise BenchError(f"{path}: columns is {columns!r}, expected tables like [columns.mcd]")
    for name in columns:
        check_column(name, str(path))
    return Rules(
        _alpha(found.get("alpha", DEFAULT_ALPHA), f"{path}: alpha"),
        _primary(found["primary"], str(path)) if "primary" in found else None,
        {name: _column_rule(value, f"{path}: columns.{name}") for name, value in columns.items()},
    )


def check_column(name: str, where: str) -> str:
    """Return the name of a column of the suite.

    Raises:
        BenchError: there is no such column; the message lists those there are.
    """
    # Of any profile, for rules are written before two runs are chosen; a column that the runs do
    # not have is reported by the gate.
    known = {row.name for profile in PROFILES for row in find_metrics(profile)}
    if name not in known:
        raise BenchError(f"{where}: no column {name!r}; there are: {', '.join(sorted(known))}")
    return name


def _check_keys(found: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    # A misspelt key would leave a default in force, and a gate that nobody knows to be weaker.
    if unknown := [key for key in found if key not in known]:
        raise BenchError(f"{where}: no key {unknown[0]!r}; there are: {', '.join(known)}")


def _primary(value: Any, where: str) -> tuple[str, ...]:
    # In a file a name that is given twice is refused: it is likely a slip for another one.
    is_names = isinstance(value, list) and value and all(isinstance(name, str) for name in value)
    if not is_names or len(set(value)) < len(value):
        raise BenchError(
            f"{where}: primary is {value!r}, expected a list of different column names"
        )
    return tuple(check_column(name, where) for name in value)


def _column_rule(value: Any, where: str) -> ColumnRule:
    if not isinstance(value, dict):
        raise BenchError(f"{where} is {value!r}, expected a table of {', '.join(COLUMN_KEYS)}")
    _check_keys(value, COLUMN_KEYS, where)
    rule = ColumnRule(
        _margin(value, where),
        _alpha(value["alpha"], f"{where}.alpha") if "alpha" in value else None,
        _flag(value, "required", where),
        _flag(value, "ignored", where),
    )
    # Its margin would have no effect, and the author of the file expects one.
    if rule.is_ignored and len(value) > 1:
        raise BenchError(f"{where} is ignored and has other rules too; drop one of them")
    return rule


def _margin(value: Mapping[str, Any], where: str) -> Margin | None:
    given = {key: value[key] for key in ("absolute", "relative") if key in value}
    for key, size in given.items():
        if not _is_number(size) or size < 0:
            raise BenchError(f"{where}.{key} is {size!r}, expected a number of at least 0")
    return Margin(**{key: float(size) for key, size in given.items()}) if given else None


def _alpha(value: Any, where: str) -> float:
    # At 0.5 a coin would do as well, and both tests of a column could hold at once.
    if not _is_number(value) or not 0 < value < 0.5:
        raise BenchError(f"{where} is {value!r}, expected a number between 0 and 0.5")
    return float(value)


def _is_number(value: Any) -> bool:
    # ``true`` is an int in Python, and TOML has ``inf`` and ``nan``.
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _flag(value: Mapping[str, Any], key: str, where: str) -> bool:
    found = value.get(key, False)
    if not isinstance(found, bool):
        raise BenchError(f"{where}.{key} is {found!r}, expected true or false")
    return found
