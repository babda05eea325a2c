"""Call a system with a single request."""

from __future__ import annotations

from bench.system import Generate
from bench.types import Audio, Request


def generate_one(generate: Generate, request: Request) -> Audio:
    """Return the audio of one request, or raise the exception that the system returned for it."""
    (result,) = generate([request])
    if isinstance(result, Exception):
        raise result
    return result
