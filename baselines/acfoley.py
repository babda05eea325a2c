"""AC-Foley as published: video, prompt and reference, any of which it can be run without.

Without ``audio`` it is Table 1's "w/o audio"; the other masks are Table 6's. The weights are
official files that ``acfoley fetch`` gets; there are no substitutes. ``acfoley-with:float32`` is
the same model as exact as it can be on a GPU, ``acfoley-with:bfloat16-compiled`` as fast.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.plugins import Family
from bench.system import Generate, SecondsPerClip, System
from bench.types import COMPONENTS, Audio, Request

if TYPE_CHECKING:
    from acfoley.generate import Job, Model, Settings

PRESET = "acfoley"
SAMPLE_RATE_HZ = 44_100
USES = frozenset({"video", "prompt", "reference"})
CODE = (
    "acfoley",
    "baselines.acfoley",
    "bench.backbones",
    "bench.checkpoints",
    "bench.dsp",
    "bench.media.resample",
    "bench.media.resize",
)
#: On a GPU as its authors run it.
DTYPES = {"cuda": "bfloat16"}
#: As many clips of 8 s as a GPU generates well at once; on a CPU a batch is no faster, and would
#: keep the samples of an hour until its end.
BATCH_SIZE = {"cuda": 8}
#: With a full batch of clips of 8 s in bfloat16, by ``acfoley.memory.estimate_need``.
DEVICE_MEMORY_GIB = 13.0
COMPILED = "-compiled"
#: Of the flow network, for ``acfoley-with:PRECISION``; codec and encoders are always float32.
PRECISIONS = ("float32", "bfloat16", f"float32{COMPILED}", f"bfloat16{COMPILED}")
#: More than in bfloat16, for the weights of the flow network.
FLOAT32_MEMORY_GIB = DEVICE_MEMORY_GIB + 2.1
#: Of 1.08 billion parameters no device has room or speed for a second copy.
WORKERS_PER_DEVICE = 1
#: From raw video, 25 steps: 12 minutes on two cores; on a GPU that holds it, a few seconds.
SECONDS_PER_CLIP = SecondsPerClip(1_440.0, 5.0)
LICENCE = "CC-BY-NC-4.0 (weights; not for commercial use)"


def open_acfoley(device: str) -> Generate:
    """Load the published model on ``device``, in bfloat16 on a GPU, as its authors do.

    Raises:
        MissingError: weights are missing; the message names them and the command that fetches them.
        BenchError: a file is not the official one, or memory does not suffice.
    """
    return open_preset(PRESET, device)


def open_preset(
    preset: str,
    device: str,
    flow: Path | None = None,
    *,
    dtype: str | None = None,
    is_compiled: bool = False,
) -> Generate:
    """Load a preset with the official files; ``flow`` is a checkpoint for one of its own.

    ``dtype`` is that of the flow network, by default the one that ``DTYPES`` has for the device.
    Raises as ``open_acfoley`` does.
    """
    from acfoley.loading import Loading, open_model
    from bench.checkpoints.registry import weights_directory

    kind = device.partition(":")[0]
    dtype = dtype or DTYPES.get(kind, "float32")
    loading = Loading(device, dtype, flow, compile=is_compiled)
    n_clips = BATCH_SIZE.get(kind, 1)
    return Generator(open_model(preset, weights_directory(), loading, n_clips=n_clips))


def official_weights(preset: str = PRESET, *, has_flow: bool = True) -> tuple[Path, ...]:
    """The official files of a preset; without ``has_flow``, all but that of the flow network."""
    from acfoley.official import needed_files
    from bench.checkpoints.registry import weights_directory

    rows = needed_files(preset, has_flow=has_flow)
    return tuple(weights_directory() / row.file for row in rows)


def describe_missing_weights(preset: str = PRESET, *, has_flow: bool = True) -> str:
    """Return the command that fetches the official files of a preset; "" where none is missing.

    Without ``has_flow`` the official flow network is not needed.
    """
    from acfoley.official import fetch_command
    from bench.checkpoints.registry import weights_directory

    is_complete = all(path.is_file() for path in official_weights(preset, has_flow=has_flow))
    return "" if is_complete else f"weights: {fetch_command(preset, weights_directory())}"


@dataclass(frozen=True, eq=False)
class Generator:
    """A model as the function of a system, which can encode the next batch in advance."""

    model: Model

    def __call__(self, requests: Sequence[Request]) -> list[Audio | Exception]:
        """Generate the audio of a batch of requests, without the components that are masked.

        A request without video is a failure of its own. Where another one cannot be encoded, the
        whole batch raises.

        Raises:
            MediaError: a video is too short, or a reference is empty, silent or too long.
        """
        jobs, settings = _describe_work(requests)
        audio = iter(self.model.generate(jobs, settings) if jobs else ())
        return [
            BenchError(f"clip {each.name!r} has no video, which this system follows")
            if each.video is None
            else next(audio)
            for each in requests
        ]

    def prepare(self, requests: Sequence[Request]) -> None:
        """Encode what a later batch is conditioned on; raises as ``generate`` would."""
        self.model.prepare(*_describe_work(requests))


def _describe_work(requests: Sequence[Request]) -> tuple[list[Job], Settings]:
    """Return the jobs of all requests that have a video, and the settings that they share."""
    from acfoley.generate import Job, Settings

    jobs = [
        Job(
            seconds=each.seconds,
            seed=each.seed,
            video=each.video,
            prompt=each.prompt,
            reference=each.reference,
        )
        for each in requests
        if each.video is not None
    ]
    # All requests of a batch have one condition, see ``bench.system``.
    return jobs, Settings(mask=requests[0].condition)


ACFOLEY = System(
    "acfoley",
    "AC-Foley as published: video, prompt and reference",
    USES,
    open_acfoley,
    sample_rate_hz=SAMPLE_RATE_HZ,
    licence=LICENCE,
    masks=frozenset(COMPONENTS),
    lacks=describe_missing_weights,
    code=CODE,
    weights=official_weights,
    dtypes=DTYPES,
    seconds_per_clip=SECONDS_PER_CLIP,
    batch_size=BATCH_SIZE,
    device_memory_gib=DEVICE_MEMORY_GIB,
    workers_per_device=WORKERS_PER_DEVICE,
    looks_ahead=True,
    trained_on=("VGGSound train", "AudioCaps 2.0", "WavCaps"),
    judges_seen={"synchformer": "encoder", "imagebind": "filter of its training clips"},
    non_commercial=True,
)


def with_precision(base: System, preset: str) -> Family:
    """Return ``base`` as a family of systems by their precision, whatever the device.

    Samples name it as a part of their origin, so that those of different ones never mix in a run.
    """
    summary = f"{base.summary}, as {', '.join(PRECISIONS)}"
    return Family(summary, base.uses, partial(_make_precise, base, preset))


def _make_precise(base: System, preset: str, precision: str) -> System:
    if precision not in PRECISIONS:
        raise BenchError(
            f"no precision {precision!r}; {base.name}-with takes one of: {', '.join(PRECISIONS)}"
        )
    memory_gib = base.device_memory_gib
    is_float32 = precision.startswith("float32")
    return replace(
        base,
        name=f"{base.name}-with:{precision}",
        summary=f"{base.summary}; {precision}",
        open=partial(open_precision, preset, precision),
        lacks=partial(_describe_missing, base, precision),
        dtypes={"cpu": precision, "cuda": precision},
        device_memory_gib=FLOAT32_MEMORY_GIB if memory_gib and is_float32 else memory_gib,
    )


def open_precision(preset: str, precision: str, device: str) -> Generate:
    """Load a preset in a precision, compiled if it ends so; raises as ``open_preset``."""
    dtype = precision.removesuffix(COMPILED)
    return open_preset(preset, device, dtype=dtype, is_compiled=precision != dtype)


def _describe_missing(base: System, precision: str) -> str:
    missing = base.lacks() if base.lacks is not None else ""
    if missing or not precision.endswith(COMPILED):
        return missing
    # On a GPU Triton, which torch compiles with, needs one as well, for what starts its kernels.
    compilers = os.environ.get("CXX"), "g++", "clang++"
    is_there = any(shutil.which(name) for name in compilers if name)
    return "" if is_there else "a C++ compiler, which torch.compile calls: install g++"


ACFOLEY_WITH = with_precision(ACFOLEY, PRESET)
