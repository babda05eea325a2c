"""The adapter contract: what a system declares, and the one function it provides.

A system is a row: facts that decide what it is given and how its samples are treated, and ``open``,
which does the costly part once per worker and returns the function that generates audio. There is
no base class and no life cycle; ``open`` must be picklable (a module-level function or a partial of
one), because workers are processes.

The function takes a batch of requests and returns one result for each, in their order: the audio,
or the exception that describes why there is none. Requests of one batch have the same ``seconds``
and the same ``condition``, and there are at most ``batch_size`` of them. Where the function raises,
the runner tries the requests of the batch again one by one. What a request gets must not depend on
those beside it, beyond rounding.

    def open_model(device: str) -> Generate:
        model = load("weights.safetensors", device)            # once per worker

        def generate(requests: Sequence[Request]) -> list[Audio]:
            waveforms = model([each.video for each in requests], [each.seed for each in requests])
            return [Audio(waveform, 44_100) for waveform in waveforms]

        return generate

    SYSTEM = System("mine", "what it is", frozenset({"video"}), open_model, batch_size=8)

``one_by_one`` adapts a function of a single request:

    def open_simple(device: str) -> Generate:
        model = load("weights.safetensors", device)
        return one_by_one(lambda request: Audio(model(request.video, request.seed), 44_100))

    SYSTEM = System("mine", "what it is", frozenset({"video"}), open_simple)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench.checkpoints.registry import OFFICIAL_FILES
from bench.types import COMPONENTS, Audio, Request

#: From a batch of requests to one result each: audio, or the exception that is the reason for none.
Generate = Callable[[Sequence[Request]], Sequence[Audio | Exception]]

#: What a system may declare that it uses. The last two are for anchors only.
INPUTS = frozenset({"video", "prompt", "reference", "reference-video", "truth", "other"})


def one_by_one(function: Callable[[Request], Audio]) -> Generate:
    """Return ``function`` as one of batches: an exception of one request fails that one only."""

    def handle(request: Request) -> Audio | Exception:
        try:
            return function(request)
        # Any error is the result of this request, and the runner describes it.
        except Exception as error:
            return error

    return lambda requests: [handle(request) for request in requests]


class SecondsPerClip(NamedTuple):
    """A guess of the time that one clip of 8 s takes, for plans: on one CPU core, and on a GPU."""

    cpu: float
    gpu: float

    def on(self, device: str) -> float:
        """The guess for a device such as ``cpu`` or ``cuda:1``."""
        return self.cpu if device == "cpu" else self.gpu


@dataclass(frozen=True)
class System:
    """One thing that generates audio for a clip.

    ``uses`` is a subset of ``INPUTS``; a request carries nothing else. ``sample_rate_hz`` and
    ``seconds`` are the native rate and length, None where the system follows its input; a longer
    sample is cut to the protocol's length, a shorter one is a failure. An anchor marks a bound of
    the table and is not ranked among the systems that compete; ``needs_truth`` is False for one
    that uses the true audio where a clip has any, and can do without. ``masks`` are the components
    of ``bench.types.COMPONENTS`` that it can be asked to do without.

    Samples belong to what made them, and are made again when that changes:

    - ``version`` is raised by the author of a system when its samples change for a reason that its
      files do not show; or a function that describes what else decides them.
    - ``code`` names the packages and modules whose source files decide the samples: all below a
      package, the file of a module inside one, all in the folder of a module that is in none. By
      default the whole package, or folder, that ``open`` comes from.
    - ``weights`` are the checkpoint files, or a function that returns them.
    - ``uses_device`` is False where samples are the same on every device; else ``dtypes`` names the
      precision by kind of device ("cpu", "cuda"), float32 where it names none.

    How it is run:

    - ``batch_size`` is the most requests that it is given at once: a number, or one by kind of
      device ("cpu", "cuda"), 1 where it names none.
    - ``workers_per_device`` is the most copies that run on one device. None, for small models and
      functions, means one per core with one thread each, spread over the GPUs there are. A large
      model declares 1: then there is one on each GPU, and on a CPU one that has all cores.
    - ``device_memory_gib`` is what one copy needs on its GPU with a full batch, None if unknown.
    - ``looks_ahead``: its function is an object with a method ``prepare``, which on a GPU is given
      the next batch, in another thread, while one is generated: to decode and encode what that one
      needs. What it raises is not used, for the function will raise it again.
    - ``seconds_per_clip`` is what plans and time limits expect until a run has measured it.
      Both may be functions, for values that were measured on this machine.

    A system that reads samples made elsewhere may have to know all clips of a split, to tell their
    files apart: ``with_clips(names)`` returns the system for these clips, and ``inputs(name)`` the
    files that the sample of a clip is made from, so that a changed file is read again; ``notes()``
    describes for the results the files that were not used. ``lacks()`` names what is missing before
    it can be opened, with the command that fixes it; "" where nothing is. ``caveat`` is printed
    below every table that has numbers of the system.

    Facts that decide which comparisons are fair; results keep them, and tables have them as
    footnotes:

    - ``trained_on`` names the data sets ("VGGSound train", "Greatest Hits"); () where nothing is
      learned, or not known.
    - ``judges_seen`` maps the name of a judge's network in ``bench.checkpoints.registry``
      (synchformer, clap, imagebind) to how it took part in making the system: "encoder", "reward",
      "filter of its training clips". What a system was given or trained towards is no independent
      judge of it. (Networks of the mini judge are others; a ``caveat`` describes those.)
    - ``candidates`` is how many samples it draws per clip, of which it picks one.
    - ``non_commercial`` is True where code or weights may not be used commercially.
    """

    name: str
    summary: str
    uses: frozenset[str]
    open: Callable[[str], Generate]
    sample_rate_hz: int | None = None
    seconds: float | None = None
    licence: str = "Apache-2.0"
    is_anchor: bool = False
    masks: frozenset[str] = frozenset()
    with_clips: Callable[[tuple[str, ...]], System] | None = None
    inputs: Callable[[str], tuple[Path, ...]] | None = None
    notes: Callable[[], tuple[str, ...]] | None = None
    lacks: Callable[[], str] | None = None
    version: str | Callable[[], str] = "1"
    code: tuple[str, ...] = ()
    weights: Callable[[], tuple[Path, ...]] | tuple[Path, ...] = ()
    uses_device: bool = True
    dtypes: Mapping[str, str] = field(default_factory=dict)
    caveat: str = ""
    seconds_per_clip: SecondsPerClip | Callable[[], SecondsPerClip] = SecondsPerClip(0.3, 0.3)
    batch_size: int | Mapping[str, int] = 1
    device_memory_gib: float | None | Callable[[], float | None] = None
    workers_per_device: int | None = None
    looks_ahead: bool = False
    needs_truth: bool = True
    trained_on: tuple[str, ...] = ()
    judges_seen: Mapping[str, str] = field(default_factory=dict)
    candidates: int = 1
    non_commercial: bool = False

    def __post_init__(self) -> None:
        # ValueError: these are mistakes of the author, who needs the traceback; users get
        # BenchError.
        if unknown := self.uses - INPUTS:
            raise ValueError(
                f"system {self.name!r} uses {sorted(unknown)}, known: {sorted(INPUTS)}"
            )
        if unknown := self.masks - set(COMPONENTS):
            raise ValueError(
                f"system {self.name!r} masks {sorted(unknown)}, known: {list(COMPONENTS)}"
            )
        if unknown := frozenset(self.judges_seen) - OFFICIAL_FILES.keys():
            raise ValueError(
                f"system {self.name!r} has seen judges {sorted(unknown)}, known networks: "
                f"{[row.name for row in OFFICIAL_FILES.values() if row.needed_by]}"
            )
        if isinstance(self.trained_on, str) or self.candidates < 1:
            raise ValueError(
                f"system {self.name!r} has trained_on {self.trained_on!r} and candidates "
                f"{self.candidates}, expected a tuple of names, and at least 1"
            )
        sizes = [self.batch_size_on("cpu"), self.batch_size_on("cuda")]
        if min(*sizes, 1 if self.workers_per_device is None else self.workers_per_device) < 1:
            raise ValueError(
                f"system {self.name!r} has batch_size {self.batch_size} and workers_per_device "
                f"{self.workers_per_device}, expected at least 1"
            )

    def expected_seconds(self) -> SecondsPerClip:
        """Return the time that one clip of 8 s is expected to take."""
        declared = self.seconds_per_clip
        return declared if isinstance(declared, SecondsPerClip) else declared()

    def needed_memory_gib(self) -> float | None:
        """Return the memory that one copy needs on its GPU, None if unknown."""
        declared = self.device_memory_gib
        return declared() if callable(declared) else declared

    def batch_size_on(self, device: str) -> int:
        """Return the most requests of a batch on a device such as ``cpu`` or ``cuda:1``."""
        if isinstance(self.batch_size, int):
            return self.batch_size
        return self.batch_size.get(device.partition(":")[0], 1)


def opening_packages(system: System) -> tuple[str, ...]:
    """Return the top-level packages and modules that the function ``open`` of a system comes from.

    They are those of the function itself, or of the functions inside a partial.
    """
    return find_packages(system.open)


def find_packages(*functions: Any) -> tuple[str, ...]:
    """Return the top-level packages and modules of functions, or of those inside partials."""
    modules = {each.__module__ for value in functions for each in _functions(value)}
    return tuple(sorted({name.partition(".")[0] for name in modules}))


def _functions(value: Any) -> Iterator[Any]:
    if isinstance(value, partial):
        for part in (value.func, *value.args, *value.keywords.values()):
            yield from _functions(part)
    elif callable(value):
        yield value
