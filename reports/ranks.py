"""Best and second best of a column: which runs compete, and whether they differ beyond chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from bench.results import Column, Results, Score

Rank = Literal["best", "second", ""]

#: Whether two runs differ in a column beyond chance, over all clips or a group of them ("": all).
IsApart = Callable[[Results, Results, Column, str], bool]

#: A run by its row in the table, and its number as printed.
_Entry = tuple[int, float]


def rank(
    results: Sequence[Results],
    scores: Sequence[Score | None],
    column: Column,
    min_coverage: float = 1.0,
    is_apart: IsApart | None = None,
    group: str = "",
) -> list[Rank]:
    """Return the rank of each run by its score in a column, in the order given.

    A system that failed on the hard clips must not win by that: only runs over the same scored
    clips are compared, each of them over at least ``min_coverage`` of the clips asked for. A column
    has one best: where runs were scored over different clips, those over the most are compared.
    Anchors do not compete, a single run has no rank, and equal printed numbers share one. With
    ``is_apart`` a run keeps its rank where that holds of it and of each run of another number,
    over the clips of ``group``.
    """
    ranks: list[Rank] = [""] * len(results)
    contests: dict[tuple[str, int], list[_Entry]] = {}
    for i, (each, score) in enumerate(zip(results, scores, strict=True)):
        if score is not None and score.value is not None and may_rank(each, min_coverage):
            printed = round(score.value, column.decimals)
            contests.setdefault((each.clips, score.n), []).append((i, printed))
    contest = _widest(contests)
    if len(contest) > 1:
        # Equal printed numbers are one value here, and so share a rank.
        values = sorted({value for _, value in contest}, reverse=column.better == "higher")
        by_value: dict[float, Rank] = dict(zip(values, ("best", "second"), strict=False))
        for i, value in contest:
            ranks[i] = by_value.get(value, "")
    if is_apart:
        for i, value in [entry for entry in contest if ranks[entry[0]]]:
            others = (results[j] for j, other in contest if other != value)
            if not all(is_apart(results[i], other, column, group) for other in others):
                ranks[i] = ""
    return ranks


def _widest(contests: Mapping[tuple[str, int], list[_Entry]]) -> list[_Entry]:
    """The runs over the most clips; none where runs over other clips are as many clips wide."""
    most = max((n for _, n in contests), default=0)
    widest = [contest for (_, n), contest in contests.items() if n == most]
    return widest[0] if len(widest) == 1 else []


def may_rank(results: Results, min_coverage: float) -> bool:
    """Whether a run competes, and scored enough of the clips that it was asked for."""
    return not results.is_anchor and results.coverage >= min_coverage
