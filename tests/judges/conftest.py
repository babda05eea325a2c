"""Networks that one test loads, or replaces, are not reused by the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.judges import rows


@pytest.fixture(autouse=True)
def _no_loaded_networks() -> Iterator[None]:
    yield
    rows._loaded.clear()
