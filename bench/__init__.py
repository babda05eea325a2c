"""The benchmark: metrics, judges, splits, runs and the command line.

``bench.run``, ``bench.score`` and ``bench.compare`` are the library. They are imported when first
used, so that ``import bench`` loads nothing else.
"""

from importlib import import_module

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "run", "score"]


def __getattr__(name: str) -> object:
    # By import_module and not by an import statement: nothing that reads the version of this
    # package depends on the pipeline. The types are in __init__.pyi.
    if name in ("compare", "run", "score"):
        return getattr(import_module("bench.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
