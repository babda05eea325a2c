"""Open checkpoints of the flow network: official files, own ones, and MMAudio's for a warm start.

Names and shapes of all tensors must be those of the preset. The official files also hold tables
that are computed here (``COMPUTED``), which are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from acfoley.network.flow_network import FlowNetwork
from acfoley.network.initialise import warm_start
from acfoley.params import PRESETS, FlowParams, ReferenceParams
from bench.checkpoints.load import assign_state, load_state, to_float32
from bench.errors import BenchError, MissingError

#: Tables of positions and frequencies that some files hold and every network computes.
COMPUTED = ("t_embed.freqs", "latent_rot", "clip_rot")


def preset_params(name: str) -> FlowParams:
    """Return the parameters of a preset.

    Raises:
        BenchError: no preset has this name; the message lists the names.
    """
    if name not in PRESETS:
        raise BenchError(f"no preset {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]


def open_flow(
    checkpoint: Path,
    params: FlowParams,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> FlowNetwork:
    """Return the network with the weights of ``checkpoint``, frozen, on ``device``.

    The network is built without memory of its own and takes over the tensors of the file, which
    stay mapped to it on the CPU. Half precision in the file is converted to ``float32`` first.

    Raises:
        MissingError: the file is missing.
        BenchError: its tensors are not those of ``params``, or it is corrupt; where they are those
            of another preset, the message names it.
    """
    if not checkpoint.is_file():
        raise MissingError(f"there is no checkpoint {checkpoint} of the flow network")
    state = to_float32(load_state(checkpoint))
    # Without memory of its own: 1.08 billion values would be drawn only to be replaced.
    network = _build_on_meta(params)
    try:
        assign_state(network, state, checkpoint, optional=COMPUTED)
    except BenchError as error:
        if (name := find_preset(state)) is not None and PRESETS[name] != params:
            raise BenchError(
                f"{checkpoint} is a checkpoint of the preset {name!r}, not of the one asked for: "
                f"use --preset {name}, or another file"
            ) from error
        raise
    return network.to(device=device, dtype=dtype)


def open_warm(
    checkpoint: Path, params: FlowParams, reference: ReferenceParams, seed: int
) -> FlowNetwork:
    """Open an MMAudio ``checkpoint`` as an AC-Foley with the same output, ready to be trained.

    ``params`` are those of the checkpoint; see ``warm_start``. Raises as ``open_flow`` does.
    """
    return warm_start(open_flow(checkpoint, params), reference, seed)


def find_preset(state: Mapping[str, Tensor]) -> str | None:
    """Return the name of the preset with these tensor names and shapes, or None."""
    found = {name: value.shape for name, value in state.items() if name not in COMPUTED}
    for name, params in PRESETS.items():
        shapes = {key: value.shape for key, value in _build_on_meta(params).state_dict().items()}
        if shapes == found:
            return name
    return None


def _build_on_meta(params: FlowParams) -> FlowNetwork:
    with torch.device("meta"):
        return FlowNetwork(params)
