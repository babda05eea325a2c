"""What the network is conditioned on: features of clips, and their projections.

Encoders make ``Features`` of a clip. A component that is missing or masked is replaced by the
learned empty feature, repeated to the same length, before the network projects it; classifier-free
guidance compares with the same. ``Conditions`` are the projected features, computed once per clip
and used at every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from acfoley.params import REFERENCE_SAMPLES, SAMPLES_PER_LATENT, SYNC_TOKENS_PER_SEGMENT
from bench.types import Condition

Component = Literal["audio", "sync", "video", "text"]
#: ``bench.types.COMPONENTS``, by the names of fields of ``Features``.
COMPONENTS: tuple[Component, ...] = get_args(Component)

#: Tokens of the learned empty feature where a clip has no reference.
EMPTY_REFERENCE_TOKENS = REFERENCE_SAMPLES // SAMPLES_PER_LATENT
#: Tokens of the first or the last segment, the only ones whose neighbourhood reaches an end.
EDGE_TOKENS = SYNC_TOKENS_PER_SEGMENT
#: Distinct tokens of an empty sync feature: of the first, of an inner and of the last segment.
DISTINCT_EMPTY_TOKENS = 3 * SYNC_TOKENS_PER_SEGMENT


@dataclass(frozen=True)
class Features:
    """Features of a batch of B clips; None where no clip has the component.

    ``video`` are CLIP's features of frames ``[B, 8 s, 1024]``, ``sync`` Synchformer's
    ``[B, 24 s, 768]``, ``text`` CLIP's of tokens ``[B, 77, 1024]``; ``audio`` is the reference, raw
    latents of the codec ``[B, L, 40]`` of any length, or one CLAP embedding ``[B, 1, 512]``.
    Features without any component describe one clip.
    """

    audio: Tensor | None = None
    sync: Tensor | None = None
    video: Tensor | None = None
    text: Tensor | None = None

    def get(self, component: Component) -> Tensor | None:
        """The features of one component."""
        features: Tensor | None = getattr(self, component)
        return features

    @property
    def n_clips(self) -> int:
        """Number of clips.

        Raises:
            ValueError: components have different numbers of clips.
        """
        counts = {len(each) for name in COMPONENTS if (each := self.get(name)) is not None}
        if len(counts) > 1:
            raise ValueError(f"components describe different numbers of clips: {sorted(counts)}")
        return counts.pop() if counts else 1

    def to(self, device: torch.device | str) -> Features:
        """Copy the features to ``device``."""
        return Features(
            **{
                name: None if (each := self.get(name)) is None else each.to(device)
                for name in COMPONENTS
            }
        )

    def without(self, components: frozenset[str]) -> Features:
        """Return the features without these components."""
        return replace(self, **dict.fromkeys(components))


def hidden_components(condition: Condition) -> frozenset[str]:
    """Return the components of ``condition`` that the network gets nothing of (paper, Table 6).

    With scope ``whole`` these are all masked ones. With ``vector`` video and text leave only the
    vector that conditions all blocks, and their tokens still take part in attention; reference and
    sync enter through that vector alone, so that the scope makes no difference for them.
    """
    if condition.scope == "whole":
        return condition.masked
    return condition.masked & {"audio", "sync"}


def drop_components(
    features: Features, empty: Features, is_dropped: Mapping[Component, Tensor]
) -> Features:
    """Replace the features of clips by the ``empty`` ones where ``is_dropped [B]`` is true.

    For training: components are dropped clip by clip, and gradients reach the empty features.

    Raises:
        ValueError: a component that is to be dropped has no features.
    """
    changed = {}
    for name, marks in is_dropped.items():
        kept, other = features.get(name), empty.get(name)
        if kept is None or other is None:
            raise ValueError(f"cannot drop {name!r} of some clips: there are no features of it")
        changed[name] = torch.where(marks[:, None, None], other.to(kept.dtype), kept)
    return replace(features, **changed)


@dataclass(frozen=True)
class Conditions:
    """Projected features of B clips, made by ``FlowNetwork.conditions``.

    ``video [B, L, D]`` and ``text [B, 77, D]`` are tokens, ``vector [B, D]`` is shared by all
    blocks. Sync tokens are ``sync_rows [R, D]`` of the clips ``sync_clips [R]``, and latents take
    the rows ``sync_indices [B, L]``. ``angles`` rotate latents and frames, ``frequencies`` encode
    the time: both depend on the network and the lengths alone.
    """

    video: Tensor
    text: Tensor
    vector: Tensor
    sync_rows: Tensor
    sync_clips: Tensor
    sync_indices: Tensor
    angles: tuple[Tensor, Tensor]
    frequencies: Tensor

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return len(self.vector)

    def repeat(self, n_clips: int) -> Conditions:
        """Repeat the conditions of one clip ``n_clips`` times."""
        return concatenate([self] * n_clips)


def concatenate(parts: Sequence[Conditions]) -> Conditions:
    """Put the clips of all ``parts``, which have the same lengths, into one batch."""
    first_clips = [sum(part.n_clips for part in parts[:index]) for index in range(len(parts))]
    first_rows = [sum(len(part.sync_rows) for part in parts[:index]) for index in range(len(parts))]
    return replace(
        parts[0],
        video=torch.cat([part.video for part in parts]),
        text=torch.cat([part.text for part in parts]),
        vector=torch.cat([part.vector for part in parts]),
        sync_rows=torch.cat([part.sync_rows for part in parts]),
        sync_clips=torch.cat(
            [part.sync_clips + first for part, first in zip(parts, first_clips, strict=True)]
        ),
        sync_indices=torch.cat(
            [part.sync_indices + first for part, first in zip(parts, first_rows, strict=True)]
        ),
    )


def nearest_indices(n_from: int, n_to: int) -> Tensor:
    """Which of ``n_from`` tokens each of ``n_to`` takes, int64 ``[n_to]``.

    The rule "nearest-exact": token floor((i + 0.5) n_from / n_to), whose middle is nearest.
    """
    # By torch and in float32, not by the formula: rounding at ties is part of the published model.
    positions = torch.arange(n_from, dtype=torch.float32)[None, None]
    return functional.interpolate(positions, size=n_to, mode="nearest-exact")[0, 0].long()


def sync_row_indices(n_tokens: int, n_latents: int, *, is_empty: bool) -> Tensor:
    """Which projected sync token each latent takes, int64 ``[n_latents]``.

    Of an empty sync feature only three segments are projected, see ``DISTINCT_EMPTY_TOKENS``.
    """
    indices = nearest_indices(n_tokens, n_latents)
    if not is_empty or n_tokens <= DISTINCT_EMPTY_TOKENS:
        return indices
    # A repeated feature plus the embedding of its position in a segment has a period of one segment
    # (8 tokens). The projection, of kernels 7, 3 and 3, mixes 5 neighbours on either side, fewer
    # than a segment has: its result has the same period, but for the first and the last segment,
    # whose neighbourhood contains the zeros beyond the ends.
    inner = EDGE_TOKENS + indices % EDGE_TOKENS
    last = indices - n_tokens + DISTINCT_EMPTY_TOKENS
    is_first, is_last = indices < EDGE_TOKENS, indices >= n_tokens - EDGE_TOKENS
    return torch.where(is_first, indices, torch.where(is_last, last, inner))
