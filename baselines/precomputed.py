"""Samples generated elsewhere: a directory or archive of files, or the files that a split names.

A .zip, a .tar (of WebDataset too) or a directory of them is read as it was published. A file
belongs to a clip by the rules of ``bench.matching``: it has the clip's name, or the same path below
the directory as the clip below its own, or a name of a published scheme. A file is read in full
length at its own rate; the pipeline checks and records whether it is long enough.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from baselines import nothing_to_load
from bench.archives import path_below
from bench.errors import BenchError
from bench.inputs import Listing, list_source
from bench.io import expand_user
from bench.matching import Catalogue, assign, parse_stem
from bench.media import read_audio
from bench.plugins import Family
from bench.system import Generate, System, one_by_one
from bench.types import Audio, Excerpt, Request

CODE = ("baselines.precomputed", "bench.archives", "bench.matching", "bench.inputs")


def precomputed(directory: str) -> System:
    """Return the system that reads samples from ``directory``, or an archive; "" means the split's.

    Raises:
        BenchError: there is neither a directory nor a file.
    """
    if not directory:
        summary = "The samples that the split names"
        return System(
            "precomputed",
            summary,
            frozenset({"truth"}),
            nothing_to_load(named_sample),
            code=CODE,
            uses_device=False,
        )
    path = expand_user(Path(directory)).resolve()
    if not path.exists():
        raise BenchError(
            f"precomputed needs a directory or an archive after the colon; {path} is none"
        )
    return Samples(path).system()


def named_sample(request: Request) -> Audio:
    """Return the sample that the clip names; BenchError if it names none."""
    if request.clip is None or request.clip.generated is None:
        raise BenchError(
            f"clip {request.name!r} names no sample of its own: "
            "ask for precomputed:DIRECTORY to take it from a directory"
        )
    return read_audio(Excerpt(request.clip.generated))


@dataclass(frozen=True)
class Samples:
    """The samples below a directory or in an archive, listed once, for the clips of these names.

    Without ``clips``, a file with the name of one clip may be read as a sample of another: the clip
    ``take_1_2`` and the sample 2 of the clip ``take_1`` have files of equal names.
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
        """Return the same system for a split whose clips are ``names``."""
        return replace(self, clips=names).system()

    def inputs(self, clip: str) -> tuple[Path, ...]:
        """Return the file of a clip; () if no file or more than one belongs to it."""
        # Neither is an error here: ``sample`` refuses the clip, with the files that were found.
        best = self._catalogue.choose(clip).best
        return tuple(best) if len(best) == 1 else ()

    def notes(self) -> tuple[str, ...]:
        """Return sentences on the files that are not used."""
        matching = assign(self.clips, self._catalogue)
        # The key of a file in a shard ends at its first dot; no published name has one.
        numbers = Counter(
            parse_stem(path.stem.partition(".")[0])[-1].number
            for clip, path in matching.found.items()
            if clip in matching.spare
        )
        counts = (
            (len(matching.unused), "files of the samples belong to no clip of the split"),
            (sum(map(len, matching.spare.values())), "further samples of the same clips not used"),
            # The lowest number is taken; where that is 0 for all, nothing has to be explained.
            (numbers.total() - numbers[0], "clips have no sample 0, and their lowest is used"),
        )
        found = tuple(f"{count} {what}" for count, what in counts if count)
        return (*found, *self._listing.audio_notes())

    def open(self, device: str) -> Generate:
        """Return the function that reads the sample of a clip.

        Raises:
            MissingError: there is no audio or video file.
            BenchError: an archive is damaged, or of a form that cannot be read.
        """
        _ = self._catalogue  # listed now: an empty directory stops the run before its first clip
        return one_by_one(self.sample)

    def sample(self, request: Request) -> Audio:
        """Return the sample of a clip; BenchError if no file or more than one belongs to it."""
        files, best = self._catalogue.files, self._catalogue.choose(request.name).best
        if not best:
            near = self._catalogue.find_near_miss(request.name)
            some = f"{len(files)} files, e.g. {files[0].name!r}"
            if all(path.stem.isdecimal() for path in files):
                some += (
                    ", named by the row of a table, which names no clip: rename them by that table "
                    "as the clips, or compare two folders by bench score --match order"
                )
            raise BenchError(
                f"no file for clip {request.name!r} in {self.directory}: {near or some}"
            )
        if len(best) > 1:
            rivals = ", ".join(str(path_below(path, self.directory)) for path in best)
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
        return list_source(self.directory)


PRECOMPUTED = Family(
    "Samples from a directory or archive, found by name; without one, those that the split names",
    frozenset(),
    precomputed,
)
