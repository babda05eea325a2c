"""The constants of the published 44.1 kHz model, and the lengths that follow from seconds.

Everything the network sees is counted in tokens of four streams; only seconds are free. The numbers
are those of the released inference code: ``sequence_lengths(8.0)`` gives 345 latents, 64 CLIP
frames, 192 synchronisation tokens and 353,280 samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SAMPLE_RATE_HZ = 44_100
MEL_HOP_SAMPLES = 512
LATENT_STRIDE = 2
SAMPLES_PER_LATENT = MEL_HOP_SAMPLES * LATENT_STRIDE  # 1,024 samples, 43.07 latents per second

CLIP_FPS = 8
SYNC_FPS = 25
SYNC_SEGMENT_FRAMES = 16
SYNC_STEP_FRAMES = 8
SYNC_TOKENS_PER_SEGMENT = 8

TEXT_TOKENS = 77
REFERENCE_SAMPLES = 89_088  # 87 latents, 2.02 s: what the release pads or cuts a reference to

SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 30.0


@dataclass(frozen=True)
class SequenceLengths:
    """How many tokens each stream has, and how many samples come out."""

    latents: int
    clip_frames: int
    sync_tokens: int
    text_tokens: int
    samples: int


def sequence_lengths(seconds: float) -> SequenceLengths:
    """Return the lengths of all streams for ``seconds`` of video.

    The codec makes whole latents, so ``samples`` is at least ``seconds`` at 44.1 kHz and is cut to
    it afterwards.

    >>> sequence_lengths(8.0).latents
    345

    Raises:
        ValueError: ``seconds`` is outside 1 to 30.
    """
    if not SHORTEST_SECONDS <= seconds <= LONGEST_SECONDS:
        raise ValueError(
            f"the model makes {SHORTEST_SECONDS:g} to {LONGEST_SECONDS:g} s, not {seconds:g} s"
        )
    latents = math.ceil(seconds * SAMPLE_RATE_HZ / MEL_HOP_SAMPLES / LATENT_STRIDE)
    segments = math.floor((SYNC_FPS * seconds - SYNC_SEGMENT_FRAMES) / SYNC_STEP_FRAMES + 1)
    return SequenceLengths(
        latents=latents,
        clip_frames=int(CLIP_FPS * seconds),
        sync_tokens=SYNC_TOKENS_PER_SEGMENT * segments,
        text_tokens=TEXT_TOKENS,
        samples=latents * SAMPLES_PER_LATENT,
    )
