"""Materials of the mini world: six rows of vibration parameters, each with room for variety.

A range is what one timbre coordinate from 0 to 1 spans: every material has its own region of
parameters, and every object of it another point. Ratios of mode frequencies are those of the
textbook bodies (Fletcher and Rossing, The Physics of Musical Instruments, chapters 2, 3, 18 to 21):
free bars, tuned bars, wine glasses, stopped tubes, thick blocks, circular membranes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from bench.synthetic.actions import Range


@dataclass(frozen=True)
class Material:
    """Frequencies, decay and colour of one material.

    ``pitch_hz`` is the lowest mode, ``decay_s`` its time to fall by 60 dB, ``damping`` the power
    with which decay shortens towards higher modes, ``rolloff_db`` the fall of mode levels per
    octave, ``noise`` the level of the contact noise and ``noise_hz`` its corner frequency;
    ``softness`` scales the time of contact, which a hard body keeps short and hence bright.
    """

    name: str
    ratios: tuple[float, ...]
    pitch_hz: Range
    decay_s: Range
    damping: Range
    rolloff_db: Range
    noise: Range
    noise_hz: Range
    softness: float


def interpolate(limits: Range, coordinate: float) -> float:
    """Map a coordinate in [0, 1] linearly to a range."""
    return limits[0] + (limits[1] - limits[0]) * coordinate


def interpolate_log(limits: Range, coordinate: float) -> float:
    """Map a coordinate in [0, 1] to a range on a logarithmic scale: frequencies, decay times."""
    return float(limits[0] * (limits[1] / limits[0]) ** coordinate)


#: Modes of a bar with free ends: 3.0112^2, 5^2, 7^2, ... times a constant (Euler-Bernoulli beam).
FREE_BAR = tuple(((2 * n + 1) / 3.0112) ** 2 for n in range(1, 9))
FREE_PLATE = (1.0, 1.73, 2.33, 3.91, 4.11, 6.30, 6.71, 8.9, 10.1, 12.4)
TUNED_BAR = (1.0, 2.0, 3.93, 6.2, 9.24, 12.8, 16.3)
WINE_GLASS = (1.0, 2.32, 4.25, 6.63, 9.38, 12.2)
#: A tube closed at one end has the odd harmonics alone.
STOPPED_TUBE = tuple(float(n) for n in range(1, 24, 2))
#: A wave that fits a, b, c half periods into the three unequal edges of a thick block has a
#: frequency proportional to the root of a^2 + 1.7 b^2 + 2.9 c^2; the constants are squared ratios
#: of the edges. The 18 lowest, without the zero of a = b = c = 0, which is no vibration.
THICK_BLOCK = tuple(
    square**0.5
    for square in sorted(
        {a * a + 1.7 * b * b + 2.9 * c * c for a, b, c in product(range(5), repeat=3)}
    )[1:19]
)
#: Zeros of Bessel functions over the first one, 2.405: an ideal circular membrane.
MEMBRANE = (1.0, 1.594, 2.136, 2.296, 2.653, 2.918, 3.156, 3.501, 3.6, 4.06, 4.6, 5.13)

#: Ranges in the order of the fields of Material.
MATERIALS: dict[str, Material] = {
    material.name: material
    for material in (
        # Stiff and hardly damped: long decay of all modes, inharmonic ratios.
        Material(
            "metal",
            tuple(sorted(FREE_BAR[1:] + FREE_PLATE)),
            (240.0, 720.0),
            (0.6, 2.0),
            (0.1, 0.45),
            (-5.0, 1.0),
            (0.02, 0.12),
            (3500.0, 9000.0),
            0.3,
        ),
        # Strong damping that grows with frequency: short, and dull after the attack.
        Material(
            "wood",
            TUNED_BAR,
            (150.0, 480.0),
            (0.09, 0.30),
            (0.5, 1.0),
            (-7.0, -2.0),
            (0.08, 0.35),
            (900.0, 2600.0),
            0.7,
        ),
        # Nearly as long as metal, but high, with widely spaced modes.
        Material(
            "glass",
            WINE_GLASS,
            (950.0, 2400.0),
            (0.35, 1.2),
            (0.2, 0.6),
            (-5.0, 1.0),
            (0.02, 0.12),
            (5000.0, 12000.0),
            0.25,
        ),
        # A hollow body: odd harmonics, short.
        Material(
            "plastic",
            STOPPED_TUBE,
            (260.0, 640.0),
            (0.05, 0.16),
            (0.1, 0.5),
            (-6.0, -1.0),
            (0.1, 0.4),
            (1800.0, 4500.0),
            0.6,
        ),
        # Dense modes, very short, with the most contact noise.
        Material(
            "stone",
            THICK_BLOCK,
            (650.0, 1700.0),
            (0.04, 0.15),
            (0.1, 0.5),
            (-3.0, 2.0),
            (0.25, 0.8),
            (3000.0, 8000.0),
            0.4,
        ),
        # Soft: low, long contact, and the steepest rolloff and damping.
        Material(
            "rubber",
            MEMBRANE,
            (80.0, 200.0),
            (0.10, 0.35),
            (0.7, 1.3),
            (-10.0, -4.0),
            (0.05, 0.2),
            (400.0, 1200.0),
            1.2,
        ),
    )
}
