"""Networks that a test loads, or replaces, are forgotten by the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.judges import networks


@pytest.fixture(autouse=True)
def _no_loaded_networks() -> Iterator[None]:
    yield
    networks._load_imagebind.cache_clear()
    networks._load_synchformer.cache_clear()
