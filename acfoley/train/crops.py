"""Which samples of a clip are the target, and which are references.

The target is the first 353,280 samples of a clip: 8 s are 352,800 samples, rounded up to whole
latents of 1,024. Stage I takes a reference of 2 s from anywhere inside the target; Stage II takes
the last 2 s of 10 s, starting at the end of the target at the earliest, so that target and
reference share no sample.

References are cut from the waveform and encoded on their own. The convolutions of the codec mix
each latent with its neighbours, so a slice of the target's latents would contain audio from outside
the reference, which the latents of a user's reference never do.

Source: paper, section 3.4; the lengths are those of the released model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from acfoley.params import SAMPLE_RATE_HZ, SequenceLengths, sequence_lengths
from bench.errors import BenchError, MediaError
from bench.seeds import stable_seed

#: A rest of a clip after its target that is shorter than this is no reference.
SHORTEST_AFTER_S = 0.5


@dataclass(frozen=True)
class Span:
    """Samples from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True)
class CropLayout:
    """The lengths of target and references in seconds, and from them the spans at 44.1 kHz."""

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
        """Tokens of each stream of the target, and its samples."""
        return sequence_lengths(self.seconds)

    @property
    def clip_samples(self) -> int:
        """Samples of target and reference together; the rest of a longer clip is not used."""
        return round((self.seconds + self.reference_seconds) * SAMPLE_RATE_HZ)

    @property
    def reference_samples(self) -> int:
        """Samples of a reference, before zeros fill it up to whole latents."""
        return round(self.reference_seconds * SAMPLE_RATE_HZ)

    def target(self, n_samples: int) -> Span:
        """Return the target of a clip of ``n_samples``.

        Raises:
            MediaError: the clip is shorter than its target.
        """
        needed = self.lengths.samples
        if n_samples < needed:
            raise MediaError(
                f"the audio lasts {n_samples / SAMPLE_RATE_HZ:.3f} s, the target alone needs "
                f"{needed / SAMPLE_RATE_HZ:.3f} s"
            )
        return Span(0, needed)

    def after(self, n_samples: int) -> Span | None:
        """Return the last seconds after the target; None where less than 0.5 s is left."""
        # The target is 480 samples longer than 8 s, so of a clip of exactly 10 s the reference has
        # 480 samples less than 2 s.
        stop = min(n_samples, self.clip_samples)
        start = max(self.lengths.samples, stop - self.reference_samples)
        return Span(start, stop) if stop - start >= SHORTEST_AFTER_S * SAMPLE_RATE_HZ else None

    def inside(self, name: str, number: int) -> Span:
        """Return the ``number``-th random reference inside the target of the clip ``name``.

        The same name and number give the same span, uniform over all starts.
        """
        last = self.lengths.samples - self.reference_samples
        rng = np.random.default_rng(stable_seed("crop", name, number))
        start = int(rng.integers(last + 1))
        return Span(start, start + self.reference_samples)
