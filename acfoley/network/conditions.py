"""What the network is told about clips: features, which of them are masked, and their projections.

Features are what encoders make of a clip. A component that is absent or masked is replaced by the
learned empty feature, repeated to the same length, before the network projects it; that is also
what guidance compares with. ``Conditions`` are the projected features, made once per clip and used
at every step.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor

from acfoley.network.attention import stretch_places
from acfoley.params import REFERENCE_SAMPLES, SAMPLES_PER_LATENT, SYNC_TOKENS_PER_SEGMENT
from bench.errors import BenchError

Component = Literal["audio", "sync", "video", "text"]
MaskScope = Literal["whole", "vector"]

COMPONENTS: tuple[Component, ...] = get_args(Component)
SCOPES: tuple[MaskScope, ...] = get_args(MaskScope)

#: Tokens that stand for a reference that is not there.
EMPTY_REFERENCE_TOKENS = REFERENCE_SAMPLES // SAMPLES_PER_LATENT
#: Sync tokens whose neighbourhood reaches an end of the sequence lie in its outer segments.
EDGE_TOKENS = SYNC_TOKENS_PER_SEGMENT
#: Repeated empty features differ by their distance to an end and their place in a segment alone.
DISTINCT_EMPTY_TOKENS = 3 * SYNC_TOKENS_PER_SEGMENT


@dataclass(frozen=True)
class Features:
    """Features of a batch of B clips; None where no clip has the component.

    ``video`` are CLIP's features of frames ``[B, 8 s, 1024]``, ``sync`` Synchformer's
    ``[B, 24 s, 768]``, ``text`` CLIP's of tokens ``[B, 77, 1024]``; ``audio`` is the reference, raw
    latents of the codec ``[B, L, 40]`` of any length, or one CLAP embedding ``[B, 1, 512]``.
    Features of nothing describe one clip.
    """

    audio: Tensor | None = None
    sync: Tensor | None = None
    video: Tensor | None = None
    text: Tensor | None = None

    def get(self, component: Component) -> Tensor | None:
        """The features of one component."""
        found: Tensor | None = getattr(self, component)
        return found

    @property
    def n_clips(self) -> int:
        """How many clips these features describe.

        Raises:
            ValueError: components disagree about it.
        """
        counts = {len(each) for name in COMPONENTS if (each := self.get(name)) is not None}
        if len(counts) > 1:
            raise ValueError(f"components describe different numbers of clips: {sorted(counts)}")
        return counts.pop() if counts else 1

    def to(self, device: torch.device | str) -> Features:
        """The same features on ``device``."""
        found = {name: self.get(name) for name in COMPONENTS}
        return Features(
            **{n: None if each is None else each.to(device) for n, each in found.items()}
        )

    def without(self, components: frozenset[Component]) -> Features:
        """The same features, of these components none."""
        return replace(self, **dict.fromkeys(components))


@dataclass(frozen=True)
class Mask:
    """Components that the network shall not know (paper, Table 6).

    With scope ``whole`` it does not see them at all; with ``vector`` picture and text leave the
    vector that conditions all blocks, and their tokens still take part in attention. Reference and
    sync enter through that vector alone, so that the scope makes no difference for them.
    """

    components: frozenset[Component] = frozenset()
    scope: MaskScope = "whole"

    @property
    def hidden(self) -> frozenset[Component]:
        """Components of which nothing is seen."""
        by_vector: frozenset[Component] = frozenset({"audio", "sync"})
        return self.components if self.scope == "whole" else self.components & by_vector


def parse_mask(text: str, scope: str = "whole") -> Mask:
    """Return the mask that ``text`` names: components between commas; "" masks nothing.

    >>> sorted(parse_mask("video,text").components)
    ['text', 'video']

    Raises:
        BenchError: there is no such component or scope.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in COMPONENTS]:
        near = difflib.get_close_matches(unknown[0], COMPONENTS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise BenchError(
            f"cannot mask {unknown[0]!r}: {hint}components are {', '.join(COMPONENTS)}"
        )
    if scope not in SCOPES:
        raise BenchError(f"no mask scope {scope!r}: there are {', '.join(SCOPES)}")
    return Mask(
        frozenset(name for name in COMPONENTS if name in names),
        next(each for each in SCOPES if each == scope),
    )


def dropped(features: Features, empty: Features, drops: Mapping[Component, Tensor]) -> Features:
    """Features in which the clips that ``drops [B]`` marks have the ``empty`` ones instead.

    For training: components are dropped clip by clip, and gradients reach the empty features.
    """
    changed = {}
    for name, is_dropped in drops.items():
        kept, other = features.get(name), empty.get(name)
        if kept is None or other is None:
            raise ValueError(f"cannot drop {name!r} of some clips: there are no features of it")
        changed[name] = torch.where(is_dropped[:, None, None], other.to(kept.dtype), kept)
    return replace(features, **changed)


@dataclass(frozen=True)
class Conditions:
    """Projected features of B clips, ready for every step; made by ``FlowNetwork.conditions``.

    ``video`` and ``text`` are tokens ``[B, L, D]``, ``vector [B, D]`` is what all blocks share, but
    for the time. Sync features are ``sync_rows [R, D]``, of the clips ``sync_clips [R]``, and
    ``sync_places [B, L]`` says which row each latent takes. ``angles`` turn latents and frames, and
    time is seen through ``frequencies``: both are of the network and the lengths alone.
    """

    video: Tensor
    text: Tensor
    vector: Tensor
    sync_rows: Tensor
    sync_clips: Tensor
    sync_places: Tensor
    angles: tuple[Tensor, Tensor]
    frequencies: Tensor

    @property
    def n_clips(self) -> int:
        """How many clips there are."""
        return len(self.vector)

    @property
    def n_latents(self) -> int:
        """How many latents each has."""
        return int(self.sync_places.shape[1])


def joined(parts: Sequence[Conditions]) -> Conditions:
    """The clips of all ``parts``, one after another; lengths must be the same."""
    n_clips = [sum(part.n_clips for part in parts[:index]) for index in range(len(parts))]
    n_rows = [sum(len(part.sync_rows) for part in parts[:index]) for index in range(len(parts))]
    return Conditions(
        video=torch.cat([part.video for part in parts]),
        text=torch.cat([part.text for part in parts]),
        vector=torch.cat([part.vector for part in parts]),
        sync_rows=torch.cat([part.sync_rows for part in parts]),
        sync_clips=torch.cat([p.sync_clips + n for p, n in zip(parts, n_clips, strict=True)]),
        sync_places=torch.cat([p.sync_places + n for p, n in zip(parts, n_rows, strict=True)]),
        angles=parts[0].angles,
        frequencies=parts[0].frequencies,
    )


def row_places(n_tokens: int, n_latents: int, *, is_empty: bool) -> Tensor:
    """Which projected sync token each latent takes, int64 ``[n_latents]``.

    Sync tokens are stretched to the latents. Empty ones are projected in three segments only: the
    inner one, which repeats, and the outer two, whose neighbourhood reaches beyond the ends.
    """
    places = stretch_places(n_tokens, n_latents)
    if not is_empty or n_tokens <= DISTINCT_EMPTY_TOKENS:
        return places
    inner = EDGE_TOKENS + places % EDGE_TOKENS
    last = places - n_tokens + DISTINCT_EMPTY_TOKENS
    is_first, is_last = places < EDGE_TOKENS, places >= n_tokens - EDGE_TOKENS
    return torch.where(is_first, places, torch.where(is_last, last, inner))
