"""The gate on trial: 20 planted regressions that it has to catch, 20 reruns that it has to pass.

python -m benchmarks.gate_trials [--jobs 2]    a quarter of an hour; writes tables of docs/ci.md

Each regression is planted into one of the gate's own runs: into its samples, what its system is
given, weights, or the judge's code. It is caught where the column that should change is beyond its
tolerance.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.signal import butter, sosfilt

from bench.media import read_audio
from bench.pipeline.columns import JudgeOptions
from bench.pipeline.prepare import RunOptions, plan_run
from bench.pipeline.repeat import Change, Repetition, find_changes, read_tolerances
from bench.pipeline.run import no_progress
from bench.pipeline.run import run as run_plan
from bench.system import Generate, one_by_one
from bench.types import Audio, Clip, Excerpt, Request, Waveform
from benchmarks import gate
from benchmarks.gate_spread import Rerun, make_home, rerun, threads

PAGE = gate.ROOT / "docs" / "ci.md"
BEGIN, END = "<!-- trials: begin -->\n", "<!-- trials: end -->"
RATE_HZ = 44_100
ACFOLEY, GRAINS, ORACLE = "acfoley-mini", "motion-grains", "oracle"

Damage = Callable[[Waveform], Waveform]
Ask = Callable[[Request, Sequence[Clip]], Request]


def unchanged(samples: Waveform) -> Waveform:
    """No damage."""
    return samples


@dataclass(frozen=True)
class Fault:
    """A regression of stated size in a run of ``system``, which ``column`` should show.

    ``damage`` changes every sample ``[C, T]``, or that of the first clip where ``is_first_only``;
    ``ask`` changes what the system is given; ``patch`` holds while the run is made.
    """

    name: str
    system: str
    column: str
    damage: Damage = unchanged
    is_first_only: bool = False
    ask: Ask = lambda request, clips: request  # noqa: E731
    patch: Callable[[], AbstractContextManager[object]] = nullcontext


def delay(seconds: float) -> Damage:
    """All samples this much later; the end is cut off."""
    n = round(seconds * RATE_HZ)
    return lambda samples: np.pad(samples, ((0, 0), (n, 0)))[:, : samples.shape[1]]


def gain(decibels: float) -> Damage:
    """All samples louder by this much."""
    return lambda samples: samples * np.float32(10 ** (decibels / 20))


def clip_at(share: float) -> Damage:
    """Clipped at this share of the peak."""
    return lambda samples: np.clip(samples, *(np.abs(samples).max() * np.array([-share, share])))


def add_noise(decibels: float) -> Damage:
    """White noise of this level below full scale."""

    def damage(samples: Waveform) -> Waveform:
        noise = np.random.default_rng(0).standard_normal(samples.shape) * 10 ** (decibels / 20)
        return (samples + noise).astype(np.float32)

    return damage


def stretch(share: float) -> Damage:
    """Played slower by this share, cut to the same length."""

    def damage(samples: Waveform) -> Waveform:
        times = np.arange(samples.shape[1]) / (1 + share)
        return np.stack([np.interp(times, np.arange(len(row)), row) for row in samples])

    return damage


def low_pass(hertz: float) -> Damage:
    """Without frequencies above this one: Butterworth of order 8."""
    return lambda samples: sosfilt(butter(8, hertz, fs=RATE_HZ, output="sos"), samples)


def mute_end(seconds: float) -> Damage:
    """The last seconds silent."""
    n = round(seconds * RATE_HZ)
    return lambda samples: np.pad(samples[:, :-n], ((0, 0), (0, n)))


def refuse(_: Waveform) -> Waveform:
    """A system that fails."""
    raise RuntimeError("planted: this clip is lost")


def later_reference(seconds: float) -> Ask:
    """The reference turned around by this much."""

    def ask(request: Request, clips: Sequence[Clip]) -> Request:
        if request.reference is None:
            return request
        n = round(seconds * request.reference.sample_rate_hz)
        turned = np.roll(request.reference.samples, n, axis=1)
        return replace(request, reference=Audio(turned, request.reference.sample_rate_hz))

    return ask


def noisy_weights(share: float, seed: int) -> Callable[[object], object]:
    """Move every weight of a network by noise of this share of its tensor's deviation."""

    def move(network: object) -> object:
        import torch

        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weights in network.parameters():
                if weights.numel() > 1:
                    noise = torch.randn(weights.shape, generator=generator)
                    weights += share * weights.std() * noise
        return network

    return move


def patch_flow(variant: str | None, share: float = 0.0) -> AbstractContextManager[object]:
    """Open the flow network of another variant under the same name, or with moved weights."""
    from acfoley.mini import variants

    original, move = variants.open_mini_flow, noisy_weights(share, seed=1)
    path = variants.weights_path(variant) if variant else None
    return mock.patch.object(
        variants,
        "open_mini_flow",
        lambda name, device, flow=None: move(original(name, device, path)),
    )


def patch_resampler() -> AbstractContextManager[object]:
    """Resample for the judge by soxr's low quality instead of its high one."""
    import soxr

    def resample(samples: Waveform, from_hz: int, to_hz: int) -> Waveform:
        return soxr.resample(samples.T, from_hz, to_hz, quality="LQ").T

    # Not by attributes: the package has a function of the module's name.
    module = import_module("bench.media.resample")
    return mock.patch.object(module, "_resample_by_soxr", resample)


def patch_judge_weights() -> AbstractContextManager[object]:
    """Move the weights of every network of the judge."""
    from bench.checkpoints import load

    original, move = load.assign_state, noisy_weights(0.01, seed=2)
    return mock.patch(
        "bench.checkpoints.load.assign_state", lambda *arguments: move(original(*arguments))
    )


def swap_first_two(request: Request, clips: Sequence[Clip]) -> Request:
    """Give each of the first two clips the truth of the other."""
    other = {clips[0].name: clips[1], clips[1].name: clips[0]}
    return replace(request, clip=other.get(request.name, request.clip))


FAULTS = (
    Fault("50 ms late", ACFOLEY, "env_corr", delay(0.05)),
    Fault("5 ms late", ORACLE, "lsd", delay(0.005)),
    Fault("0.5 dB quieter", GRAINS, "mcd", gain(-0.5)),
    Fault("clipped at half of the peak", ACFOLEY, "lsd", clip_at(0.5)),
    Fault("white noise at -70 dB of full scale", ORACLE, "lsd", add_noise(-70)),
    Fault("0.5 % slower", ACFOLEY, "lsd", stretch(0.005)),
    Fault("low-pass at 8 kHz", GRAINS, "lsd", low_pass(8_000)),
    Fault("last 0.1 s silent", ORACLE, "env_corr", mute_end(0.1)),
    Fault("one clip silent", GRAINS, "env_corr", np.zeros_like, is_first_only=True),
    Fault("one clip dropped", ACFOLEY, "clips", refuse, is_first_only=True),
    Fault("one clip 0.5 dB quieter", ACFOLEY, "mcd", gain(-0.5), is_first_only=True),
    Fault(
        "written as stereo, right channel empty",
        ACFOLEY,
        "mcd",
        lambda samples: np.concatenate([samples, np.zeros_like(samples)]),
    ),
    Fault("two clips swapped", ORACLE, "kl_passt", ask=swap_first_two),
    Fault(
        "noise of another seed",
        ACFOLEY,
        "mcd",
        ask=lambda request, clips: replace(request, seed=request.seed + 1),
    ),
    Fault("weights of another training", ACFOLEY, "mcd", patch=partial(patch_flow, "overlap-only")),
    Fault("weights 1 % of noise", ACFOLEY, "mcd", patch=partial(patch_flow, None, 0.01)),
    Fault("reference 0.1 s late", ACFOLEY, "mcd", ask=later_reference(0.1)),
    Fault("prompt lost", ACFOLEY, "lsd", ask=lambda request, clips: replace(request, prompt="")),
    # LSD averages bands of a mel scale, and sees 0.6 of its tolerance.
    Fault("judge's resampler: soxr LQ, not HQ", ORACLE, "mcd_c1", patch=patch_resampler),
    Fault("judge's weights 1 % of noise", GRAINS, "fd_passt", patch=patch_judge_weights),
)


def _workers(n: int, *more: str) -> tuple[str, ...]:
    return ("--workers", str(n), *more)


def _batch(n: int) -> tuple[str, ...]:
    return _workers(0, "--batch-size", str(n))


ALONE, LAST = _workers(0), ("--clip", f"mini_{gate.N_CLIPS - 1:06d}")
#: Of the system whose network has threads to differ in, and of one that takes less time, with what
#: does not reach a system: it is given one request at a time, whatever the judge's batches are.
RERUNS = (
    *((ACFOLEY, Rerun(f"{n} workers", _workers(n))) for n in (0, 1, 2, 4)),
    (ACFOLEY, Rerun("1 thread", ALONE, threads(1))),
    *((GRAINS, Rerun(f"{n} threads", ALONE, threads(n))) for n in (2, 8)),
    (ACFOLEY, Rerun("3 workers, 2 threads", _workers(3, "--batch-size", "2"), threads(2))),
    (ACFOLEY, Rerun("killed after 2 clips, resumed", ALONE, is_killed=True)),
    (ACFOLEY, Rerun("another seed of hashing", ALONE, {"PYTHONHASHSEED": "7"})),
    *((GRAINS, Rerun(f"batches of {n}", _batch(n))) for n in (1, 2, 3, 16)),
    *(
        (GRAINS, Rerun(f"resumed after {n} clips", ALONE, first=(*ALONE, "--limit", str(n))))
        for n in (1, 3)
    ),
    (GRAINS, Rerun("last clip first", ALONE, first=(*ALONE, *LAST))),
    (
        GRAINS,
        Rerun("every other clip first", ALONE, first=(*ALONE, "--clip", "mini_000001", *LAST)),
    ),
    (GRAINS, Rerun("one column first, then all", ALONE, first=(*ALONE, "--metrics", "mcd"))),
    (GRAINS, Rerun("2 workers, resumed without", ALONE, first=_workers(2, "--limit", "2"))),
)


def main() -> int:
    """Carry out all trials and write the page; 1 if one of the 40 ends otherwise than it should."""
    parser = argparse.ArgumentParser(description="The gate on trial.")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time")
    gate.keep_one_thread()
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(parser.parse_args().jobs, get_context("spawn")) as pool,
    ):
        place = Path(folder)
        gate.prepare(place)
        for system in gate.SYSTEMS:
            gate.run(place, system)
        # By number: a fault holds functions, which do not travel to a process.
        faults = pool.map(partial(run_fault, place), range(len(FAULTS)))
        reruns = pool.map(partial(run_rerun, place), range(len(RERUNS)))
        return write_page(list(faults), list(reruns))


def run_rerun(place: Path, number: int) -> Path:
    """Carry out a rerun and return its scores."""
    return rerun(place, *RERUNS[number])


def write_page(faults: Sequence[Path], reruns: Sequence[Path]) -> int:
    """Compare all runs with the baseline, and write the tables; 1 if a trial failed."""
    caught = [_judge_fault(*each) for each in zip(FAULTS, faults, strict=True)]
    passed = [_judge_rerun(*each, run) for each, run in zip(RERUNS, reruns, strict=True)]
    n_caught, n_passed = (sum(is_right for _, is_right in each) for each in (caught, passed))
    lines = [
        f"{n_caught} of {len(FAULTS)} planted regressions are caught by the column that should:",
        "",
        "| planted | in a run of | column | change / tolerance | also changed |",
        "| --- | --- | --- | ---: | --- |",
        *(line for line, _ in caught),
        "",
        f"{n_passed} of {len(RERUNS)} reruns pass:",
        "",
        "| rerun | of | largest change / tolerance | in column | verdict |",
        "| --- | --- | ---: | --- | --- |",
        *(line for line, _ in passed),
        "",
    ]
    page = PAGE.read_text("utf-8")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(before + BEGIN + "\n".join(lines) + END + after, encoding="utf-8")
    return 0 if (n_caught, n_passed) == (len(FAULTS), len(RERUNS)) else 1


def _judge_fault(fault: Fault, run: Path) -> tuple[str, bool]:
    found = _compare(fault.system, run)
    is_caught = fault.column in found.failed
    shares = {each.column.name: _share(each) for each in found.changes}
    size = _format(shares[fault.column]) if fault.column in shares else "clip lost"
    others = [name for name in found.failed if name != fault.column]
    also = ", ".join(others) or "nothing"
    cells = (fault.name, fault.system, fault.column, size if is_caught else f"{size} MISSED", also)
    return _print_row(cells), is_caught


def _judge_rerun(system: str, how: Rerun, run: Path) -> tuple[str, bool]:
    found = _compare(system, run)
    worst = max(found.changes, key=_share)
    verdict = "pass" if found.has_passed else f"FAIL: {', '.join(found.failed)}"
    cells = (how.name, system, _format(_share(worst)), worst.column.name, verdict)
    return _print_row(cells), found.has_passed


def _compare(system: str, new: Path) -> Repetition:
    base = gate.BASELINE / system
    return find_changes(base, new, read_tolerances(base / "tolerances.toml"))


def _share(change: Change) -> float:
    return change.largest / change.tolerance


def _format(share: float) -> str:
    return "lost" if share == np.inf else f"{share:.3g}"


def _print_row(cells: Sequence[str]) -> str:
    line = f"| {' | '.join(cells)} |"
    print(line, flush=True)
    return line


def run_fault(place: Path, number: int) -> Path:
    """Carry out a run with a fault in this process, in a home of its own; return its scores."""
    fault = FAULTS[number]
    own = make_home(place / "faults" / str(number), place)
    if fault.patch is nullcontext:
        # The judge is as it was, and so are the features of the true audio.
        (own / "home" / "features").mkdir()
        judged = (place / "home" / "features" / "mini").absolute()
        (own / "home" / "features" / "mini").symlink_to(judged)
    with mock.patch.dict(os.environ, {"BENCH_HOME": str(own / "home")}), fault.patch():
        options = RunOptions(
            model=fault.system, split="mini", limit=gate.N_CLIPS, workers=0, runs=own / "runs"
        )
        plan = plan_run(options, JudgeOptions(), lambda _: None)
        open_system = plan.system.open
        if fault.damage is not unchanged:  # of samples that there are: they need not be made again
            samples = gate.scores_folder(place / "runs", fault.system).parent / "samples"
            open_system = partial(_open_finished, samples)
        opened = partial(_open_faulty, open_system, fault, plan.clips)
        faulty = replace(plan, system=replace(plan.system, open=opened))
        return run_plan(faulty, no_progress).directory


def _open_finished(samples: Path, device: str) -> Generate:
    return one_by_one(lambda request: read_audio(Excerpt(samples / f"{request.name}.flac")))


def _open_faulty(
    opened: Callable[[str], Generate], fault: Fault, clips: Sequence[Clip], device: str
) -> Generate:
    generate = opened(device)

    def damage(request: Request, audio: Audio | Exception) -> Audio | Exception:
        if isinstance(audio, Exception) or (fault.is_first_only and request.name != clips[0].name):
            return audio
        try:
            samples = fault.damage(audio.samples)
        except RuntimeError as error:
            return error
        return Audio(np.ascontiguousarray(samples, np.float32), audio.sample_rate_hz)

    def call(requests: Sequence[Request]) -> list[Audio | Exception]:
        asked = [fault.ask(each, clips) for each in requests]
        return [damage(*each) for each in zip(requests, generate(asked), strict=True)]

    return call


if __name__ == "__main__":
    sys.exit(main())
