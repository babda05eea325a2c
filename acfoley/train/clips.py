"""Which clips to train on: lists of files, folders of VGGSound, long sounds cut in pieces.

A list is a CSV or TSV file with a header. ``file`` (beside the list, or absolute) is needed;
``prompt`` (or ``label``, ``caption``), ``name``, ``start_s`` and ``score`` are optional. A sound
without a picture and without ``start_s`` is cut in pieces of 10 s that follow one another, as the
paper does with WavCaps. ``score`` is the ImageBind cosine of picture and sound, which fine-tuning
chooses by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError, MediaError
from bench.inputs import read_records, read_table
from bench.io import expand_user, require_safe_name
from bench.types import AUDIO_SUFFIXES, Excerpt

PIECE_SECONDS = 10.0
PROMPT_COLUMNS = ("prompt", "label", "caption", "text")
VGGSOUND_TABLE = "vggsound.csv"
SPLITS = ("vggsound-train:FOLDER", "vggsound-test:FOLDER")


@dataclass(frozen=True)
class TrainingClip:
    """A sound, its picture if it has one, what it is in words, and how well the two fit."""

    name: str
    audio: Excerpt
    video: Excerpt | None = None
    prompt: str = ""
    score: float | None = None

    def __post_init__(self) -> None:
        require_safe_name(self.name)


@dataclass(frozen=True)
class ClipList:
    """Clips in a fixed order, and why others could not be listed, by name."""

    clips: tuple[TrainingClip, ...]
    refused: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for clip in self.clips:
            if clip.name in seen:
                raise BenchError(f"the clip {clip.name!r} is listed more than once: name it anew")
            seen.add(clip.name)
        if not self.clips:
            reason = f": {self.refused[0][0]}: {self.refused[0][1]}" if self.refused else ""
            raise BenchError(f"no clip is listed{reason}")


def read_list(path: Path) -> ClipList:
    """The clips of a list.

    Raises:
        BenchError: there is no such file, it has no ``file`` column, a number is none, or a name is
            there twice.
    """
    columns, rows = read_records(path)
    if "file" not in columns:
        raise BenchError(f"{path} has the columns {', '.join(columns)}; a list needs `file`")
    clips: list[TrainingClip] = []
    refused = []
    for line, row in rows:
        try:
            clips += _listed(row, path, f"{path}, line {line}")
        except MediaError as error:
            refused.append((row.get("name") or Path(row["file"]).stem, str(error)))
    return ClipList(tuple(clips), tuple(refused))


def open_split(spec: str) -> ClipList:
    """The clips of ``vggsound-train:FOLDER`` or ``vggsound-test:FOLDER``.

    The folder holds the official table ``vggsound.csv`` (id, start, label, split) and the videos,
    named ``<id>_<start, six digits>.mp4``; ``scores.csv`` (name, score) may lie beside it.

    Raises:
        BenchError: there is no such split, or the table is not there or not one.
    """
    name, _, folder = spec.partition(":")
    if name not in ("vggsound-train", "vggsound-test") or not folder:
        raise BenchError(
            f"no split {spec!r} to train on; write one of {', '.join(SPLITS)}, or use --list FILE"
        )
    directory = expand_user(Path(folder)).absolute()
    scores = _scores(directory / "scores.csv")
    clips = []
    for row in _table(directory / VGGSOUND_TABLE):
        if row[3] == name.removeprefix("vggsound-"):
            clip = f"{row[0]}_{int(row[1]):06d}"
            video = Excerpt(directory / f"{clip}.mp4")
            clips.append(TrainingClip(clip, video, video, row[2], scores.get(clip)))
    return ClipList(tuple(clips))


def pieces(
    clip: TrainingClip, seconds: float, piece_s: float = PIECE_SECONDS
) -> list[TrainingClip]:
    """``clip`` of ``seconds`` cut in whole pieces, named after their first second.

    A sound that is shorter than one piece is one.
    """
    n_pieces = max(int(seconds / piece_s), 1)
    if n_pieces == 1:
        return [clip]
    return [
        TrainingClip(
            f"{clip.name}_{int(number * piece_s):06d}",
            Excerpt(clip.audio.path, number * piece_s, piece_s),
            prompt=clip.prompt,
        )
        for number in range(n_pieces)
    ]


def _listed(row: dict[str, str], path: Path, where: str) -> list[TrainingClip]:
    from bench.media import read_audio_seconds

    file = (path.parent / row["file"]).absolute()
    start_s = _number(row, "start_s", where)
    excerpt = Excerpt(file, start_s or 0.0, None if start_s is None else PIECE_SECONDS)
    has_video = _has_video(file)
    prompt = next((row[name] for name in PROMPT_COLUMNS if row.get(name)), "")
    stem = file.stem if start_s is None else f"{file.stem}_{int(start_s):06d}"
    clip = TrainingClip(
        row.get("name") or stem,
        excerpt,
        excerpt if has_video else None,
        prompt,
        _number(row, "score", where),
    )
    if has_video or start_s is not None:
        return [clip]
    return pieces(clip, read_audio_seconds(file))


def _has_video(file: Path) -> bool:
    """Whether a file holds a video; by its suffix where it is missing, which encoding then says."""
    from bench.media import probe

    if not file.is_file():
        return file.suffix.lower() not in AUDIO_SUFFIXES
    return probe(file).video is not None


def _table(path: Path) -> Iterator[tuple[str, ...]]:
    for line, cells in read_table(path):
        if len(cells) != 4 or not cells[1].isdigit():
            raise BenchError(
                f"{path}, line {line}: expected id, start, label, split, got {list(cells)}"
            )
        yield cells


def _scores(path: Path) -> dict[str, float]:
    if not path.is_file():
        return {}
    _, rows = read_records(path)
    found = {
        row.get("name", ""): _number(row, "score", f"{path}, line {line}") for line, row in rows
    }
    return {name: score for name, score in found.items() if score is not None}


def _number(row: dict[str, str], column: str, where: str) -> float | None:
    text = row.get(column)
    try:
        return float(text) if text else None
    except ValueError as error:
        raise BenchError(f"{where}: {column} is {text!r}, expected a number") from error
