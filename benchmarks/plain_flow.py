"""The flow network as its equations read, which ``flow_speed`` compares ours with.

Features are projected at every step, guidance is two passes one after another, clips come one by
one, every latent has a modulation of its own, and layers are torch's. The weights are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from acfoley.network.blocks import Stream
from acfoley.network.conditions import Features
from acfoley.network.flow_network import FlowNetwork
from acfoley.network.layers import Conditioning, Projection
from acfoley.params import GUIDANCE, SequenceLengths
from acfoley.sampling import euler


def plain(
    network: FlowNetwork, features: Features, noise: Tensor, lengths: SequenceLengths, n_steps: int
) -> Tensor:
    """Clip by clip, pass by pass, nothing kept."""
    with plain_layers():
        return torch.cat(
            [
                plain_clip(network, clip_of(features, index), noise[index, None], lengths, n_steps)
                for index in range(len(noise))
            ]
        )


def plain_clip(
    network: FlowNetwork, features: Features, noise: Tensor, lengths: SequenceLengths, n_steps: int
) -> Tensor:
    """Euler's steps of one clip."""
    empty = network.empty_features(1, lengths)

    def velocity(latents: Tensor, times: Tensor) -> Tensor:
        towards = network(latents, times, network.conditions(features, lengths))
        away = network(latents, times, network.conditions(empty, lengths))
        return GUIDANCE * towards + (1 - GUIDANCE) * away

    return euler(velocity, noise, n_steps)


@contextmanager
def plain_layers() -> Iterator[None]:
    """While open, linear layers are torch's, and every token is modulated on its own."""
    ours = Projection.forward, Stream.qkv
    Projection.forward, Stream.qkv = nn.Linear.forward, qkv_by_token
    try:
        yield
    finally:
        Projection.forward, Stream.qkv = ours


def qkv_by_token(
    stream: Stream, tokens: Tensor, condition: Conditioning, angles: Tensor | None
) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
    """As the stream does, from conditions that were handed out before they are worked on."""
    activation, projection = stream.adaLN_modulation
    parts = projection(activation(condition.broadcast(condition.rows)))
    shift, scale, *rest = parts.chunk(stream.adaLN_modulation.n_parts, dim=-1)
    normal = functional.layer_norm(tokens, tokens.shape[-1:])
    return stream.attn(normal * (1 + scale) + shift, angles), tuple(rest)


def clip_of(features: Features, index: int) -> Features:
    """The features of one clip."""
    rows = {
        name: None if (found := features.get(name)) is None else found[index, None]
        for name in ("audio", "sync", "video", "text")
    }
    return Features(**rows)
