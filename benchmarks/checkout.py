"""Import the code of another checkout beside this one's, to time both in one process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Folders of the repository whose modules are another checkout's while they are imported from it.
PACKAGES = ("acfoley", "baselines", "bench", "benchmarks", "reports", "tests")


@contextmanager
def import_from(folder: Path) -> Iterator[None]:
    """While open, import the packages of this repository from ``folder``, a checkout of it.

    Both sides keep what they have imported: functions of the other checkout go on using its
    modules, and imports after this are of our checkout again. What the other side first imports
    when it is called is ours, so that it must be imported here.

    Raises:
        SystemExit: ``folder`` is no checkout, or what was imported is not from there.
    """
    root = folder.resolve()
    if not (root / "bench" / "__init__.py").is_file():
        raise SystemExit(f"{folder} has no bench/__init__.py: name a checkout")
    ours = _take_modules()
    sys.path.insert(0, str(root))
    try:
        yield
    finally:
        sys.path.remove(str(root))
        theirs = _take_modules()
        sys.modules.update(ours)
    for name, module in theirs.items():
        path = getattr(module, "__file__", None)
        if path is not None and not Path(path).is_relative_to(root):
            raise SystemExit(f"{name} was imported from {path}, not from {folder}")


def _take_modules() -> dict[str, object]:
    """Remove the modules of ``PACKAGES`` from those that are imported, and return them."""
    names = [name for name in sys.modules if name.split(".")[0] in PACKAGES]
    return {name: sys.modules.pop(name) for name in names}
