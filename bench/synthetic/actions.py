"""What is done in a scene: ten actions, their rhythm, and the way they drive what they touch.

An impact is a moment; a stroke lasts, and its strength is its speed: the same way in less time.
Rhythms come in groups of short gaps parted by longer ones, so that no clip is periodic.
"""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Rhythm:
    """Gaps between events within a group and between groups; strokes also have a duration.

    For strokes the gaps are pauses, counted from the end of one to the start of the next.
    """

    group: tuple[int, int]
    gap_s: Range
    rest_s: Range
    duration_s: Range = (0.0, 0.0)


@dataclass(frozen=True)
class Exciter:
    """How the action drives the modes of what it touches.

    ``contact_s`` is the length of the push of a full blow, ``noise_s`` the decay of the burst that
    comes with it, ``noise`` its level; ``ring`` scales the decay of the modes (a finger damps, a
    mallet lets go), ``pitch`` the size of the object; ``level`` is how loud the action is, up to 1.
    """

    contact_s: float
    noise: float
    noise_s: float
    ring: float
    pitch: float
    level: float


@dataclass(frozen=True)
class Action:
    """One row of the table: its name, its words (``{}`` is the material), when and how."""

    name: str
    words: str
    rhythm: Rhythm
    exciter: Exciter

    @property
    def is_stroke(self) -> bool:
        """Whether its events last."""
        return self.rhythm.duration_s[1] > 0.0


ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action(
            "striking",
            "striking {} with a mallet",
            Rhythm((1, 3), (0.30, 0.60), (0.60, 1.15)),
            Exciter(0.0010, 0.5, 0.006, 1.0, 1.0, 1.00),
        ),
        Action(
            "bouncing",
            "a ball bouncing on {}",
            Rhythm((3, 5), (0.48, 0.74), (0.55, 0.95)),
            Exciter(0.0016, 0.4, 0.010, 0.7, 0.8, 0.90),
        ),
        Action(
            "stepping",
            "footsteps on {}",
            Rhythm((2, 5), (0.34, 0.62), (0.62, 1.05)),
            Exciter(0.0030, 1.1, 0.030, 0.35, 0.6, 0.90),
        ),
        Action(
            "dripping",
            "water dripping on {}",
            Rhythm((1, 3), (0.26, 0.55), (0.60, 1.10)),
            Exciter(0.0005, 0.6, 0.004, 0.5, 1.5, 0.70),
        ),
        Action(
            "tapping",
            "fingers tapping on {}",
            Rhythm((2, 4), (0.20, 0.34), (0.45, 0.95)),
            Exciter(0.0012, 0.7, 0.005, 0.3, 1.25, 0.70),
        ),
        Action(
            "shaking",
            "shaking a rattle of {}",
            Rhythm((2, 4), (0.24, 0.40), (0.50, 0.95)),
            Exciter(0.0003, 1.6, 0.030, 0.25, 1.7, 0.80),
        ),
        Action(
            "clapping",
            "clapping two blocks of {} together",
            Rhythm((1, 3), (0.32, 0.60), (0.60, 1.10)),
            Exciter(0.0005, 0.9, 0.009, 0.5, 1.35, 1.00),
        ),
        Action(
            "scraping",
            "scraping {} with a rod",
            Rhythm((1, 3), (0.06, 0.20), (0.30, 0.75), (0.30, 0.75)),
            Exciter(0.0004, 0.8, 0.0, 0.6, 1.2, 0.70),
        ),
        Action(
            "sawing",
            "sawing {}",
            Rhythm((2, 4), (0.02, 0.08), (0.30, 0.70), (0.24, 0.50)),
            Exciter(0.0006, 0.4, 0.0, 0.3, 0.9, 0.80),
        ),
        Action(
            "sprinkling",
            "grains sprinkled on {}",
            Rhythm((1, 2), (0.15, 0.35), (0.35, 0.80), (0.30, 0.70)),
            Exciter(0.0002, 0.7, 0.001, 0.5, 1.9, 0.60),
        ),
    )
}
