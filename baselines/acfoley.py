"""AC-Foley as published, and what it makes when components are masked.

``acfoley`` sees picture, prompt and reference; ``acfoley:audio`` is Table 1's "w/o audio", other
masks are Table 6's: components between commas, ``acfoley:video,text/vector`` with the scope.
The weights are official files that ``acfoley fetch`` gets; nothing stands in for missing ones.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from baselines import Family
from bench.errors import BenchError
from bench.system import Generate, System
from bench.types import Audio, Request

if TYPE_CHECKING:
    from acfoley.generate import Model, Settings

PRESET = "acfoley"
SAMPLE_RATE_HZ = 44_100
LICENCE = "CC-BY-NC-4.0 (weights; not for commercial use)"
INPUTS = frozenset({"video", "prompt", "reference"})


def acfoley(argument: str) -> System:
    """Return the system under the mask ``argument``, ``COMPONENTS[/SCOPE]``; "" masks nothing.

    Raises:
        BenchError: there is no such component or scope.
    """
    if not argument:
        return _system("acfoley", "AC-Foley as published", "", "whole")
    from acfoley.conditions import parse_mask

    components, _, scope = argument.partition("/")
    mask = parse_mask(components, scope or "whole")
    names = "-".join(sorted(mask.components))
    suffix = "" if mask.scope == "whole" else f"-in-{mask.scope}"
    summary = f"AC-Foley that does not know: {', '.join(sorted(mask.components))}"
    return _system(f"acfoley=without-{names}{suffix}", summary, components, mask.scope)


def open_acfoley(mask: str, scope: str, device: str) -> Generate:
    """Load the published model on ``device``, in bfloat16 on a GPU, as its authors do.

    Raises:
        MissingError: weights are missing; the message names them and the command that fetches them.
        BenchError: a file is not the official one, or memory does not suffice.
    """
    from acfoley.conditions import parse_mask
    from acfoley.generate import Loading, Settings, open_model
    from bench.backbones.weights import weights_directory

    dtype = "float32" if device == "cpu" else "bfloat16"
    model = open_model(PRESET, weights_directory(), Loading(device, dtype))
    return partial(generate, model, Settings(mask=parse_mask(mask, scope)))


def generate(model: Model, settings: Settings, request: Request) -> Audio:
    """The sound of one request.

    Raises:
        BenchError: it has no picture.
        MediaError: its picture is too short, or its reference cannot be heard.
    """
    from acfoley.generate import Job

    if request.picture is None:
        raise BenchError(f"clip {request.name!r} has no picture, which this system follows")
    job = Job(
        seconds=request.seconds,
        seed=request.seed,
        picture=request.picture,
        prompt=request.prompt,
        reference=request.reference,
    )
    return model.generate([job], settings)[0]


def _system(name: str, summary: str, mask: str, scope: str) -> System:
    return System(
        name,
        summary,
        INPUTS,
        partial(open_acfoley, mask, scope),
        sample_rate_hz=SAMPLE_RATE_HZ,
        licence=LICENCE,
    )


ACFOLEY = Family("MASK", "AC-Foley as published; with a mask, under it", INPUTS, acfoley)
