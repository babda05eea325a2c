"""Seeds that depend on names alone: order, workers and resuming change no random number."""

from __future__ import annotations

import hashlib


def stable_seed(*parts: object) -> int:
    """Return a 63-bit seed derived from the arguments, the same on every machine.

    >>> stable_seed("acfoley", "clip") == stable_seed("acfoley", "clip")
    True
    """
    # The separator keeps ("ab", "c") and ("a", "bc") apart.
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
