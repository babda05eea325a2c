"""How fast AC-Foley generates on a device, and whether a clip depends on its batch.

Weights and conditions are drawn; the network has the published size.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from acfoley.codec.autoencoder import AUTOENCODER_44K, Autoencoder
from acfoley.codec.codec import Codec
from acfoley.codec.vocoder import VOCODER_44K, Vocoder
from acfoley.network.conditions import Features
from acfoley.network.flow_network import FlowNetwork
from acfoley.params import PRESETS, FlowParams, sequence_lengths
from acfoley.sampling import N_STEPS, Velocity, classifier_free_guidance, euler
from bench.backbones.precision import full_precision
from benchmarks.gpu_machine import DTYPES, Machine, Row
from benchmarks.gpu_networks import build_flow, draw_latents, draw_weights
from benchmarks.plain_flow import plain

#: Of latents after all steps, in float32: what a clip's audio may depend on its batch.
LATENT_TOLERANCE = 1e-4
COMPILED_BATCH = 8


def check_generation(machine: Machine) -> Iterator[Row]:
    """Clips per second of AC-Foley by precision and batch, and whether a batch changes a clip."""
    params = _flow_params(machine)
    network = build_flow(params, machine.device)
    decoding = dict(_time_decoding(machine))
    flops = _count_flops(params, machine)
    with torch.inference_mode(), full_precision():
        yield from _plain_row(machine, network)
        exact = _sample(machine, network, 1)
        for name, dtype in DTYPES.items():
            network, peak = network.to(dtype), machine.peak_flops(dtype)
            alone = _sample(machine, network, 1)
            yield _independence_row(machine, network, name, alone, exact)
            for n_clips in machine.batches:
                step_s, memory_gib = _time_step(machine, network, n_clips)
                share = flops * n_clips / step_s / peak
                total_s = N_STEPS * step_s + decoding[n_clips]
                yield Row(
                    "generation",
                    f"{name}, {n_clips} at once",
                    value=n_clips / total_s,
                    unit="clips/s",
                    note=f"flow {n_clips / step_s / N_STEPS:.2f}/s, {step_s * 1e3:.1f} ms a step, "
                    f"{share:.0%} of the peak; audio {n_clips / decoding[n_clips]:.1f}/s; "
                    f"{memory_gib:.1f} GiB",
                )


def check_compiled(machine: Machine) -> Iterator[Row]:
    """The one compiled case: a step of AC-Foley in bfloat16, beside the same step as it is."""
    network = build_flow(_flow_params(machine), machine.device).to(torch.bfloat16)
    n_clips = machine.batches[-1] if machine.is_small else COMPILED_BATCH
    with torch.inference_mode():
        plain_s, _ = _time_step(machine, network, n_clips)
        velocity, noise, times = _guided(machine, network, n_clips)
        expected = velocity(noise, times)
        network.compile(backend="eager" if machine.is_small else "inductor", dynamic=False)
        started = time.perf_counter()
        found = velocity(noise, times)
        machine.synchronise()
        compile_s = time.perf_counter() - started
        error = float((found - expected).norm() / expected.norm())
        step_s, memory_gib = _time_step(machine, network, n_clips)
    flops = _count_flops(_flow_params(machine), machine)
    share = flops * n_clips / step_s / machine.peak_flops(torch.bfloat16)
    yield Row(
        "compiled",
        f"bfloat16, {n_clips} at once, flow",
        value=n_clips / step_s / N_STEPS,
        unit="clips/s",
        note=f"{step_s * 1e3:.1f} ms a step, ratio {plain_s / step_s:.2f} to not compiled, "
        f"{share:.0%} of the peak; {compile_s:.0f} s to compile; differs by {error:.1e} relative; "
        f"{memory_gib:.1f} GiB",
    )


def _flow_params(machine: Machine) -> FlowParams:
    params = PRESETS["acfoley"]
    small = replace(params, width=128, n_heads=2, n_joint_blocks=1, n_fused_blocks=1)
    return small if machine.is_small else params


def _guided(
    machine: Machine, network: FlowNetwork, n_clips: int
) -> tuple[Velocity, Tensor, Tensor]:
    """The guided velocity of clips of full conditions, with noise and times for it."""
    device = machine.device
    noise, features, lengths = draw_latents(network.params, n_clips, machine.seconds)
    known = network.conditions(features.to(device), lengths)
    empty = network.conditions(Features(), lengths)
    velocity = classifier_free_guidance(network, known, empty)
    return velocity, noise.to(device), torch.full((n_clips,), 0.4, device=device)


def _sample(machine: Machine, network: FlowNetwork, n_clips: int) -> Tensor:
    """Latents after all steps, ``[B, L, 40]`` on the CPU."""
    velocity, noise, _ = _guided(machine, network, n_clips)
    return euler(velocity, noise, 2 if machine.is_small else N_STEPS).float().cpu()


def _independence_row(
    machine: Machine, network: FlowNetwork, name: str, alone: Tensor, exact: Tensor
) -> Row:
    n_clips = machine.batches[1]
    change = float((_sample(machine, network, n_clips)[:1] - alone).abs().max())
    is_float32 = name == "float32"
    is_met = change <= LATENT_TOLERANCE or not is_float32
    rounded = float((alone - exact).norm() / exact.norm())
    return Row(
        "generation",
        f"{name}: latents alone and among {n_clips}",
        "ok" if is_met else "failed",
        change,
        "largest difference",
        LATENT_TOLERANCE if is_float32 else None,
        "" if is_float32 else f"differ by {rounded:.1e} relative from those in float32",
    )


def _time_step(machine: Machine, network: FlowNetwork, n_clips: int) -> tuple[float, float]:
    """Seconds of one guided step, and the GiB that are used at most."""
    velocity, noise, times = _guided(machine, network, n_clips)
    seconds = machine.time(lambda: velocity(noise, times))
    return seconds, machine.peak_gib(lambda: velocity(noise, times))


def _plain_row(machine: Machine, network: FlowNetwork) -> Iterator[Row]:
    noise, features, lengths = draw_latents(network.params, 1, machine.seconds)
    noise, features = noise.to(machine.device), features.to(machine.device)
    step_s = machine.time(lambda: plain(network, features, noise, lengths, 1))
    yield Row(
        "generation",
        "float32, plain loop over single clips, flow",
        value=1 / step_s / N_STEPS,
        unit="clips/s",
        note=f"{step_s * 1e3:.1f} ms a step; torch's layers, nothing kept, guidance in two passes",
    )


def _time_decoding(machine: Machine) -> Iterator[tuple[int, float]]:
    """Seconds of latents to audio for each batch; weights and latents are drawn."""
    sizes, vocoder = AUTOENCODER_44K, VOCODER_44K
    if machine.is_small:
        sizes, vocoder = replace(sizes, width=32, n_blocks=1), replace(vocoder, width=64)
    with torch.device("meta"):
        parts = Autoencoder(sizes), Vocoder(vocoder)
    drawn = [draw_weights(part, "codec", machine.device) for part in parts]
    codec = Codec(*drawn, chunk_frames=None)
    n_latents = sequence_lengths(machine.seconds).latents
    with torch.inference_mode(), full_precision():
        for n_clips in machine.batches:
            latents = torch.randn(n_clips, n_latents, 40, device=machine.device)
            yield n_clips, machine.time(lambda latents=latents: codec.decode(latents))


def _count_flops(params: FlowParams, machine: Machine) -> float:
    """Operations of a guided step of one clip, counted without computing any."""
    with torch.device("meta"):
        network = FlowNetwork(params)
    noise, features, lengths = draw_latents(params, 1, machine.seconds)
    features = features.to("meta")
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        known = network.conditions(features, lengths)
        before = counter.get_total_flops()
        network(noise.to("meta"), torch.empty(1, device="meta"), known)
    # Both sides of guidance cost the same.
    return 2.0 * (counter.get_total_flops() - before)
