"""The parts of ``gpu_check``: each measures something on one device and yields rows."""

from __future__ import annotations

import gc
import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

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
from bench.errors import MissingError
from bench.judges import GPU_BATCH
from benchmarks.flow_speed import matrix_peak
from benchmarks.gpu_networks import (
    Network,
    build_flow,
    draw_latents,
    draw_weights,
    judge_networks,
    model_networks,
)
from benchmarks.plain_flow import plain

ROOT = Path(__file__).resolve().parents[1]
#: Relative distance of outputs: between CPU and device, and of a clip alone and in a batch.
TOLERANCE = 1e-4
#: Of latents after all steps, in float32: what a clip's audio may depend on its batch.
LATENT_TOLERANCE = 1e-4
BATCHES = (1, 8, 32)
COMPILED_BATCH = 8
#: A batch of extraction takes no more than this.
RATE_S = 3.0
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}

Status = Literal["ok", "failed", "missing", "skipped"]


@dataclass(frozen=True)
class Row:
    """One line: a number with its unit and the ``limit`` that it must not pass, if it has one."""

    part: str
    name: str
    status: Status = "ok"
    value: float | None = None
    unit: str = ""
    limit: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Machine:
    """The device that is checked; ``is_small`` takes networks of a few layers, for a CPU."""

    device: str
    is_small: bool = False

    @property
    def is_gpu(self) -> bool:
        """Whether there is a GPU to wait for, whose memory is counted."""
        return self.device != "cpu"

    @property
    def seconds(self) -> float:
        """Length of the clips."""
        return 1.0 if self.is_small else 8.0

    @property
    def batches(self) -> tuple[int, ...]:
        """Clips that are generated at once."""
        return (1, 2) if self.is_small else BATCHES

    def synchronise(self) -> None:
        """Wait until the GPU has done what it was given."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def time(self, work: Callable[[], object], least_s: float = 1.0) -> float:
        """Seconds of one ``work``, the best of as many as take ``least_s``, after a first one."""
        work()
        self.synchronise()
        taken: list[float] = []
        while not taken or (sum(taken) < least_s and not self.is_small and len(taken) < 50):
            started = time.perf_counter()
            work()
            self.synchronise()
            taken.append(time.perf_counter() - started)
        return min(taken)

    def peak_gib(self, work: Callable[[], object]) -> float:
        """Most memory that is used while ``work`` runs; 0 on a CPU."""
        if not self.is_gpu:
            work()
            return 0.0
        torch.cuda.reset_peak_memory_stats(self.device)
        work()
        return torch.cuda.max_memory_allocated(self.device) / 2**30

    def peak_flops(self, dtype: torch.dtype) -> float:
        """Operations per second of a large matrix product of this type."""
        return matrix_peak(dtype, self.device, 1024 if self.is_small else 8192)


def check_peaks(machine: Machine) -> Iterator[Row]:
    """Measure what the card reaches: what all shares of other rows refer to."""
    with full_precision():
        for name, dtype in DTYPES.items():
            peak = machine.peak_flops(dtype) / 1e12
            yield Row("peaks", f"matrix product, {name}", value=peak, unit="TFLOP/s")
    if machine.is_gpu:
        total = torch.cuda.get_device_properties(machine.device).total_memory / 2**30
        yield Row("peaks", "memory", value=total, unit="GiB")


def check_model(machine: Machine) -> Iterator[Row]:
    """Compare the networks of AC-Foley on the CPU and on the device."""
    yield from _check_networks("model", machine, model_networks(is_small=machine.is_small))


def check_judges(machine: Machine) -> Iterator[Row]:
    """The same for the networks of the judges, whose features a run extracts."""
    yield from _check_networks("judges", machine, judge_networks(is_small=machine.is_small))


def _check_networks(part: str, machine: Machine, networks: Sequence[Network]) -> Iterator[Row]:
    built: dict[str, Any] = {}
    for each in networks:
        try:
            if each.weights not in built:
                built.clear()
                built[each.weights] = each.build()
            with full_precision():
                yield from _check_network(part, machine, each, built[each.weights])
        except (MissingError, ModuleNotFoundError) as error:
            yield Row(part, each.name, "missing", note=str(error))
        except Exception as error:  # a network that fails is a row, and the next one is tried
            yield Row(part, each.name, "failed", note=f"{type(error).__name__}: {error}")
        gc.collect()
        if machine.is_gpu:
            torch.cuda.empty_cache()


def _check_network(part: str, machine: Machine, each: Network, network: Any) -> Iterator[Row]:
    network, device = network.to("cpu"), machine.device
    expected = each.run(network, each.draw(2), "cpu")
    network = network.to(device)
    found = each.run(network, each.draw(2), device)
    yield _compared(part, f"{each.name}: CPU and {device}", found, expected)
    alone, together = (
        each.run(network, each.draw(1), device),
        each.run(network, each.draw(3), device),
    )
    yield _compared(part, f"{each.name}: alone and in a batch", together[:1], alone)
    if each.draw_full is not None:
        yield _rate(part, machine, each, network)


def _compared(part: str, name: str, found: Tensor, expected: Tensor) -> Row:
    error = float((found - expected).norm() / expected.norm())
    is_met = error <= TOLERANCE  # False for what is not a number
    return Row(part, name, "ok" if is_met else "failed", error, "relative", TOLERANCE)


def _rate(part: str, machine: Machine, each: Network, network: Any) -> Row:
    """Clips of 8 s per second in batches, beside a plain loop over single clips."""
    one = each.draw(1) if machine.is_small or each.draw_full is None else each.draw_full(1)

    def loop(n_clips: int) -> None:
        for _ in range(n_clips):
            each.run(network, one, machine.device)

    # Fewer of large networks, so that each row takes seconds.
    single_s = machine.time(lambda: loop(1), least_s=0.0)
    n_clips = 2 if machine.is_small else min(GPU_BATCH, max(2, int(RATE_S / single_s)))
    # The values do not matter here, and one clip is drawn faster than many.
    many = one * n_clips if isinstance(one, list) else one.repeat(n_clips, *[1] * (one.ndim - 1))

    def batched() -> None:
        each.run(network, many, machine.device)

    batched_s, loop_s = machine.time(batched), machine.time(lambda: loop(n_clips))
    note = f"{n_clips} at once; {n_clips / loop_s:.1f} one by one, ratio {loop_s / batched_s:.2f}"
    if machine.is_gpu:
        note += f"; {machine.peak_gib(batched):.1f} GiB"
    return Row(part, f"{each.name}: rate", value=n_clips / batched_s, unit="clips/s", note=note)


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


def check_tests(machine: Machine) -> Iterator[Row]:
    """Run the tests that are marked for a GPU, where pytest and what they import is installed."""
    needed = ("pytest", "pytest_timeout", "librosa", "av")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing or not machine.is_gpu:
        note = f"needs {', '.join(missing)}" if missing else "needs a GPU"
        yield Row("tests", "tests marked gpu", "missing" if missing else "skipped", note=note)
        return
    marked = re.compile(r"mark\.gpu\b")
    files = [p for p in sorted((ROOT / "tests").rglob("test_*.py")) if marked.search(p.read_text())]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or [""]
    status: Status = "ok" if done.returncode == 0 else "failed"
    yield Row("tests", "tests marked gpu", status, note=lines[-1].strip("= "))


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


#: By name: what it does, and the seconds that it may take.
PARTS: dict[str, tuple[Callable[[Machine], Iterator[Row]], float]] = {
    "peaks": (check_peaks, 45),
    "generation": (check_generation, 150),
    "judges": (check_judges, 170),
    "model": (check_model, 120),
    "compiled": (check_compiled, 150),
    "tests": (check_tests, 60),
}


def run_part(name: str, machine: Machine) -> Iterator[Row]:
    """Yield the rows of one part; what it cannot finish is a row."""
    try:
        yield from PARTS[name][0](machine)
    except (MissingError, ModuleNotFoundError) as error:
        yield Row(name, name, "missing", note=str(error))
    except Exception as error:  # whatever it is, the other parts are measured
        yield Row(name, name, "failed", note=f"{type(error).__name__}: {error}"[:300])
