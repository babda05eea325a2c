"""Who is best and second best in a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bench.results import Column, Results, Score

Rank = Literal["best", "second", ""]


def rank(results: Sequence[Results], scores: Sequence[Score | None], column: Column) -> list[Rank]:
    """Return the rank of each run by its score in a column, in the order given.

    Only systems that compete (no anchors) and that were asked for equally many clips are compared,
    and only where there are two of them. Equal printed numbers share a rank.
    """
    printed = [_printed(score, column) for score in scores]
    ranks: list[Rank] = [""] * len(results)
    for expected in {each.expected for each in results}:
        group = [
            (i, value)
            for i, (each, value) in enumerate(zip(results, printed, strict=True))
            if value is not None and not each.is_anchor and each.expected == expected
        ]
        if len(group) < 2:
            continue
        values = sorted({value for _, value in group}, reverse=column.better == "higher")
        places: dict[float, Rank] = dict(zip(values, ("best", "second"), strict=False))
        for i, value in group:
            ranks[i] = places.get(value, "")
    return ranks


def _printed(score: Score | None, column: Column) -> float | None:
    return None if score is None or score.value is None else round(score.value, column.decimals)
