"""Systems, metrics and splits that installed packages declare, found by their entry points.

A package declares what it adds in its ``pyproject.toml``; ours declares ``baselines`` so::

    [project.entry-points."foley_bench.systems"]
    baselines = "baselines:SYSTEMS"

The object that an entry point names is one of

- a table, a mapping from the name on the command line to a value. A name that takes an argument
  after a colon contains what the argument is: ``"oracle-shift:SECONDS"``;
- one value, whose name is that of the entry point.

=====================  ==========================================================================
``foley_bench.systems``  values are ``bench.system.System``, or a ``Family`` for names with an
                       argument
``foley_bench.metrics``  values are ``bench.suite.Metric``. They join every profile, and are
                       computed when ``--metrics`` names them
``foley_bench.splits``   values are ``bench.splits.SplitEntry``: a summary and the opener
=====================  ==========================================================================

Instead of a value, a table may give its address ``"module:NAME"``, which is imported when the value
is used: listing and completing names then loads no model.

A name that two packages declare is refused when it is used; what cannot be loaded is refused when
it is used and noted in ``bench list``. Neither affects other names.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, NamedTuple

from bench.errors import BenchError
from bench.io import expand_user
from bench.system import System, opening_packages

Kind = Literal["system", "metric", "split"]

#: The package of what is built in.
OURS = "foley-bench"

#: The argument of a family that is a folder, which names a run by its absolute path.
FOLDER = "DIRECTORY"


@dataclass(frozen=True)
class Family:
    """Systems that differ by an argument, and the function that makes one of it."""

    summary: str
    uses: frozenset[str]
    make: Callable[[str], System]


class Row(NamedTuple):
    """One declared name: its argument, its value or the address of it, and the package."""

    name: str
    argument: str
    value: Any
    package: str

    @property
    def usage(self) -> str:
        """The name as it is written on the command line."""
        return f"{self.name}:{self.argument}" if self.argument else self.name

    def load(self) -> Any:
        """Return the value, imported where the table gives its address.

        Raises:
            BenchError: it cannot be imported.
        """
        return _import(self.value) if isinstance(self.value, str) else self.value


@dataclass(frozen=True)
class Table:
    """All declared names of one kind. ``problems`` are entry points that cannot be loaded."""

    kind: Kind
    rows: tuple[Row, ...] = ()
    problems: tuple[str, ...] = ()
    _conflicts: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __contains__(self, name: str) -> bool:
        return any(row.name == name for row in self.rows)

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each entry point that cannot be loaded and each name declared twice."""
        return (*self.problems, *self._conflicts.values())

    def find(self, name: str) -> Row | None:
        """Return the row of a name; None where no package declares it.

        Raises:
            BenchError: it is declared more than once.
        """
        if name in self._conflicts:
            raise BenchError(self._conflicts[name])
        return next((row for row in self.rows if row.name == name), None)


@cache
def read_declarations(kind: Kind) -> Table:
    """Return all that installed packages declare of one kind, in the order of the tables."""
    rows: list[Row] = []
    problems: list[str] = []
    group = f"foley_bench.{kind}s"
    # By name: the order of installation differs between machines.
    for point in sorted(metadata.entry_points(group=group), key=lambda each: each.name):
        package = point.dist.name if point.dist else point.module
        try:
            found = point.load()
        except Exception as error:  # code of another package, which may raise anything
            problems.append(
                f"the {kind}s of {package} cannot be loaded from {point.value!r}: "
                f"{type(error).__name__}: {error}"
            )
            continue
        table = found if isinstance(found, Mapping) else {point.name: found}
        for usage, value in table.items():
            name, _, argument = usage.partition(":")
            rows.append(Row(name, argument, value, package))
    return join_rows(kind, rows, problems)


def join_rows(kind: Kind, rows: Sequence[Row], problems: Iterable[str]) -> Table:
    """Return a table of these rows; a name that comes more than once is a conflict."""
    packages: dict[str, list[str]] = {}
    for row in rows:
        packages.setdefault(row.name, []).append(row.package)
    conflicts = {
        name: f"the {kind} {name!r} is declared by {' and by '.join(sorted(set(owners)))}: "
        "uninstall one of them"
        if len(set(owners)) > 1
        else f"the {kind} {name!r} is declared {len(owners)} times by {owners[0]}: "
        "its entry points need different names"
        for name, owners in packages.items()
        if len(owners) > 1
    }
    return Table(kind, tuple(rows), tuple(problems), conflicts)


class Listing(NamedTuple):
    """How a system is named on the command line, what it is, and what it is given."""

    usage: str
    summary: str
    uses: str


def open_system(spec: str) -> System:
    """Return the system of ``name``, ``name:argument`` or ``module:NAME``.

    ``module:NAME`` is a system of the user that no package declares: a ``System``, or a function
    that makes one from the argument after a second colon. Its module may be in the working
    directory.

    Raises:
        BenchError: the name is unknown or declared twice, an argument is missing or superfluous, or
            a module or attribute does not exist or is no system.
    """
    name, _, argument = spec.partition(":")
    row = read_declarations("system").find(name)
    if row is not None:
        return _make_system(spec, row.load(), argument)
    attribute, _, rest = argument.partition(":")
    if not (attribute and all(part.isidentifier() for part in name.split("."))):
        raise BenchError(_describe_unknown(name))
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # after all others, so that it hides no installed module
    system = _make_system(spec, _import(f"{name}:{attribute}"), rest)
    package = name.partition(".")[0]
    return replace(system, code=system.code or (package, *opening_packages(system)))


def canonical_spec(spec: str) -> str:
    """Return the one spelling of ``spec`` that names a run: a folder by its absolute path.

    >>> canonical_spec("silence")
    'silence'
    """
    name, _, argument = spec.partition(":")
    row = read_declarations("system").find(name)
    is_folder = row is not None and row.argument == FOLDER and argument
    return f"{name}:{expand_user(Path(argument)).resolve()}" if is_folder else spec


def list_systems() -> list[Listing]:
    """Return every declared system; one that cannot be loaded has the reason as its summary."""
    table = read_declarations("system")
    listings = []
    for row in table:
        try:
            value = row.load() if table.find(row.name) else None
            if not isinstance(value, System | Family):
                raise BenchError(_describe_other(row.usage, value))
            uses = ", ".join(sorted(value.uses)) or "nothing"
            listings.append(Listing(row.usage, value.summary, uses))
        except BenchError as error:
            listings.append(Listing(row.usage, str(error), ""))
    return listings


def _describe_unknown(name: str) -> str:
    table = read_declarations("system")
    near = difflib.get_close_matches(name, [row.name for row in table], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    known = ", ".join(dict.fromkeys(row.name for row in table))
    known = known or "none: foley-bench is not installed here"
    text = f"there is no system {name!r}{hint} Known are {known}; your own is package.module:NAME"
    return "; ".join((text, *table.problems))


def _import(address: str) -> Any:
    module_name, _, attribute = address.partition(":")
    try:
        module = importlib.import_module(module_name)
    except BenchError:
        raise
    except Exception as error:  # code of another package, which may raise anything
        raise BenchError(
            f"cannot import {module_name!r} to find {attribute}: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, attribute):
        raise BenchError(f"the module {module_name!r} has no {attribute!r} to use")
    return getattr(module, attribute)


def _make_system(spec: str, found: Any, argument: str) -> System:
    if isinstance(found, System):
        if argument:
            raise BenchError(f"{spec!r} asks for a system that takes no argument after the colon")
        return found
    if isinstance(found, Family):
        return found.make(argument)
    takes_one = inspect.isfunction(found) and len(inspect.signature(found).parameters) == 1
    system = found(argument) if takes_one else found
    if not isinstance(system, System):
        raise BenchError(_describe_other(spec, system))
    return system


def _describe_other(spec: str, found: Any) -> str:
    return (
        f"{spec!r} leads to a {type(found).__name__!r}, expected a bench.system.System or a "
        "function that makes one from the argument after the colon"
    )
