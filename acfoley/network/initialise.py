"""The first weights of a network: random as in MMAudio, or taken over from a trained one.

Modulations and the last layer begin at zero, so that a new network predicts no velocity at all.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from acfoley.network.flow_network import FlowNetwork
from acfoley.params import FlowParams, ReferenceParams

SMALL_DEVIATION = 0.02


def new_network(params: FlowParams, seed: int) -> FlowNetwork:
    """Return a network with random weights, on the CPU; they depend on the seed alone.

    ``empty_string_feat`` is zero until it is set to CLIP's features of the empty text, and the
    statistics of latents are 0 and 1 until they are set to those of the training set.
    """
    with torch.device("meta"):
        network = FlowNetwork(params)
    network.to_empty(device="cpu")
    initialise(network, torch.Generator().manual_seed(seed))
    return network


@torch.no_grad()
def initialise(network: FlowNetwork, generator: torch.Generator) -> None:
    """Draw all weights of ``network``."""
    # All layers draw from one generator, in the order in which the network has them: another order
    # of its attributes would give other weights for the same seed.
    for module in network.modules():
        _draw_layer(module, generator)
    for name, tensor in network.named_parameters():
        if name in ("t_embed.mlp.0.weight", "t_embed.mlp.2.weight", "audio_pool.query"):
            nn.init.normal_(tensor, std=SMALL_DEVIATION, generator=generator)
        elif ".adaLN_modulation." in name or name.startswith(("final_layer.conv.", "empty_")):
            tensor.zero_()
    network.sync_pos_emb.zero_()
    network.latent_mean.zero_()
    network.latent_std.fill_(1)


@torch.no_grad()
def warm_start(trained: FlowNetwork, reference: ReferenceParams, seed: int) -> FlowNetwork:
    """Return AC-Foley with the weights and the output of ``trained``, an MMAudio of any size.

    New parts are drawn from ``seed``. The weights by which the reference joins the other conditions
    are zero, so that it changes nothing at first.

    Raises:
        ValueError: ``trained`` has an input for references already.
    """
    if trained.params.reference is not None:
        raise ValueError("a warm start begins with a network that knows no reference")
    network = new_network(replace(trained.params, reference=reference), seed)
    own = network.state_dict()
    # Only the layers that take the concatenated vector are larger than before. The old weights are
    # their first columns; zeros in the others keep the reference from changing anything.
    for name, tensor in trained.state_dict().items():
        own[name].zero_()
        own[name][tuple(map(slice, tensor.shape))] = tensor
    # An added reference has no columns of its own: its last projection is zero instead.
    if reference.fusion == "add":
        network.audio_cond_proj.weight.zero_()
    return network


def _draw_layer(module: nn.Module, generator: torch.Generator) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight, generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv1d):
        # Uniform within one over the root of the inputs, weights and biases, as torch does.
        bound = (module.in_channels * module.kernel_size[0]) ** -0.5
        nn.init.uniform_(module.weight, -bound, bound, generator=generator)
        if module.bias is not None:
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)
    elif isinstance(module, nn.RMSNorm):
        nn.init.ones_(module.weight)
    elif isinstance(module, nn.MultiheadAttention):
        nn.init.xavier_uniform_(module.in_proj_weight, generator=generator)
        nn.init.zeros_(module.in_proj_bias)
