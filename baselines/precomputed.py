"""Samples that were made elsewhere: a directory of published files, or the files a split names.

A file belongs to a clip by the rules of ``bench.matching``: it bears the clip's name, lies below
the directory where the clip lies below its own, or is named by a published scheme.
A file is read whole, at its own rate: whether it is long enough, and what it lacks, is for the
runner to judge and to remember.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from baselines.opening import nothing_to_load
from bench.errors import BenchError
from bench.inputs import Listing, list_folder
from bench.io import expand_user
from bench.matching import Catalogue, match
from bench.media import read_audio
from bench.plugins import Family
from bench.system import Generate, System, one_by_one
from bench.types import Audio, Excerpt, Request

CODE = ("baselines.precomputed", "bench.matching", "bench.inputs")


def precomputed(directory: str) -> System:
    """Return the system that reads samples from ``directory``; from the split itself for "".

    Raises BenchError where there is no such directory.
    """
    if not directory:
        summary = "The samples that the split itself names"
        return System(
            "precomputed",
            summary,
            frozenset({"truth"}),
            nothing_to_load(named_sample),
            code=CODE,
            uses_device=False,
        )
    path = expand_user(Path(directory)).resolve()
    if not path.is_dir():
        raise BenchError(f"precomputed needs a directory after the colon; {path} is none")
    return Samples(path).system()


def named_sample(request: Request) -> Audio:
    """Return the sample that the clip names."""
    if request.clip is None or request.clip.generated is None:
        raise BenchError(
            f"clip {request.name!r} names no sample of its own: "
            "ask for precomputed:DIRECTORY to take it from a directory"
        )
    return read_audio(Excerpt(request.clip.generated))


@dataclass(frozen=True)
class Samples:
    """The samples below a directory, which is listed once, for the clips of these names.

    Without ``clips`` a file that bears the name of one clip may be taken for a sample of another.
    """

    directory: Path
    clips: tuple[str, ...] = ()

    def system(self) -> System:
        """Return the system that reads these samples."""
        return System(
            name="precomputed=" + re.sub(r"[^A-Za-z0-9._+@=,-]", "_", self.directory.name),
            summary=f"Samples from {self.directory.name}",
            uses=frozenset(),
            open=self.open,
            inputs=self.inputs,
            notes=self.notes,
            with_clips=self.with_clips,
            code=CODE,
            uses_device=False,
        )

    def with_clips(self, names: tuple[str, ...]) -> System:
        """Return the same system where the clips have ``names`` and no others."""
        return replace(self, clips=names).system()

    def inputs(self, clip: str) -> tuple[Path, ...]:
        """Return the file of a clip; nothing where there is none or no single one."""
        best = self._catalogue.choose(clip).best
        return tuple(best) if len(best) == 1 else ()

    def notes(self) -> tuple[str, ...]:
        """Return what the directory holds besides the samples that count."""
        matching = match(self.clips, self._catalogue.files, self.directory)
        counts = (
            (len(matching.unused), "files of the samples belong to no clip of the split"),
            (sum(map(len, matching.spare.values())), "further samples of the same clips not used"),
        )
        found = tuple(f"{count} {what}" for count, what in counts if count)
        return (*found, *self._listing.audio_notes())

    def open(self, device: str) -> Generate:
        """Return the function that reads the sample of a clip.

        Raises MissingError where the directory holds no sound.
        """
        _ = self._catalogue  # listed now: an empty directory stops the run before its first clip
        return one_by_one(self.sample)

    def sample(self, request: Request) -> Audio:
        """Return the sample of a clip; BenchError where there is none or no single one."""
        files, best = self._catalogue.files, self._catalogue.choose(request.name).best
        if not best:
            near = self._catalogue.find_near_miss(request.name)
            raise BenchError(
                f"no file for clip {request.name!r} in {self.directory}: "
                + (near or f"{len(files)} files, e.g. {files[0].name!r}")
            )
        if len(best) > 1:
            rivals = ", ".join(str(path.relative_to(self.directory)) for path in best)
            raise BenchError(
                f"{len(best)} files in {self.directory} could be clip {request.name!r}, "
                f"keep one: {rivals}"
            )
        return read_audio(Excerpt(best[0]))

    @cached_property
    def _catalogue(self) -> Catalogue:
        files = self._listing.require(self._listing.with_audio, "audio or video")
        return Catalogue(files, self.clips, self.directory)

    @cached_property
    def _listing(self) -> Listing:
        return list_folder(self.directory)


PRECOMPUTED = Family(
    "Samples from a directory, found by name; without one, those that the split itself names",
    frozenset(),
    precomputed,
)
