"""What of a clip's sound is the target, and what may be its reference.

The target is the first ``samples`` that whole latents need: 353,280 for 8 s, 480 more than 8 s are.
Stage I takes its reference from inside the target, anywhere; Stage II takes the last 2 s of 10 s,
from the end of the target on, so that the two never share a sample. References are cut from the
waveform and encoded anew: a slice of the target's latents has heard what lies around it, which the
latents of a stand-alone reference never have.

Source: paper, section 3.4; the lengths are those of the released model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acfoley.params import SAMPLE_RATE_HZ, SequenceLengths, sequence_lengths
from bench.errors import BenchError, MediaError
from bench.seeds import stable_seed

#: What is left of a shorter clip after its target is a reference only if it lasts this long.
SHORTEST_AFTER_S = 0.5


@dataclass(frozen=True)
class Span:
    """Samples from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True)
class CropLayout:
    """The protocol: ``seconds`` of target, and references of ``reference_seconds``."""

    seconds: float = 8.0
    reference_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not SHORTEST_AFTER_S <= self.reference_seconds <= self.seconds:
            raise BenchError(
                f"references last {SHORTEST_AFTER_S:g} s up to the {self.seconds:g} s of a target, "
                f"not {self.reference_seconds:g} s"
            )

    @property
    def lengths(self) -> SequenceLengths:
        """Tokens of all streams of the target, and its samples."""
        return sequence_lengths(self.seconds)

    @property
    def clip_samples(self) -> int:
        """Samples of target and reference together: what is beyond is not used."""
        return round((self.seconds + self.reference_seconds) * SAMPLE_RATE_HZ)

    @property
    def reference_samples(self) -> int:
        """Samples of a whole reference, before it is filled up to whole latents."""
        return round(self.reference_seconds * SAMPLE_RATE_HZ)

    def target(self, n_samples: int) -> Span:
        """The target of a clip of ``n_samples`` at 44.1 kHz.

        Raises:
            MediaError: the clip is shorter than its target.
        """
        needed = self.lengths.samples
        if n_samples < needed:
            raise MediaError(
                f"the sound lasts {n_samples / SAMPLE_RATE_HZ:.3f} s, the target alone needs "
                f"{needed / SAMPLE_RATE_HZ:.3f} s"
            )
        return Span(0, needed)

    def after(self, n_samples: int) -> Span | None:
        """The last seconds of a clip that lie after its target; None where too little is left."""
        stop = min(n_samples, self.clip_samples)
        start = max(self.lengths.samples, stop - self.reference_samples)
        return Span(start, stop) if stop - start >= SHORTEST_AFTER_S * SAMPLE_RATE_HZ else None

    def inside(self, name: str, number: int) -> Span:
        """The ``number``-th place for a reference in the target of the clip ``name``."""
        last = self.lengths.samples - self.reference_samples
        rng = np.random.default_rng(stable_seed("crop", name, number))
        start = int(rng.integers(last + 1))
        return Span(start, start + self.reference_samples)
