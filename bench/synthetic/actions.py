"""Actions of the mini world: ten rows of rhythm and of how they excite the object.

An impact is instantaneous; a stroke has a duration, and its strength is its speed: the same
distance in less time. Rhythms are groups of short gaps separated by longer ones, so that no clip is
periodic.
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
    """How the action excites the modes of the object.

    ``contact_s`` is the duration of the force of an impact of strength 1, ``noise_s`` the time
    constant of the noise burst that accompanies it, ``noise`` its level; ``ring`` scales the decay
    time of the modes (a finger damps, a mallet leaves at once), ``pitch`` their frequency (a small
    object is higher); ``level`` is the loudness of the action, up to 1.
    """

    contact_s: float
    noise: float
    noise_s: float
    ring: float
    pitch: float
    level: float


@dataclass(frozen=True)
class Action:
    """One row of the table; ``words`` is its prompt, with ``{}`` for the material."""

    name: str
    words: str
    rhythm: Rhythm
    exciter: Exciter

    @property
    def is_stroke(self) -> bool:
        """Whether its events have a duration."""
        return self.rhythm.duration_s[1] > 0.0


#: Rhythm(events per group, gap_s, rest_s, duration_s of strokes) and
#: Exciter(contact_s, noise, noise_s, ring, pitch, level).
ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        # The reference of the table: ring and pitch are those of the free object.
        Action(
            "striking",
            "striking {} with a mallet",
            Rhythm((1, 3), (0.30, 0.60), (0.60, 1.15)),
            Exciter(0.0010, 0.5, 0.006, 1.0, 1.0, 1.00),
        ),
        # group and gap_s are the bounces and the first flight; see scene._bounces.
        Action(
            "bouncing",
            "a ball bouncing on {}",
            Rhythm((3, 5), (0.48, 0.74), (0.55, 0.95)),
            Exciter(0.0016, 0.4, 0.010, 0.7, 0.8, 0.90),
        ),
        # A shoe: long soft contact, a burst of friction, and a foot that damps the floor.
        Action(
            "stepping",
            "footsteps on {}",
            Rhythm((2, 5), (0.34, 0.62), (0.62, 1.05)),
            Exciter(0.0030, 1.1, 0.030, 0.35, 0.6, 0.90),
        ),
        # A drop has little mass, hence a short contact; its bubble is added in excitation.
        Action(
            "dripping",
            "water dripping on {}",
            Rhythm((1, 3), (0.26, 0.55), (0.60, 1.10)),
            Exciter(0.0005, 0.6, 0.004, 0.5, 1.5, 0.70),
        ),
        # A finger stays on the object and damps it. The densest rhythm of impacts.
        Action(
            "tapping",
            "fingers tapping on {}",
            Rhythm((2, 4), (0.20, 0.34), (0.45, 0.95)),
            Exciter(0.0012, 0.7, 0.005, 0.3, 1.25, 0.70),
        ),
        # Many small beads: nearly all noise.
        Action(
            "shaking",
            "shaking a rattle of {}",
            Rhythm((2, 4), (0.24, 0.40), (0.50, 0.95)),
            Exciter(0.0003, 1.6, 0.030, 0.25, 1.7, 0.80),
        ),
        # Two small blocks in the hands: higher and more damped than a struck one.
        Action(
            "clapping",
            "clapping two blocks of {} together",
            Rhythm((1, 3), (0.32, 0.60), (0.60, 1.10)),
            Exciter(0.0005, 0.9, 0.009, 0.5, 1.35, 1.00),
        ),
        # Strokes have no burst of noise (noise_s 0): their noise lasts as long as they do.
        Action(
            "scraping",
            "scraping {} with a rod",
            Rhythm((1, 3), (0.06, 0.20), (0.30, 0.75), (0.30, 0.75)),
            Exciter(0.0004, 0.8, 0.0, 0.6, 1.2, 0.70),
        ),
        # Pauses of 20 to 80 ms: one stroke follows the other, and direction alternates.
        Action(
            "sawing",
            "sawing {}",
            Rhythm((2, 4), (0.02, 0.08), (0.30, 0.70), (0.24, 0.50)),
            Exciter(0.0006, 0.4, 0.0, 0.3, 0.9, 0.80),
        ),
        # Light grains: the smallest contact time, and bursts of a millisecond.
        Action(
            "sprinkling",
            "grains sprinkled on {}",
            Rhythm((1, 2), (0.15, 0.35), (0.35, 0.80), (0.30, 0.70)),
            Exciter(0.0002, 0.7, 0.001, 0.5, 1.9, 0.60),
        ),
    )
}
