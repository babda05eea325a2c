"""List a folder of media: every visible file is counted as audio, video or other.

Links to files and folders are followed. Hidden files (``.DS_Store``, ``._x.wav`` of AppleDouble)
and those that systems leave behind (``Thumbs.db``) do not count. A known suffix, in any case,
decides the kind of a file; for an unknown one its content is probed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.archives import path_below, without_range
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
    """The files below ``folder`` by kind, each group sorted by path.

    A broken link is listed by its suffix, or as audio and video where that is unknown, so that
    opening it fails with its name.
    """

    folder: Path
    audio: tuple[Path, ...]
    videos: tuple[Path, ...]
    other: tuple[Path, ...]

    @property
    def with_audio(self) -> tuple[Path, ...]:
        """The audio files, and the videos without an audio file of the same name beside them.

        Many systems write a sample twice, as audio and as video with that audio.
        """
        twins = {without_range(path).with_suffix("") for path in self.audio}
        alone = [path for path in self.videos if without_range(path).with_suffix("") not in twins]
        return tuple(sorted({*self.audio, *alone}, key=without_range))

    def require(self, files: tuple[Path, ...], kind: str) -> tuple[Path, ...]:
        """Return ``files``. Raises MissingError, which names the ``kind``, if there are none."""
        if not files:
            rest = f"; there are {format_paths(self.other, self.folder)}" if self.other else ""
            raise MissingError(f"{self.folder} holds no {kind} file{rest}")
        return files

    def audio_notes(self) -> tuple[str, ...]:
        """Return sentences on the files that ``with_audio`` leaves out."""
        n_twins = len(set(self.videos) - set(self.with_audio))
        what = f"videos in {self.folder.name} have an audio file beside them, which was taken"
        return (*((f"{n_twins} {what}",) if n_twins else ()), *self.notes())

    def notes(self) -> tuple[str, ...]:
        """Return one sentence on the files that are neither audio nor video, or none."""
        if not self.other:
            return ()
        verb = "file is" if len(self.other) == 1 else "files are"
        named = format_paths(self.other, self.folder)
        return (f"{len(self.other)} {verb} neither audio nor video in {self.folder.name}: {named}",)


def list_folder(folder: Path) -> Listing:
    """Return the files below ``folder``. Links are followed, except those to a parent folder.

    Paths are absolute: ffmpeg would take the name ``a:b.wav`` alone for a protocol.

    Raises:
        MissingError: the folder does not exist, or one below it cannot be read.
    """
    folder = folder.absolute()
    require_folders(folder)
    groups: dict[str, list[Path]] = {"audio": [], "video": [], "other": []}
    for path in sorted(_files(folder, ())):
        is_label_file = path.parent == folder and path.name.lower() in LABEL_FILES
        for kind in () if is_label_file else _classify(path):
            groups[kind].append(path)
    return Listing(folder, *(tuple(group) for group in groups.values()))


def require_folders(*folders: Path | None) -> None:
    """Raise MissingError for the first of ``folders`` that does not exist; None counts as there.

    A command that lists several asks for all before it lists one, which may take minutes.
    """
    for folder in folders:
        if folder is not None and not folder.is_dir():
            found = "it is a file" if folder.is_file() else "nothing is there"
            raise MissingError(f"there is no folder {folder.absolute()}: {found}")


def natural_sort_key(path: Path) -> tuple[object, ...]:
    """Return a key that sorts numbers by value: ``2.wav`` before ``10.wav``, folder by folder."""
    # Splitting at a group keeps the digits: they are the items of odd index, so that numbers are
    # only compared with numbers.
    numbered = (
        re.split(r"(\d+)", part, flags=re.ASCII) for part in Path(normalize_name(str(path))).parts
    )
    keys = ([int(w) if i % 2 else w for i, w in enumerate(words)] for words in numbered)
    return (list(keys), str(path))


def format_paths(paths: Iterable[Path], folder: Path) -> str:
    """Return the first three of ``paths`` below ``folder``, and the number of the others."""
    return format_names(to_printable(str(path_below(path, folder))) for path in paths)


def _files(folder: Path, parents: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Yield the visible files below a folder; ``parents`` identify the folders around it."""
    try:
        status = folder.stat()
        entries = list(os.scandir(folder))
    except OSError as error:
        raise MissingError(f"cannot list the folder {folder}: {error.strerror}") from error
    # Device and inode, not the path: a link to a parent has another path on every round.
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


def _classify(path: Path) -> tuple[str, ...]:
    suffix = path.suffix.lower()
    if suffix in AUDIO_SUFFIXES:
        return ("audio",)
    if suffix in VIDEO_SUFFIXES:
        return ("video",)
    if suffix in DATA_SUFFIXES:
        return ("other",)
    # A path without a file behind it is a broken link.
    return ("audio", "video") if not path.exists() else (_probe_kind(path),)


def _probe_kind(path: Path) -> str:
    from bench.media import probe

    try:
        found = probe(path)
    except MediaError:
        return "other"  # the notes of the listing name it
    if found.video:
        return "video"
    return "audio" if found.audio else "other"
