"""Isolated systems, each driven through its real adapter against a stand-in of its scripts.

A stand-in has the arguments, file names, lengths and quirks of the official scripts, as
``tests/baselines/standins`` describes them, and runs in an interpreter of its own.
"""

from __future__ import annotations

from tests.baselines.conftest import describe, make_requests


def test_foleycrafter_groups_by_prompt_and_gets_eight_seconds(set_up_standin, videos) -> None:
    generate = set_up_standin("foleycrafter").open("cpu")
    assert describe(generate(make_requests(videos, "aab"))) == [(16_000, 8.0)] * 3
