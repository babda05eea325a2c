"""What a system that runs in an environment of its own declares: one ``Adapter`` per system.

Each has a folder in ``baselines`` with

    __init__.py         the adapter
    worker.py           runs inside the environment; imports nothing of this project
    requirements.in     what the environment needs from the Python package index
    requirements.lock   the same with exact versions and hashes

``worker.py`` defines ``open_worker(settings)``, which is called once in the checkout's folder and
returns the function that is called with a chunk:

    settings    {"checkout": PATH, "device": "cpu" or "cuda", "options": {...}}
    chunk       {"requests": [...], "inputs": FOLDER, "outputs": FOLDER, "work": FOLDER}
    request     {"id", "row", "name", "video", "reference", "prompt", "seconds", "seed"}

It returns None, or ``{"errors": {id: TEXT}}`` for clips that it knows to have failed. Which file
belongs to which request is not for the worker to say: ``Adapter.outputs`` are the names by which
the system writes them, and ``bench.isolation.staging`` compares what was asked for with what is
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from bench.isolation.generate import open_isolated
from bench.isolation.state import (
    describe_missing,
    describe_version,
    measured_memory_gib,
    measured_seconds,
    weight_files,
)
from bench.system import SecondsPerClip, System


@dataclass(frozen=True)
class VideoInput:
    """The form in which a system is given the video: H.264 in MP4, from the start of the clip.

    It has ``seconds`` (None: the clip's own length) and ``margin_s`` more, for systems that need
    more frames than they generate audio for; a video that ends before is continued with its last
    frame. ``short_side`` resizes. With ``audio`` "silent" it has a track of silence, which some
    systems demand; the true audio is never in it.
    """

    seconds: float | None = None
    margin_s: float = 0.0
    fps: int = 25
    short_side: int | None = None
    audio: Literal["none", "silent"] = "none"


@dataclass(frozen=True)
class Weight:
    """A file that the system needs, below its checkout; ``source`` says where it is to be had.

    ``path`` may be a pattern, for checkpoints whose names nobody states: one file has to match it,
    and all that do decide the samples.
    """

    path: str
    source: str
    size_bytes: int | None = None
    sha256: str | None = None
    md5: str | None = None

    def find(self, checkout: Path) -> list[Path]:
        """Return the files of a checkout that it names; [] where it is missing."""
        return sorted(path for path in checkout.glob(self.path) if path.is_file())


@dataclass(frozen=True)
class Requirement:
    """What the package index does not have: the user installs it, and ``check`` proves it.

    ``check`` is ``import NAME`` in the environment, ``command NAME`` on the path, or ``file PATH``
    below the checkout. ``how`` is for the user; the words ENVIRONMENT and CHECKOUT stand for the
    interpreter and the folder of the checkout.
    """

    check: str
    how: str


@dataclass(frozen=True)
class Adapter:
    """One isolated system.

    - ``package`` is the package that declares it (``__name__``), whose folder has the other files.
    - ``commit`` is the one that the adapter was written for. ``entry`` are files of the checkout
      that the worker uses.
    - ``terms`` are shown, and accepted, before anything is set up.
    - ``outputs`` are patterns, below the folder for outputs, of the file of one request: ``{name}``
      is its staged name, ``{row}`` its position in the chunk, ``*`` anything. ``staged_name`` is
      the pattern of the names that files are given; ``{id}`` has 11 letters and digits, like the id
      of a video on YouTube, and no file gets a name from the data.
    - ``reference`` is the form of the reference audio: a .wav file, or an .mp4 file with its video.
      With ``refuses_silent_reference`` a request whose reference is silent fails before the call.
    - ``chunk`` is how many clips one call has. ``seeds`` is "clip" where each sample depends on its
      own request alone, "chunk" where one seed serves all clips of a chunk.
    - ``splits_paths`` is True where its scripts give paths to other programs without quotes: then
      the folders above its files must have no blanks in their names.
    - ``variables`` are environment variables that the system is given beside the usual ones.

    The other fields are those of ``bench.system.System``.
    """

    package: str
    name: str
    summary: str
    repository: str
    commit: str
    licence: str
    terms: str
    python: str
    uses: frozenset[str]
    entry: tuple[str, ...]
    outputs: tuple[str, ...]
    video: VideoInput = VideoInput()
    reference: Literal["wav", "mp4"] | None = None
    refuses_silent_reference: bool = False
    staged_name: str = "{id}"
    weights: tuple[Weight, ...] = ()
    requirements: tuple[Requirement, ...] = ()
    splits_paths: bool = False
    variables: tuple[str, ...] = ("HF_HOME", "HF_TOKEN", "TORCH_HOME")
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_prompt: bool = False
    chunk: int = 16
    seeds: Literal["clip", "chunk"] = "clip"
    locked_on: str = ""
    version: str = "1"
    sample_rate_hz: int | None = None
    seconds: float | None = None
    seconds_per_clip: SecondsPerClip = SecondsPerClip(600.0, 20.0)
    device_memory_gib: float | None = None
    trained_on: tuple[str, ...] = ()
    judges_seen: Mapping[str, str] = field(default_factory=dict)
    candidates: int = 1
    non_commercial: bool = False
    caveat: str = ""

    @property
    def folder(self) -> Path:
        """The folder of the adapter's files."""
        specification = find_spec(self.package)
        if specification is None or specification.origin is None:
            raise ValueError(f"the package {self.package!r} of {self.name!r} cannot be found")
        return Path(specification.origin).parent

    def _seed_caveat(self) -> str:
        if self.seeds == "clip":
            return ""
        return (
            f"seeded once per call of its script, so that samples change with the clips of a chunk "
            f"({self.chunk}), and a run that is resumed has others"
        )

    def system(self) -> IsolatedSystem:
        """Return the system that ``--model`` runs."""
        return IsolatedSystem(
            self.name,
            self.summary,
            self.uses,
            partial(open_isolated, self),
            sample_rate_hz=self.sample_rate_hz,
            seconds=self.seconds,
            licence=self.licence,
            lacks=partial(describe_missing, self),
            version=partial(describe_version, self),
            code=(self.package, "bench.isolation"),
            weights=partial(weight_files, self),
            caveat="; ".join(part for part in (self.caveat, self._seed_caveat()) if part),
            seconds_per_clip=partial(measured_seconds, self),
            batch_size=self.chunk,
            device_memory_gib=partial(measured_memory_gib, self),
            workers_per_device=1,
            trained_on=self.trained_on,
            judges_seen=self.judges_seen,
            candidates=self.candidates,
            non_commercial=self.non_commercial,
            adapter=self,
        )


@dataclass(frozen=True)
class IsolatedSystem(System):
    """A system that has an adapter, by which ``bench systems`` sets it up."""

    adapter: Adapter | None = None
