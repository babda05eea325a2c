"""The networks that ``gpu_check`` runs: at their published sizes, with drawn weights and inputs.

Every network is built on the CPU from generators of its own, so that each machine draws the same
weights, and no file is read but the small ones that come with the package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from acfoley.codec.autoencoder import AUTOENCODER_44K, Autoencoder
from acfoley.codec.vocoder import VOCODER_44K, Vocoder, synthesise
from acfoley.encoders import clip
from acfoley.mini.variants import VARIANTS, open_mini_flow
from acfoley.network.conditions import Features
from acfoley.network.flow_network import FlowNetwork
from acfoley.params import PRESETS, FlowParams, sequence_lengths
from acfoley.sampling import noise_for
from bench.backbones import imagebind, synchformer, synchformer_encoders
from bench.judges import Prepared, mini, paper
from bench.judges.rows import Batch, NetworkRow
from bench.seeds import stable_seed
from benchmarks.flow_speed import drawn_features
from benchmarks.gpu_packages import stand_ins


@torch.no_grad()
def draw_weights(network: nn.Module, name: str, device: str = "cpu") -> nn.Module:
    """Give a network on the meta device weights under which signals stay level; return it.

    They are the same on all machines if they are drawn on the CPU; on a GPU that takes no time.
    """
    network = network.to_empty(device=device).eval().requires_grad_(False)
    for key, tensor in network.state_dict().items():
        generator = torch.Generator(device).manual_seed(stable_seed("gpu-check", name, key))
        if not tensor.is_floating_point():
            tensor.zero_()
        elif tensor.ndim == 0:
            tensor.fill_(1.0)
        elif tensor.ndim > 1 and not key.endswith(("data_mean", "data_std")):
            tensor.normal_(std=tensor[0].numel() ** -0.5, generator=generator)
        else:
            is_gain = key.endswith(("weight", "running_var", "data_std"))
            tensor.normal_(float(is_gain), 0.05, generator=generator)
    return network


@dataclass(frozen=True)
class Network:
    """One network: ``build()`` on the CPU, ``draw(n)`` inputs of n clips on the CPU, ``run``.

    ``run(network, inputs, device)`` returns one tensor ``[B, ...]`` on the CPU, as the package
    computes it. ``draw_full`` are the inputs of clips of 8 s, where a rate is measured as well.
    Rows of the same ``weights`` are neighbours and share what the first of them built.
    """

    name: str
    weights: str
    build: Callable[[], Any]
    draw: Callable[[int], Any]
    run: Callable[[Any, Any, str], Tensor]
    draw_full: Callable[[int], Any] | None = None


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normal values, the same on each machine; a longer first axis begins with the same ones."""
    rows = [
        torch.randn(shape[1:], generator=torch.Generator().manual_seed(1000 * seed + index))
        for index in range(shape[0])
    ]
    return torch.stack(rows)


def model_networks(*, is_small: bool) -> list[Network]:
    """Return the networks of AC-Foley: encoders, flow, codec, and the flow of the mini model."""
    params = PRESETS["acfoley"]
    autoencoder, vocoder, vision = AUTOENCODER_44K, VOCODER_44K, clip.CLIP_H14
    if is_small:
        params = replace(params, width=128, n_heads=2, n_joint_blocks=1, n_fused_blocks=1)
        autoencoder = replace(autoencoder, width=32, n_blocks=1)
        vocoder = replace(vocoder, width=64)
        vision = replace(
            vision, vision_layers=1, vision_width=64, vision_head=16, text_layers=1, vocabulary=300
        )
    shape = 3, clip.SIDE_PIXELS, clip.SIDE_PIXELS
    n_tokens = clip.N_TOKENS
    return [
        Network(
            "AC-Foley flow",
            "flow",
            partial(build_flow, params),
            partial(draw_latents, params),
            run_flow,
        ),
        Network(
            "AC-Foley flow, mini",
            "mini flow",
            partial(open_mini_flow, VARIANTS[0]),
            partial(draw_latents, PRESETS["mini"]),
            run_flow,
        ),
        Network(
            "autoencoder, encode",
            "autoencoder",
            lambda: draw_weights(_on_meta(Autoencoder, autoencoder), "autoencoder"),
            lambda n: draw(n, 128, 64),
            lambda network, frames, device: network.encode(frames.to(device))[0].cpu(),
            lambda n: draw(n, 128, 174),
        ),
        Network(
            "autoencoder, decode",
            "autoencoder",
            lambda: draw_weights(_on_meta(Autoencoder, autoencoder), "autoencoder"),
            lambda n: draw(n, 40, 32),
            lambda network, latents, device: network.decode(latents.to(device)).cpu(),
            lambda n: draw(n, 40, 345),
        ),
        Network(
            "vocoder",
            "vocoder",
            lambda: draw_weights(_on_meta(Vocoder, vocoder), "vocoder"),
            lambda n: draw(n, 128, 32),
            lambda network, frames, device: synthesise(network, frames.to(device), None).cpu(),
            lambda n: draw(n, 128, 690),
        ),
        Network(
            "CLIP, frames",
            "clip",
            partial(_build_clip, vision),
            lambda n: draw(n, 2, *shape),
            _run_clip_frames,
            lambda n: draw(n, 64, *shape),
        ),
        Network(
            "CLIP, prompt",
            "clip",
            partial(_build_clip, vision),
            lambda n: draw(n, n_tokens).abs().mul(100).long().clamp(max=299),
            lambda network, tokens, device: clip.text_features(network, tokens),
        ),
    ]


def _on_meta(kind: Callable[..., nn.Module], *arguments: Any) -> nn.Module:
    with torch.device("meta"):
        return kind(*arguments)


def build_flow(params: FlowParams, device: str = "cpu") -> FlowNetwork:
    """The flow network of these sizes, whose latents have mean 0 and deviation 1."""
    network = draw_weights(_on_meta(FlowNetwork, params), "flow", device)
    network.latent_mean.zero_()
    network.latent_std.fill_(1.0)
    return network


def draw_latents(params: FlowParams, n_clips: int, seconds: float = 1.0) -> tuple[Any, ...]:
    """Noise and features of clips, the same for a clip in any number of them."""
    lengths = sequence_lengths(seconds)
    one = drawn_features(SimpleNamespace(params=params), 1, lengths, "cpu")
    # Each clip has features of its own: the same ones, louder.
    features = {
        name: torch.cat([(1 + 0.2 * index) * one.get(name) for index in range(n_clips)])
        for name in ("audio", "sync", "video", "text")
    }
    return noise_for(range(n_clips), lengths.latents), Features(**features), lengths


def run_flow(network: FlowNetwork, inputs: Any, device: str) -> Tensor:
    """The velocity at time 0.4, in float32 on the CPU."""
    noise, features, lengths = inputs
    dtype = network.latent_mean.dtype
    times = torch.full((len(noise),), 0.4, device=device)
    with torch.inference_mode():
        known = network.conditions(features.to(device), lengths)
        return network(noise.to(device, dtype), times, known).float().cpu()


def _build_clip(params: clip.ClipParams) -> nn.Module:
    with stand_ins():
        empty = _on_meta(clip.build_clip, params)
    network = draw_weights(empty, "clip")
    mask = torch.full((clip.N_TOKENS, clip.N_TOKENS), float("-inf")).triu(1)
    network.register_buffer("attn_mask", mask, persistent=False)
    return network


def _run_clip_frames(network: nn.Module, frames: Tensor, device: str) -> Tensor:
    features = clip.image_features(network, frames.flatten(0, 1))
    return features.unflatten(0, frames.shape[:2])


#: Inputs of one clip for each row of a judge, and of one of 8 s, whose rate is measured.
_Shapes = dict[str, tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]]
PAPER_SHAPES: _Shapes = {
    "passt": ({"images": (128, 1000)}, {"images": (128, 1000)}),
    "panns": ({"images": (801, 64)}, {"images": (801, 64)}),
    "vggish": ({"images": (8, 96, 64)}, {"images": (8, 96, 64)}),
    "imagebind_audio": ({"mels": (1, 128, 204)}, {"mels": (3, 128, 204)}),
    "imagebind_picture": ({"clips": (1, 3, 2, 224, 224)}, {"clips": (9, 3, 2, 224, 224)}),
    "sync_picture": ({"pixels": (16, 224, 224, 3)}, {"pixels": (200, 224, 224, 3)}),
    "sync": (
        {"images": (14, 128, 66), "sync_picture.tokens": (14, 8, 768)},
        {"images": (24, 128, 66), "sync_picture.tokens": (24, 8, 768)},
    ),
}
_MINI_AUDIO = {16: {"waveform": (128_000,)}, 32: {"waveform": (256_000,)}}
MINI_SHAPES: _Shapes = {
    "passt": (_MINI_AUDIO[32], _MINI_AUDIO[32]),
    "panns": (_MINI_AUDIO[16], _MINI_AUDIO[16]),
    "vggish": (_MINI_AUDIO[16], _MINI_AUDIO[16]),
    "imagebind_audio": (_MINI_AUDIO[16], _MINI_AUDIO[16]),
    "imagebind_picture": ({"stills": (17, 64, 64, 3)}, {"stills": (17, 64, 64, 3)}),
    "sync_picture": ({"grey": (200, 64, 64)}, {"grey": (200, 64, 64)}),
    "sync": (
        {"waveform": (128_000,), "sync_picture.tokens": (200, 32)},
        {"waveform": (128_000,), "sync_picture.tokens": (200, 32)},
    ),
}
#: Whole grey levels or colours, not normal values.
PIXELS = ("pixels", "stills", "grey")


def judge_networks(*, is_small: bool) -> list[Network]:
    """Return a row for each network of the judges ``paper`` (but CLAP) and ``mini``."""
    if is_small:
        synchformer_encoders.N_LAYERS = synchformer.OFFSET_LAYERS = 1
    published = [
        _judge_network(
            "paper", row, PAPER_SHAPES, partial(_build_published, row.network, is_small=is_small)
        )
        for row in paper.ROWS
        if row.name in PAPER_SHAPES
    ]
    small = [
        _judge_network("mini", row, MINI_SHAPES, partial(row.load, row.network, "cpu"))
        for row in mini.ROWS
    ]
    return published + small


def _judge_network(
    judge: str, row: NetworkRow, shapes: _Shapes, build: Callable[[], Any]
) -> Network:
    short, full = shapes[row.name]
    return Network(
        f"{judge} {row.name}",
        f"{judge} {row.network}",
        build,
        partial(draw_prepared, short),
        partial(_run_judge, row),
        partial(draw_prepared, full),
    )


def _build_published(name: str, *, is_small: bool) -> nn.Module:
    module = import_module(f"bench.backbones.{name}")
    if name == "imagebind":
        sizes = imagebind.HUGE
        if is_small:
            trunk = imagebind.TrunkParams(width=64, n_blocks=1, n_heads=2)
            sizes = replace(sizes, vision=trunk, audio=trunk)
        network = draw_weights(_on_meta(imagebind.ImageBind, sizes), name)
        network.modality_postprocessors["audio"][1].log_logit_scale.fill_(np.log(20.0))
        return network
    if name == "synchformer":
        return draw_weights(_on_meta(synchformer.Synchformer), name)
    wrap = {"passt": "Passt", "panns": "Cnn14", "vggish": "Vggish"}[name]
    if is_small and name == "passt":
        module.N_BLOCKS = 1
    with stand_ins():
        empty = module.build_network()
    network = getattr(module, wrap)(draw_weights(empty, name))
    return network.eval()


def draw_prepared(shapes: Mapping[str, tuple[int, ...]], n_clips: int) -> list[Prepared]:
    """Arrays of clips as a judge prepares them."""
    clips: list[dict[str, np.ndarray[Any, Any]]] = []
    for index in range(n_clips):
        rng = np.random.default_rng(index)
        clips.append(
            {
                name: rng.integers(0, 256, shape, dtype=np.uint8)
                if name in PIXELS
                else rng.standard_normal(shape, dtype=np.float32) * 0.3
                for name, shape in shapes.items()
            }
        )
    return clips


def _run_judge(row: NetworkRow, network: Any, clips: Sequence[Prepared], device: str) -> Tensor:
    with torch.inference_mode():
        found = row.embed(network, Batch(clips, device))
        return torch.cat([each.cpu().flatten(1) for each in found.values()], dim=1)
