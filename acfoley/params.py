"""The constants of the published 44.1 kHz models: lengths that follow from seconds, and sizes.

All inputs of the network are tokens of four streams, whose numbers follow from the seconds. They
are those of the released inference code: ``sequence_lengths(8.0)`` gives 345 latents, 64 CLIP
frames, 192 synchronisation tokens and 353,280 samples.

``PRESETS`` has a row for every published network of 44.1 kHz and for the small ones of the package;
a variant is a row of ``dataclasses.replace``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

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

#: Guidance of the published sampling, and of the mini networks, which are less accurate.
GUIDANCE, MINI_GUIDANCE = 4.5, 1.5

SHORTEST_SECONDS = 1.0
LONGEST_SECONDS = 30.0


@dataclass(frozen=True)
class SequenceLengths:
    """The number of tokens of each stream, and of samples of the output."""

    latents: int
    clip_frames: int
    sync_tokens: int
    text_tokens: int
    samples: int


def count_sync_tokens(n_frames: float) -> int:
    """Return how many tokens of motion so many frames have; a part of one counts nothing.

    >>> count_sync_tokens(200)
    192
    """
    segments = math.floor((n_frames - SYNC_SEGMENT_FRAMES) / SYNC_STEP_FRAMES + 1)
    return SYNC_TOKENS_PER_SEGMENT * segments


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
    return SequenceLengths(
        latents=latents,
        clip_frames=int(CLIP_FPS * seconds),
        sync_tokens=count_sync_tokens(SYNC_FPS * seconds),
        text_tokens=TEXT_TOKENS,
        samples=latents * SAMPLES_PER_LATENT,
    )


@dataclass(frozen=True)
class ReferenceParams:
    """How references are encoded and merged: ``width`` values per token of ``encoder``.

    ``vae`` gives latents of the codec, 43 per second; ``clap`` one embedding. Tokens are pooled to
    one vector by their ``average`` (the paper's choice) or by ``attention`` (Table 5), and merged
    with the vector of the other conditions by ``fusion``.
    """

    encoder: Literal["vae", "clap"]
    width: int
    pooling: Literal["average", "attention"]
    fusion: Literal["concatenate", "add"]


@dataclass(frozen=True)
class FlowParams:
    """Size and kind of a flow network; ``reference`` is None for MMAudio, which has none.

    ``version`` 1 is the design of MMAudio's ``small_44k``, ``medium_44k`` and ``large_44k``, which
    AC-Foley is built on; 2 that of ``large_44k_v2``: another activation, one more of them, and
    times on another scale.
    """

    width: int
    n_heads: int
    n_joint_blocks: int
    n_fused_blocks: int
    version: Literal[1, 2]
    reference: ReferenceParams | None
    latent_width: int = 40
    clip_width: int = 1024
    sync_width: int = 768
    text_width: int = 1024

    def __post_init__(self) -> None:
        if self.width % (2 * self.n_heads):
            raise ValueError(
                f"a width of {self.width} cannot be shared by {self.n_heads} heads of even width"
            )

    @property
    def uses_clap(self) -> bool:
        """Whether references come as embeddings of CLAP, not as latents of the codec."""
        return self.reference is not None and self.reference.encoder == "clap"

    @property
    def head_width(self) -> int:
        """Values of one head of attention."""
        return self.width // self.n_heads

    @property
    def time_width(self) -> int:
        """Values of the sinusoids that encode the flow's time."""
        return 256 if self.version == 1 else self.width

    @property
    def highest_time_frequency(self) -> float:
        """Radians per unit of time of the fastest sinusoid."""
        return 1.0 if self.version == 1 else 10_000.0


#: The paper's reference: raw latents of the codec, averaged, beside the other conditions.
VAE_REFERENCE = ReferenceParams("vae", 40, "average", "concatenate")
#: The conditioning of the trained baseline "MMAudio + CLAP" (Table 1).
CLAP_REFERENCE = ReferenceParams("clap", 512, "average", "concatenate")

#: Widths of the features of the mini encoders.
MINI_TEXT_WIDTH = 32
MINI_CLAP_REFERENCE = replace(CLAP_REFERENCE, width=64)

_SMALL = FlowParams(448, 7, 4, 8, version=1, reference=None)
_MEDIUM = replace(_SMALL, width=896, n_heads=14)
_MINI = FlowParams(
    width=96,
    n_heads=3,
    n_joint_blocks=1,
    n_fused_blocks=3,
    version=1,
    reference=VAE_REFERENCE,
    clip_width=64,
    sync_width=96,
    text_width=MINI_TEXT_WIDTH,
)
_LARGE = replace(_MEDIUM, n_joint_blocks=7, n_fused_blocks=14)

PRESETS: dict[str, FlowParams] = {
    "small_44k": _SMALL,
    "medium_44k": _MEDIUM,
    "large_44k": _LARGE,
    "large_44k_v2": replace(_LARGE, version=2),
    "acfoley": replace(_LARGE, reference=VAE_REFERENCE),
    "acfoley_attention": replace(_LARGE, reference=replace(VAE_REFERENCE, pooling="attention")),
    "mmaudio_clap": replace(_LARGE, reference=CLAP_REFERENCE),
    "mini": _MINI,
    "mini_attention": replace(_MINI, reference=replace(VAE_REFERENCE, pooling="attention")),
    "mini_clap": replace(_MINI, reference=MINI_CLAP_REFERENCE),
}
