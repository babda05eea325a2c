"""The rules of a gate: which columns decide, how large a loss counts, how sure one must be.

A file of rules is TOML::

    alpha = 0.05                           # chance of any false alarm, over all primary columns
    primary = ["mcd", "onset_acc", "ib"]   # the columns that decide

    [columns.mcd]
    absolute = 0.2                         # margin in the column's unit
    relative = 0.01                        # margin as a share of the base; the larger one holds
    alpha = 0.01                           # a stricter level for this column
    required = true                        # equivalence must be shown for this column

    [columns.ib]
    ignored = true                         # shown, never decides
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.pipeline.margins import DEFAULT_MARGINS, Margin
from bench.suite import PROFILES

DEFAULT_ALPHA = 0.05
KNOWN_COLUMNS = frozenset(metric.name for rows in PROFILES.values() for metric in rows)
FILE_KEYS = ("alpha", "primary", "columns")
COLUMN_KEYS = ("absolute", "relative", "alpha", "required", "ignored")


@dataclass(frozen=True)
class ColumnRule:
    """What a file says of one column; None where it leaves the default."""

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
        """What is said of this column."""
        return self.columns.get(column, ColumnRule())

    def margin(self, column: str) -> Margin:
        """The margin of this column."""
        return self.rule(column).margin or DEFAULT_MARGINS[column]


def load_rules(path: Path) -> Rules:
    """Read the rules of a gate.

    Raises:
        BenchError: there is no such file, it is not TOML, or it names a column, a key or a value
            that there is not.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"cannot read the rules {path}: {error}") from error
    _check_keys(found, FILE_KEYS, str(path))
    columns = found.get("columns", {})
    if not isinstance(columns, dict):
        raise BenchError(f"{path}: columns is {columns!r}, expected tables like [columns.mcd]")
    _check_columns(columns, str(path))
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
    if name not in KNOWN_COLUMNS:
        raise BenchError(
            f"{where}: no column {name!r}; there are: {', '.join(sorted(KNOWN_COLUMNS))}"
        )
    return name


def _check_columns(names: Mapping[str, Any], where: str) -> None:
    for name in names:
        check_column(name, where)


def _check_keys(found: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    if unknown := [key for key in found if key not in known]:
        raise BenchError(f"{where}: no key {unknown[0]!r}; there are: {', '.join(known)}")


def _primary(value: Any, where: str) -> tuple[str, ...]:
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
    if rule.is_ignored and len(value) > 1:
        raise BenchError(f"{where} is ignored and has other rules too; drop one of them")
    return rule


def _margin(value: Mapping[str, Any], where: str) -> Margin | None:
    given = {
        key: _size(value[key], f"{where}.{key}") for key in ("absolute", "relative") if key in value
    }
    return Margin(**given) if given else None


def _size(value: Any, where: str) -> float:
    if not _is_number(value) or value < 0:
        raise BenchError(f"{where} is {value!r}, expected a number of at least 0")
    return float(value)


def _alpha(value: Any, where: str) -> float:
    if not _is_number(value) or not 0 < value < 0.5:
        raise BenchError(f"{where} is {value!r}, expected a number between 0 and 0.5")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _flag(value: Mapping[str, Any], key: str, where: str) -> bool:
    found = value.get(key, False)
    if not isinstance(found, bool):
        raise BenchError(f"{where}.{key} is {found!r}, expected true or false")
    return found
