"""The loss of a batch: conditional flow matching on normalised latents (paper, section 3.1)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from acfoley.network.conditions import Features, drop_components
from acfoley.network.flow_network import FlowNetwork
from acfoley.params import SequenceLengths
from acfoley.sampling import flow_loss, interpolate
from acfoley.train.batches import Batch


class Objective(nn.Module):
    """The network with the loss around it, as one module, so that it can be distributed whole."""

    def __init__(self, network: FlowNetwork, lengths: SequenceLengths, *, bfloat16: bool) -> None:
        super().__init__()
        self.network = network
        self.lengths = lengths
        self.is_bfloat16 = bfloat16

    def forward(self, batch: Batch) -> Tensor:
        """Loss by clip, float32 ``[B]``."""
        network = self.network
        audio = network.normalise(batch.audio)
        latents = interpolate(batch.noise, audio, batch.times)
        device = latents.device.type
        with torch.autocast(device, dtype=torch.bfloat16, enabled=self.is_bfloat16):
            conditions = network.conditions(self._features(batch), self.lengths)
            velocity = network(latents, batch.times, conditions)
        return flow_loss(velocity.float(), batch.noise, audio)

    def _features(self, batch: Batch) -> Features:
        """Features, with the learned empty ones where a clip lacks or loses a component.

        Where no clip has a reference the empty ones are used as well, so that every batch reaches
        every weight.
        """
        empty = self.network.empty_features(len(batch.names), self.lengths)
        if (heard := batch.features.audio) is not None:
            # One vector stands for no reference, however many tokens there are.
            empty = replace(empty, audio=self.network.empty_audio_feat.expand(heard.shape))
        return drop_components(batch.features, empty, batch.is_empty)
