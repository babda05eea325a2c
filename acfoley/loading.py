"""Open a model by its preset: published weights from a folder, small ones from the package."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from acfoley.codec import load_codec
from acfoley.encoders import load_encoders
from acfoley.encoders.files import FeatureFiles
from acfoley.generate import Model
from acfoley.memory import GIBIBYTE, estimate_need, free_bytes, require_memory
from acfoley.mini.variants import open_mini
from acfoley.network.flow_network import FlowNetwork
from acfoley.network.layers import has_slow_products
from acfoley.network.weights import open_flow, preset_params
from acfoley.official import SHIPPED, Paths, require_clap, require_official
from bench.backbones.requirements import usable_device
from bench.digests import file_digest
from bench.errors import BenchError

log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Loading:
    """Where and how a model runs; ``flow`` is a checkpoint to use instead of the official one."""

    device: str = "cpu"
    dtype: str = "float32"
    flow: Path | None = None
    low_memory: bool = False
    compile: bool = False


def open_model(
    preset: str, directory: Path, loading: Loading, *, seconds: float = 8.0, n_clips: int = 1
) -> Model:
    """Return the model of ``preset``; published weights are read from ``directory``.

    Whether ``n_clips`` of ``seconds`` at once fit into memory is checked before anything is loaded.
    The small presets come with the package, and fit anywhere.

    Raises:
        MissingError: files are missing; the message names them and the command that fetches them.
        BenchError: the preset, device or dtype does not exist, weights of the preset are not
            published, a file is not the official one, or memory does not suffice.
    """
    # An unknown preset is refused before a device is initialised.
    preset_params(preset)
    device = usable_device(loading.device)
    if loading.dtype not in DTYPES:
        raise BenchError(f"no type {loading.dtype!r}; there are: {', '.join(DTYPES)}")
    if preset in SHIPPED:
        dtype = DTYPES[loading.dtype]
        model = open_mini(SHIPPED[preset], device, dtype=dtype, flow=loading.flow)
    else:
        model = _open_published(preset, directory, loading, device, seconds, n_clips)
    if loading.compile:
        model.compile()
    return model


def _open_published(
    preset: str,
    directory: Path,
    loading: Loading,
    device: torch.device,
    seconds: float,
    n_clips: int,
) -> Model:
    params, dtype = preset_params(preset), DTYPES[loading.dtype]
    # On a CPU networks that take turns would be copied from and to the same memory.
    is_sequential = loading.low_memory and device.type != "cpu"
    paths = require_official(preset, directory, flow=loading.flow)
    clap = require_clap(directory) if params.uses_clap else None
    need = estimate_need(params, dtype, seconds, n_clips=n_clips, low_memory=is_sequential)
    require_memory(need, device)
    spare_bytes = free_bytes(device) - need.total
    home = torch.device("cpu") if is_sequential else device
    network = open_flow(paths.flow, params, device=home, dtype=dtype)
    if not is_sequential:
        prepare_network(network, spare_bytes)
    return Model(
        network,
        load_codec(paths.autoencoder, paths.vocoder, home),
        load_encoders(paths.clip, paths.synchformer, home, clap=clap),
        files=FeatureFiles(_identities(paths, clap), device),
        visiting=device if is_sequential else None,
    )


def prepare_network(network: FlowNetwork, spare_bytes: int) -> None:
    """Prepare ``network`` for faster inference where it helps and fits into ``spare_bytes``.

    Where it would help and does not fit, a warning says so and the network stays as it is.
    """
    # A GPU and bfloat16 have kernels of their own, and without fast products direct sums are
    # faster.
    weight = network.latent_mean
    is_plain = weight.device.type == "cpu" and weight.dtype == torch.float32
    if not is_plain or has_slow_products():
        return
    if network.transformed_bytes > spare_bytes:
        # Not refused: a machine with less memory generates all the same.
        log.warning(
            "generating is slower, and rounds otherwise, than with %.1f GiB more of free memory",
            (network.transformed_bytes - spare_bytes) / GIBIBYTE,
        )
        return
    network.prepare_inference()


def _identities(paths: Paths, clap: Path | None) -> dict[str, str]:
    """Name the weights that make each kind of features, by their SHA-256."""
    files = {
        "video": paths.clip,
        "sync": paths.synchformer,
        "text": paths.clip,
        "reference": paths.autoencoder,
    }
    if clap is not None:
        files["embedding"] = clap
    # 64 bits of the digest distinguish the few files of a kind, and keep names of folders short.
    return {kind: file_digest(path)[:16] for kind, path in files.items()}
