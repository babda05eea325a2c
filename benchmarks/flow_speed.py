"""How fast clips are generated beside a plain implementation of the same network.

    python -m benchmarks.flow_speed [--preset small_44k] [--clips 2] [--steps 2] [--repeats 3]
    python -m benchmarks.flow_speed --clips 1 --repeats 7 --before DIR

Plain is the network as its equations read (``plain_flow``). Ours projects once per clip, guides all
clips in one batch, projects the latents of both sides once, modulates tokens that share a condition
once, and takes half of the products of short convolutions (``network.winograd``). Both have the
same seeded weights and must make the same latents. They take turns in one process and the best of
the repeats counts, by the clock and by the processor's time, since on a busy machine the clock
counts others' work too. Exits with 1 if the ratio by the clock falls below its target. Ours in
bfloat16 is timed beside them, for what it is: only with AMX or on some AMD processors it is faster,
and latents are rounded.

``--before`` names the folder of an earlier commit (``git archive COMMIT | tar x -C DIR``): its
network is loaded beside this one, with the same weights, and both take turns in the same way; no
plain one. Exits with 1 if a clip takes more than 0.79 of its time or latents differ.

On a GPU (``--device cuda``) time per step, clips per second and the share of the measured peak of a
matrix product are printed too, by type (``--dtypes float32,bfloat16``).
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from acfoley.loading import prepare_network
from acfoley.memory import free_bytes
from acfoley.network.conditions import Features
from acfoley.network.flow_network import FlowNetwork
from acfoley.network.initialise import new_network
from acfoley.params import PRESETS, SequenceLengths, sequence_lengths
from acfoley.sampling import Velocity, classifier_free_guidance, euler, noise_for
from benchmarks.checkout import import_from
from benchmarks.plain_flow import plain

TARGET_RATIO = 1.5
#: Of the time of commit 3a9936d, whose network was as fast as MMAudio's own: 1.5 times as fast is
#: 0.79 of it, as measured there.
LARGEST_SHARE = 0.79
LARGEST_DIFFERENCE = 1e-4
SECONDS = 8.0
#: A published sample takes this many steps; all costs but that of projection are per step.
FULL_STEPS = 25
#: Steps between two looks at the clock, on a GPU.
TIMED_STEPS = 10


def main() -> int:
    """Run the race and return the exit code."""
    options = parsed()
    torch.set_num_threads(options.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    lengths = sequence_lengths(options.seconds)
    network = drawn_network(options.preset).to(options.device)
    features = drawn_features(network, options.clips, lengths, options.device)
    noise = noise_for(range(options.clips), lengths.latents).to(options.device)
    print(
        f"{options.preset}, {options.clips} clips of {options.seconds:g} s, {options.steps} steps, "
        f"{options.device}, {torch.get_num_threads()} threads, best of {options.repeats}"
    )
    if options.before is not None:
        return int(not race_before(network, features, noise, lengths, options))
    is_met = race(network, features, noise, lengths, options)
    if options.device != "cpu":
        report_gpu(network, features, noise, lengths, options)
    return int(not is_met)


def parsed() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="Time the flow network.")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="small_44k")
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--before", type=Path, help="The folder of an earlier commit.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--dtypes", default="float32,bfloat16", help="On a GPU.")
    parser.add_argument("--compile", action="store_true", help="On a GPU: compiled, too.")
    return parser.parse_args()


class Timed(NamedTuple):
    """Seconds by the clock, seconds of the processor, and what was made."""

    clock_s: float
    processor_s: float
    made: Tensor


@torch.inference_mode()
def race(
    network: FlowNetwork,
    features: Features,
    noise: Tensor,
    lengths: SequenceLengths,
    options: argparse.Namespace,
) -> bool:
    """Print seconds per clip and step of all, and return whether the target is met."""
    rounded, prepared = deepcopy(network).bfloat16(), prepare(network)
    works: dict[str, Callable[[], Tensor]] = {
        "plain": lambda: plain(network, features, noise, lengths, options.steps),
        "ours": lambda: ours(prepared, features, noise, lengths, options.steps),
        "ours, bfloat16": lambda: ours(rounded, features, noise, lengths, options.steps),
    }
    best: dict[str, Timed] = {}
    for _ in range(options.repeats):
        for name, work in works.items():
            found = timed(work, options.device)
            before = best.get(name, found)
            best[name] = Timed(*map(min, zip(found[:2], before[:2], strict=True)), found.made)
    n_parts = options.steps * options.clips
    print(f"{'per clip and step':<16} {'clock':>9} {'processor':>11} {'ratios':>13} difference")
    theirs = best["plain"]
    for name, (clock_s, processor_s, made) in best.items():
        print(
            f"{name:<16} {clock_s / n_parts:7.3f} s {processor_s / n_parts:9.3f} s "
            f"{theirs.clock_s / clock_s:6.2f} {theirs.processor_s / processor_s:6.2f} "
            f"{distance(made, theirs.made):10.1e}"
        )
    ratio = theirs.clock_s / best["ours"].clock_s
    is_same = distance(best["ours"].made, theirs.made) < LARGEST_DIFFERENCE
    print(f"ratio of ours {ratio:.2f}, at least {TARGET_RATIO:g} expected")
    return ratio >= TARGET_RATIO and is_same


@torch.inference_mode()
def race_before(
    network: FlowNetwork,
    features: Features,
    noise: Tensor,
    lengths: SequenceLengths,
    options: argparse.Namespace,
) -> bool:
    """Print the time of this network in that of ``--before``; return whether the target is met."""
    before = load_before(options.before)
    their_network = before.drawn_network(options.preset).to(options.device)
    their_features = before.drawn_features(their_network, options.clips, lengths, options.device)
    # An earlier commit has a preparation of its own, or none.
    their_network = getattr(before, "prepare", lambda network: network)(their_network)
    prepared = prepare(network)
    works: dict[str, Callable[[], Tensor]] = {
        "before": lambda: before.ours(their_network, their_features, noise, lengths, options.steps),
        "now": lambda: ours(prepared, features, noise, lengths, options.steps),
    }
    rounds = [
        {name: timed(work, options.device) for name, work in works.items()}
        for _ in range(options.repeats + 1)
    ][1:]  # the first round allocates
    for clock in ("clock_s", "processor_s"):
        seconds = {name: [getattr(each[name], clock) for each in rounds] for name in works}
        ratios = [now / then for now, then in zip(seconds["now"], seconds["before"], strict=True)]
        least = min(seconds["now"]) / min(seconds["before"])
        print(
            f"{clock:<12} before {min(seconds['before']):.3f} s, now {min(seconds['now']):.3f} s; "
            f"now / before: of the best {least:.3f}, by rounds min {min(ratios):.3f} median "
            f"{statistics.median(ratios):.3f} max {max(ratios):.3f}"
        )
        if clock == "clock_s":
            share = least
    made, expected = rounds[0]["now"].made, rounds[0]["before"].made
    largest = float((made - expected).abs().max())
    print(f"latents: largest difference {largest:.1e}, relative {distance(made, expected):.1e}")
    print(f"share {share:.3f}, at most {LARGEST_SHARE:g} expected")
    return share <= LARGEST_SHARE and largest < LARGEST_DIFFERENCE


def load_before(folder: Path) -> ModuleType:
    """Import this benchmark, with the packages it uses, from the folder of an earlier commit."""
    with import_from(folder):
        return importlib.import_module("benchmarks.flow_speed")


def prepare(network: FlowNetwork) -> FlowNetwork:
    """Return a copy of the network as it generates."""
    prepared = deepcopy(network)
    prepare_network(prepared, free_bytes(network.latent_mean.device))
    return prepared


def distance(found: Tensor, expected: Tensor) -> float:
    """In units of what is expected."""
    return float((found - expected).norm() / expected.norm())


def timed(work: Callable[[], Tensor], device: str) -> Timed:
    """Do ``work`` once."""
    clock_s, processor_s = time.perf_counter(), time.process_time()
    made = work()
    if device != "cpu":
        torch.cuda.synchronize()
    return Timed(time.perf_counter() - clock_s, time.process_time() - processor_s, made)


def ours(
    network: FlowNetwork, features: Features, noise: Tensor, lengths: SequenceLengths, n_steps: int
) -> Tensor:
    """All clips as the package generates them."""
    known, empty = (network.conditions(each, lengths) for each in (features, Features()))
    return euler(classifier_free_guidance(network, known, empty), noise, n_steps)


@torch.inference_mode()
def report_gpu(
    network: FlowNetwork,
    features: Features,
    noise: Tensor,
    lengths: SequenceLengths,
    options: argparse.Namespace,
) -> None:
    """Print time per step, clips per second and the share of the peak, by type."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        ours(network, features, noise, lengths, 1)
    times = torch.zeros(len(noise), device=options.device)
    for name in options.dtypes.split(","):
        cast = network.to(getattr(torch, name))
        known, empty = (cast.conditions(each, lengths) for each in (features, Features()))
        peak = matrix_peak(getattr(torch, name), options.device)
        for is_compiled in (False, True) if options.compile else (False,):
            velocity = classifier_free_guidance(cast, known, empty)
            step_s = seconds_per_step(
                torch.compile(velocity) if is_compiled else velocity, noise, times, options
            )
            share = counter.get_total_flops() / step_s / peak
            print(
                f"{name}{', compiled' if is_compiled else ''}: {step_s * 1e3:.1f} ms per step, "
                f"{len(noise) / step_s / FULL_STEPS:.2f} clips/s at {FULL_STEPS} steps, "
                f"{share:.0%} of {peak / 1e12:.0f} TFLOP/s"
            )


def seconds_per_step(
    velocity: Velocity, noise: Tensor, times: Tensor, options: argparse.Namespace
) -> float:
    """Best seconds of one guided velocity, after a warm-up."""

    def work() -> Tensor:
        for _ in range(TIMED_STEPS):
            found = velocity(noise, times)
        return found

    timed(work, options.device)
    return min(timed(work, options.device).clock_s for _ in range(options.repeats)) / TIMED_STEPS


def matrix_peak(dtype: torch.dtype, device: str, side: int = 8192) -> float:
    """Operations per second of a large matrix product."""
    first, second = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))

    def work() -> Tensor:
        return first @ second

    timed(work, device)
    return 2 * side**3 / min(timed(work, device).clock_s for _ in range(5))


@torch.no_grad()
def drawn_network(preset: str) -> FlowNetwork:
    """The network with weights under which every part matters: none at zero."""
    network = new_network(PRESETS[preset], seed=1)
    generator = torch.Generator().manual_seed(2)
    for name, tensor in network.named_parameters():
        if not tensor.any():
            fan_in = tensor[0].numel() if tensor.dim() > 1 else 400
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * fan_in**-0.5)
            if name.startswith("empty_"):
                tensor.mul_(tensor.norm() ** -1 * tensor.numel() ** 0.5)
    network.latent_mean.zero_()
    return network.eval()


def drawn_features(
    network: FlowNetwork, n_clips: int, lengths: SequenceLengths, device: str
) -> Features:
    """Features of as many clips."""
    params, generator = network.params, torch.Generator().manual_seed(3)

    def draw(n_tokens: int, width: int) -> Tensor:
        return torch.randn(n_clips, n_tokens, width, generator=generator).to(device)

    return Features(
        sync=draw(lengths.sync_tokens, params.sync_width),
        video=draw(lengths.clip_frames, params.clip_width),
        text=draw(lengths.text_tokens, params.text_width),
        audio=None if params.reference is None else draw(87, params.reference.width),
    )


if __name__ == "__main__":
    sys.exit(main())
