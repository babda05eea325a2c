"""Network classes of the published packages, without what importing those packages does."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from bench.errors import MissingError
from bench.extras import describe_missing_module


@cache
def import_published(package: str, module: str) -> Any:
    """Import ``package.module`` without running the ``__init__`` of ``package``.

    The module belongs to the backbones alone: ``sys.modules[package]`` stays free for other code
    that imports the package as usual, and attributes that a backbone changes affect nobody else.

    Raises:
        MissingError: the package is not installed.
    """
    # panns_inference/__init__.py downloads a list of labels into the home directory with wget, that
    # of torchvggish compiles a resampler (0.3 s) which no network needs. A parent module under
    # another name, with the package's path, lets the relative imports inside the package resolve.
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise MissingError(describe_missing_module(package, "the judge paper") or package)
    parent = ModuleType(f"_published_{package}")
    parent.__path__ = list(spec.submodule_search_locations)
    sys.modules[parent.__name__] = parent
    return import_module(f"{parent.__name__}.{module}")
