"""One column of a table: what it is called, reads and compares with, and how it is printed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from bench.judges import Features
from bench.metrics import SetEstimate

#: Features of one audio, by extractor.
Side = Mapping[str, Features]
Against = Literal["target", "reference", "hits", "picture", "prompt"]


@dataclass(frozen=True)
class Metric:
    """One column.

    ``score(true, generated)`` gives the value of one clip from the features named in ``reads``;
    NaN means "not scored", and ``undefined_for`` says which clips have no value by definition. A
    metric of a whole set has ``score_set`` instead, which reads the sides of all clips one after
    another and says what each clip contributes. ``against`` says what the true side is: the clip's
    own audio (``target``), the one the system was given (``reference``), annotated hits, the
    video, or the prompt; ``true_reads`` names its features where they are others. Clips shorter
    than ``shortest_s`` or longer than ``longest_s`` are not scored. ``has_chance`` asks for the
    value that shuffled pairs reach, beside the column. ``is_extra`` columns are not in the paper's
    tables.
    """

    name: str
    label: str
    summary: str
    reads: tuple[str, ...]
    score: Callable[[Side, Side], float] | None
    better: Literal["higher", "lower"]
    decimals: int
    unit: str = ""
    against: Against = "target"
    true_reads: tuple[str, ...] | None = None
    score_set: Callable[[Iterable[Side], Iterable[Side]], SetEstimate] | None = None
    shortest_s: float = 0.0
    longest_s: float = math.inf
    has_chance: bool = False
    is_extra: bool = False
    undefined_for: str = ""

    def accepts_length(self, seconds: float) -> bool:
        """Whether clips of this length can be scored."""
        return self.shortest_s <= seconds <= self.longest_s

    @property
    def accepted_lengths(self) -> str:
        """The lengths that can be scored, in words: ``clips of 0.31 s and more``."""
        if math.isinf(self.longest_s):
            return f"clips of {self.shortest_s:g} s and more"
        if self.shortest_s == 0:
            return f"clips of up to {self.longest_s:g} s"
        return f"clips of {self.shortest_s:g} to {self.longest_s:g} s"

    def reads_of(self, side: str) -> tuple[str, ...]:
        """The extractors that this metric reads of one side (``generated`` or the true one)."""
        if side == "generated" or self.true_reads is None:
            return self.reads
        return self.true_reads
