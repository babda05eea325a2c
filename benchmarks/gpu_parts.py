"""The parts of ``gpu_check``: each measures something on one device and yields rows."""

from __future__ import annotations

import gc
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.backbones.precision import full_precision
from bench.errors import MissingError
from bench.judges import GPU_BATCH
from benchmarks.gpu_generation import check_compiled, check_generation
from benchmarks.gpu_machine import DTYPES, Machine, Row, Status
from benchmarks.gpu_networks import Network, judge_networks, model_networks

ROOT = Path(__file__).resolve().parents[1]
#: Relative distance of outputs: between CPU and device, and of a clip alone and in a batch.
TOLERANCE = 1e-4
#: A batch of extraction takes no more than this.
RATE_S = 3.0


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
