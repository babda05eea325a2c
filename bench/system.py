"""The adapter contract: what a system declares, and the one function it provides.

A system is a row: facts that decide what it is given and how its samples are treated, and ``open``,
which does the costly part once per worker and returns the function that makes sound. There is no
base class and no life cycle; ``open`` must be picklable (a module-level function or a partial of
one), because workers are processes.

    def open_model(device: str) -> Generate:
        model = load("weights.safetensors", device)            # once per worker
        return lambda request: Audio(model(request.picture, request.seed), 44_100)

    SYSTEM = System("mine", "what it is", frozenset({"video"}), open_model)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.types import COMPONENTS, Audio, Request

Generate = Callable[[Request], Audio]

#: What a system may declare that it uses. The last two are for anchors only.
INPUTS = frozenset({"video", "prompt", "reference", "truth", "other"})


@dataclass(frozen=True)
class System:
    """One thing that makes sound for a clip.

    ``uses`` is a subset of ``INPUTS``; a request carries nothing else. ``sample_rate_hz`` and
    ``seconds`` are the native rate and length, None where the system follows its input; a longer
    sample is cut to the protocol's length, a shorter one is a failure. An anchor marks a bound of
    the table and is not ranked among the systems that compete. ``masks`` are the components of
    ``bench.types.COMPONENTS`` that it can be asked to do without.

    A system that reads samples made elsewhere may need to tell the clips of a split apart:
    ``with_clips(names)`` returns it knowing them, and ``inputs(name)`` the files that the sample of
    a clip is made from, so that a changed file is read again; weights that may change are such
    files; ``notes()`` says for the results what was passed over. ``lacks()`` says what is missing
    before it can be opened, with the command that mends it; "" where all is there.
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

    def __post_init__(self) -> None:
        if unknown := self.uses - INPUTS:
            raise ValueError(
                f"system {self.name!r} uses {sorted(unknown)}, known: {sorted(INPUTS)}"
            )
        if unknown := self.masks - set(COMPONENTS):
            raise ValueError(
                f"system {self.name!r} masks {sorted(unknown)}, known: {list(COMPONENTS)}"
            )
