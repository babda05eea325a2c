"""The systems that come with the benchmark, by name.

``SYSTEMS`` is the whole registry: a name and where its ``System`` lies, or the ``Family`` that
makes one from the argument after a colon (``oracle-shift:0.2``). Importing this package imports
none of them. A system of anybody else needs no row: ``--model package.module:NAME``, where NAME is
a ``System`` or a function that makes one from the argument after a second colon.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import BenchError
from bench.io import expand_user
from bench.system import System, opening_packages

SYSTEMS: dict[str, str] = {
    "ground-truth": "baselines.anchors:GROUND_TRUTH",
    "silence": "baselines.anchors:SILENCE",
    "noise": "baselines.anchors:NOISE",
    "shuffled": "baselines.anchors:SHUFFLED",
    "reference-loop": "baselines.anchors:REFERENCE_LOOP",
    "motion-grains": "baselines.motion_grains:MOTION_GRAINS",
    "oracle": "baselines.oracle:ORACLE",
    "oracle-shift": "baselines.oracle:ORACLE_SHIFT",
    "oracle-timbre": "baselines.oracle:ORACLE_TIMBRE",
    "oracle-class": "baselines.oracle:ORACLE_CLASS",
    "oracle-noise": "baselines.oracle:ORACLE_NOISE",
    "oracle-lowpass": "baselines.oracle:ORACLE_LOWPASS",
    "oracle-gain": "baselines.oracle:ORACLE_GAIN",
    "oracle-cut": "baselines.oracle:ORACLE_CUT",
    "oracle-speed": "baselines.oracle:ORACLE_SPEED",
    "precomputed": "baselines.precomputed:PRECOMPUTED",
    "acfoley": "baselines.acfoley:ACFOLEY",
    "acfoley-overlap-only": "baselines.acfoley_trained:OVERLAP_ONLY",
    "acfoley-non-overlap-only": "baselines.acfoley_trained:NON_OVERLAP_ONLY",
    "acfoley-two-stage": "baselines.acfoley_trained:TWO_STAGE",
    "acfoley-attention-pooling": "baselines.acfoley_trained:ATTENTION_POOLING",
    "acfoley-clap-encoder": "baselines.acfoley_trained:CLAP_ENCODER",
    "acfoley-mini": "baselines.acfoley_mini:TWO_STAGE",
    "acfoley-mini-overlap-only": "baselines.acfoley_mini:OVERLAP_ONLY",
    "acfoley-mini-non-overlap-only": "baselines.acfoley_mini:NON_OVERLAP_ONLY",
    "acfoley-mini-attention-pooling": "baselines.acfoley_mini:ATTENTION_POOLING",
    "acfoley-mini-clap-encoder": "baselines.acfoley_mini:CLAP_ENCODER",
}


#: The argument of a family that is a folder: its spelling says nothing, its place does.
FOLDER = "DIRECTORY"


@dataclass(frozen=True)
class Family:
    """Systems that differ by an argument, and the function that makes one of it."""

    argument: str
    summary: str
    uses: frozenset[str]
    make: Callable[[str], System]


class Listing(NamedTuple):
    """How a system is asked for on the command line, what it is, and what it is given."""

    usage: str
    summary: str
    uses: str


def open_system(spec: str) -> System:
    """Return the system that ``spec`` asks for: ``name``, ``name:argument`` or ``module:NAME``.

    Raises BenchError for a name that is unknown, an argument that is missing or out of place, and
    for a module or attribute that does not exist or is no system.
    """
    name, _, argument = spec.partition(":")
    if name not in SYSTEMS:
        module, _, rest = spec.partition(":")
        attribute, _, argument = rest.partition(":")
        if not (attribute and all(part.isidentifier() for part in module.split("."))):
            raise BenchError(_unknown(name))
        _look_here_too()
        system = _system(spec, _load(f"{module}:{attribute}"), argument)
        package = module.partition(".")[0]
        return replace(system, code=system.code or (package, *opening_packages(system)))
    return _system(spec, _load(SYSTEMS[name]), argument)


def canonical_spec(spec: str) -> str:
    """The one spelling of ``spec`` that names a run: a folder by its absolute path.

    >>> canonical_spec("silence")
    'silence'
    """
    name, _, argument = spec.partition(":")
    found = _load(SYSTEMS[name]) if name in SYSTEMS else None
    is_folder = isinstance(found, Family) and found.argument == FOLDER
    return f"{name}:{expand_user(Path(argument)).resolve()}" if is_folder and argument else spec


def list_systems() -> list[Listing]:
    """Return every row of ``SYSTEMS`` with its usage and the line that says what it is."""
    return [_listing(name, _load(address)) for name, address in SYSTEMS.items()]


def _look_here_too() -> None:
    """Let a system of the user's own be a module in the working directory, after all others."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, SYSTEMS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return (
        f"there is no system {name!r}{hint} Known are {', '.join(SYSTEMS)}; "
        "your own is package.module:NAME"
    )


def _load(address: str) -> Any:
    module_name, _, attribute = address.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise BenchError(f"cannot import {module_name!r} to find a system: {error}") from error
    if not hasattr(module, attribute):
        raise BenchError(f"the module {module_name!r} has no {attribute!r} to use as a system")
    return getattr(module, attribute)


def _system(spec: str, found: Any, argument: str) -> System:
    if isinstance(found, System):
        if argument:
            raise BenchError(f"{spec!r} asks for a system that takes no argument after the colon")
        return found
    if isinstance(found, Family):
        return found.make(argument)
    takes_one = inspect.isfunction(found) and len(inspect.signature(found).parameters) == 1
    system = found(argument) if takes_one else found
    if not isinstance(system, System):
        raise BenchError(
            f"{spec!r} leads to a {type(system).__name__!r}, expected a bench.system.System "
            "or a function that makes one from the argument after the colon"
        )
    return system


def _listing(name: str, found: System | Family) -> Listing:
    usage = f"{name}:{found.argument}" if isinstance(found, Family) else name
    return Listing(usage, found.summary, ", ".join(sorted(found.uses)) or "nothing")
