"""What a folder of media holds: nothing that has a name there vanishes uncounted.

Links to files and folders are followed. Hidden files (``.DS_Store``, ``._x.wav`` of AppleDouble)
and those that systems leave behind (``Thumbs.db``) are no part of the data. A known suffix says
what a file is meant to be, in any case; of a file with an unknown one the content decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import MediaError, MissingError, format_names
from bench.matching import normalize_name, to_printable
from bench.types import AUDIO_SUFFIXES, VIDEO_SUFFIXES

#: Never media, so never opened to find out: ffmpeg takes some binary data for audio.
DATA_SUFFIXES = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".jsonl", ".md", ".rst", ".html", ".htm", ".xml", ".log"}
    | {".yaml", ".yml", ".toml", ".ini", ".cfg", ".py", ".ipynb", ".sh", ".bat", ".srt", ".vtt"}
    | {".lrc", ".pdf", ".docx", ".xlsx", ".npy", ".npz", ".pt", ".pth", ".ckpt", ".safetensors"}
    | {".pkl", ".pickle", ".h5", ".hdf5", ".mat", ".parquet", ".arrow", ".db", ".sqlite", ".lock"}
    | {".jpg", ".jpeg", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".svg", ".heic", ".heif"}
    | {".avif", ".ico", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"}
    | {".part", ".tmp", ".crdownload", ".ytdl", ".url", ".lnk", ".mid", ".midi", ".m3u", ".m3u8"}
)
LEFT_BEHIND = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})
LABEL_FILES = ("labels.csv", "labels.tsv")


@dataclass(frozen=True)
class Listing:
    """The files below ``folder`` by what they are meant to be, each group sorted by path.

    A link to nothing is listed as what its suffix says, or as both where that says nothing, so
    that opening it fails by name.
    """

    folder: Path
    audio: tuple[Path, ...]
    videos: tuple[Path, ...]
    other: tuple[Path, ...]

    @property
    def with_audio(self) -> tuple[Path, ...]:
        """The audio files, and the videos that have no audio file of their name beside them.

        Many systems write a sample twice, alone and under the video.
        """
        twins = {path.with_suffix("") for path in self.audio}
        alone = [path for path in self.videos if path.with_suffix("") not in twins]
        return tuple(sorted({*self.audio, *alone}))

    def require(self, files: tuple[Path, ...], kind: str) -> tuple[Path, ...]:
        """Return ``files``; MissingError where there are none, ``kind`` says of what."""
        if not files:
            rest = f"; there are {format_paths(self.other, self.folder)}" if self.other else ""
            raise MissingError(f"{self.folder} holds no {kind} file{rest}")
        return files

    def audio_notes(self) -> tuple[str, ...]:
        """What is left out of ``with_sound``: videos with an audio file beside them, and others."""
        n_twins = len(set(self.videos) - set(self.with_audio))
        what = f"videos in {self.folder.name} have an audio file beside them, which was taken"
        return (*((f"{n_twins} {what}",) if n_twins else ()), *self.notes())

    def notes(self) -> tuple[str, ...]:
        """One sentence on the files that are neither audio nor video; none where all are."""
        if not self.other:
            return ()
        verb = "file is" if len(self.other) == 1 else "files are"
        named = format_paths(self.other, self.folder)
        return (f"{len(self.other)} {verb} neither audio nor video in {self.folder.name}: {named}",)


def list_folder(folder: Path) -> Listing:
    """Return what is below ``folder``, links followed; a link back to a parent ends there.

    Paths are absolute: ffmpeg would take the name ``a:b.wav`` alone for a protocol.

    Raises:
        MissingError: there is no such folder, or one below it cannot be read.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        found = "it is a file" if folder.is_file() else "nothing is there"
        raise MissingError(f"there is no folder {folder}: {found}")
    groups: dict[str, list[Path]] = {"audio": [], "video": [], "other": []}
    for path in sorted(_files(folder, ())):
        is_label_file = path.parent == folder and path.name.lower() in LABEL_FILES
        for kind in () if is_label_file else _kinds(path):
            groups[kind].append(path)
    return Listing(folder, *(tuple(group) for group in groups.values()))


def natural_sort_key(path: Path) -> tuple[object, ...]:
    """A key that sorts paths as people count: ``2.wav`` before ``10.wav``, folder by folder."""
    numbered = (
        re.split(r"(\d+)", part, flags=re.ASCII) for part in Path(normalize_name(str(path))).parts
    )
    keys = ([int(w) if i % 2 else w for i, w in enumerate(words)] for words in numbered)
    return (list(keys), str(path))


def format_paths(paths: Iterable[Path], folder: Path) -> str:
    """The first three of ``paths`` below ``folder``, and how many more there are."""
    return format_names(to_printable(str(path.relative_to(folder))) for path in paths)


def _files(folder: Path, parents: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Everything visible below a folder that is no folder; ``parents`` are the folders around."""
    try:
        status = folder.stat()
        entries = list(os.scandir(folder))
    except OSError as error:
        raise MissingError(f"cannot list the folder {folder}: {error.strerror}") from error
    identity = (status.st_dev, status.st_ino)
    if identity in parents:
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in LEFT_BEHIND:
            continue
        path = folder / entry.name
        if path.is_dir():
            yield from _files(path, (*parents, identity))
        else:
            yield path


def _kinds(path: Path) -> tuple[str, ...]:
    suffix = path.suffix.lower()
    if suffix in AUDIO_SUFFIXES:
        return ("audio",)
    if suffix in VIDEO_SUFFIXES:
        return ("video",)
    if suffix in DATA_SUFFIXES:
        return ("other",)
    return ("audio", "video") if not path.exists() else (_kind_by_content(path),)


def _kind_by_content(path: Path) -> str:
    from bench.media import probe

    try:
        found = probe(path)
    except MediaError:
        return "other"  # the notes of the listing name it
    if found.video:
        return "video"
    return "audio" if found.audio else "other"
