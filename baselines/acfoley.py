"""AC-Foley as published: picture, prompt and reference, any of which it can be run without.

Without ``audio`` it is Table 1's "w/o audio"; the other masks are Table 6's. The weights are
official files that ``acfoley fetch`` gets; nothing stands in for missing ones.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError
from bench.system import Generate, SecondsPerClip, System
from bench.types import COMPONENTS, Audio, Request

if TYPE_CHECKING:
    from acfoley.generate import Model

PRESET = "acfoley"
SAMPLE_RATE_HZ = 44_100
USES = frozenset({"video", "prompt", "reference"})
CODE = ("acfoley", "baselines.acfoley", "bench.backbones", "bench.checkpoints", "bench.dsp")
#: On a GPU as its authors run it.
DTYPES = {"cuda": "bfloat16"}
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


def open_preset(preset: str, device: str, flow: Path | None = None) -> Generate:
    """Load a preset with the official files; ``flow`` is a checkpoint for one of its own.

    Raises as ``open_acfoley`` does.
    """
    from acfoley.generate import Loading, open_model
    from bench.checkpoints.registry import weights_directory

    dtype = DTYPES.get(device.partition(":")[0], "float32")
    return partial(generate, open_model(preset, weights_directory(), Loading(device, dtype, flow)))


def official_weights(*, has_flow: bool = True) -> tuple[Path, ...]:
    """The official files that samples are made with; without ``has_flow``, all but the flow's."""
    from acfoley.official import needed_files
    from bench.checkpoints.registry import weights_directory

    rows = needed_files(PRESET, has_flow=has_flow)
    return tuple(weights_directory() / row.file for row in rows)


def official_lacks(*, has_flow: bool = True) -> str:
    """The command that fetches official files, where one is missing; "" where all are here.

    Without ``has_flow`` the flow network comes from elsewhere, and all others are official.
    """
    from acfoley.official import fetch_command
    from bench.checkpoints.registry import weights_directory

    is_whole = all(path.is_file() for path in official_weights(has_flow=has_flow))
    return "" if is_whole else f"weights: {fetch_command(PRESET, weights_directory())}"


def generate(model: Model, request: Request) -> Audio:
    """The sound of one request, without what its condition masks.

    Raises:
        BenchError: it has no picture.
        MediaError: its picture is too short, or its reference cannot be heard.
    """
    from acfoley.conditions import parse_mask
    from acfoley.generate import Job, Settings

    if request.video is None:
        raise BenchError(f"clip {request.name!r} has no picture, which this system follows")
    job = Job(
        seconds=request.seconds,
        seed=request.seed,
        video=request.video,
        prompt=request.prompt,
        reference=request.reference,
    )
    mask = parse_mask(",".join(request.condition.masked), request.condition.scope)
    return model.generate([job], Settings(mask=mask))[0]


ACFOLEY = System(
    "acfoley",
    "AC-Foley as published: picture, prompt and reference",
    USES,
    open_acfoley,
    sample_rate_hz=SAMPLE_RATE_HZ,
    licence=LICENCE,
    masks=frozenset(COMPONENTS),
    lacks=official_lacks,
    code=CODE,
    weights=official_weights,
    dtypes=DTYPES,
    seconds_per_clip=SECONDS_PER_CLIP,
)
