"""Which clips to train on, and which samples of each are target and references (``CropLayout``).

Clips come from a list of files, or from a prepared dataset.

A list is a CSV or TSV file with a header. ``file`` (relative to the list, or absolute) is required;
``prompt`` (or ``label``, ``caption``, ``text``), ``name``, ``start_s`` and ``score`` are optional.
An audio file without ``start_s`` is cut into consecutive pieces of 10 s, as the paper does with
WavCaps. ``score`` is the ImageBind cosine of audio and video, by which fine-tuning selects clips.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from acfoley.params import SAMPLE_RATE_HZ, SequenceLengths, sequence_lengths
from bench.archives import is_file
from bench.errors import BenchError, MediaError, MissingError
from bench.inputs import read_records
from bench.inputs.manifest import MediaRow, read_manifest
from bench.io import require_safe_name
from bench.matching import parse_canonical_name
from bench.seeds import stable_seed
from bench.types import AUDIO_SUFFIXES, Excerpt

PIECE_SECONDS = 10.0
#: A rest of a clip after its target that is shorter than this is no reference.
SHORTEST_AFTER_S = 0.5
PROMPT_COLUMNS = ("prompt", "label", "caption", "text")


@dataclass(frozen=True)
class TrainingClip:
    """The audio of a clip, and as far as it has them its video, prompt and audio-visual score."""

    name: str
    audio: Excerpt
    video: Excerpt | None = None
    prompt: str = ""
    score: float | None = None

    def __post_init__(self) -> None:
        require_safe_name(self.name)


@dataclass(frozen=True)
class ClipList:
    """Clips in a fixed order; ``refused`` are the other rows of a list: name and reason."""

    clips: tuple[TrainingClip, ...]
    refused: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for clip in self.clips:
            if clip.name in seen:
                raise BenchError(
                    f"the clip {clip.name!r} is listed more than once: give it another name"
                )
            seen.add(clip.name)
        if not self.clips:
            reason = f": {self.refused[0][0]}: {self.refused[0][1]}" if self.refused else ""
            raise BenchError(f"no clip is listed{reason}")


def read_list(path: Path) -> ClipList:
    """Return the clips of a list; rows whose file cannot be read are ``refused``.

    Raises:
        BenchError: the file is missing or no table, has no column ``file``, a start or score that
            is no number, or two clips of one name.
    """
    columns, rows = read_records(path)
    if "file" not in columns:
        raise BenchError(f"{path} has the columns {', '.join(columns)}; a list needs `file`")
    clips: list[TrainingClip] = []
    refused = []
    for line, row in rows:
        try:
            clips += _read_row(row, path, f"{path}, line {line}")
        except MediaError as error:
            refused.append((row.get("name") or Path(row["file"]).stem, str(error)))
    return ClipList(tuple(clips), tuple(refused))


def read_prepared(path: Path, split: str = "train") -> ClipList:
    """Return the clips of a split in a manifest of ``bench data prepare``.

    Clips whose files cannot be used are ``refused``. Scores are those of ``scores.csv`` beside the
    manifest, a table with the columns name and score, where there is one.

    Raises:
        MissingError: there is no manifest, or no clip of it is here.
        BenchError: a file is no manifest or no such table, or the manifest has no such split.
    """
    rows = [row for row in read_manifest(path).rows if row.split == split]
    if not rows:
        raise BenchError(
            f"{path} lists no clip of the split {split!r}: to train on VGGSound, prepare it with "
            "its table vggsound.csv"
        )
    by_clip = _read_scores(path.with_name("scores.csv"))
    clips = [_make_prepared(row, by_clip.get(row.clip)) for row in rows if not row.problem]
    if not clips:
        raise MissingError(f"none of the {len(rows)} {split} clips in {path} is here")
    return ClipList(tuple(clips), tuple((row.clip, row.problem) for row in rows if row.problem))


def _make_prepared(row: MediaRow, score: float | None) -> TrainingClip:
    # The first piece of a long audio file also starts at 0.
    is_first_piece = not row.video_codec and (row.audio_s or 0.0) > row.seconds

    def cut(path: str) -> Excerpt:
        # A clip that is a file of its own is read to its end, wherever that is.
        is_part = bool(row.start_s) or is_first_piece
        return Excerpt(Path(path), row.start_s, row.seconds if is_part else None)

    return TrainingClip(
        row.clip,
        cut(row.audio_path or row.path),
        cut(row.path) if row.video_codec else None,
        row.label,
        score,
    )


def cut_pieces(
    clip: TrainingClip, seconds: float, piece_s: float = PIECE_SECONDS
) -> list[TrainingClip]:
    """Cut the audio of ``clip``, which lasts ``seconds``, into consecutive pieces.

    A piece is named after its first second. What is left after the last whole piece is not used.
    Audio shorter than two pieces is returned as it is.
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


def _read_row(row: dict[str, str], path: Path, where: str) -> list[TrainingClip]:
    from bench.media import probe, read_audio_seconds

    file = (path.parent / row["file"]).absolute()
    start_s = _read_number(row, "start_s", where)
    if start_s is not None and start_s < 0:
        raise BenchError(f"{where}: start_s is {start_s:g}, expected 0 or more")
    # With a start, a row is one excerpt as long as the paper's clips; without, it is the full file.
    excerpt = Excerpt(file, start_s or 0.0, None if start_s is None else PIECE_SECONDS)
    if is_file(file):
        has_video = probe(file).video is not None
    else:
        # A missing file counts as what its suffix says, so that encoding refuses it by name.
        has_video = file.suffix.lower() not in AUDIO_SUFFIXES
    prompt = next((row[name] for name in PROMPT_COLUMNS if row.get(name)), "")
    stem = file.stem if start_s is None else f"{file.stem}_{int(start_s):06d}"
    clip = TrainingClip(
        row.get("name") or stem,
        excerpt,
        excerpt if has_video else None,
        prompt,
        _read_number(row, "score", where),
    )
    # Only audio alone is cut: of a clip with video, prompt and score describe the full clip.
    if has_video or start_s is not None:
        return [clip]
    return cut_pieces(clip, read_audio_seconds(file))


def _read_scores(path: Path) -> dict[str, float]:
    if not path.is_file():
        return {}
    columns, rows = read_records(path)
    if not {"name", "score"} <= set(columns):
        raise BenchError(f"{path} has the columns {', '.join(columns)}; it needs name and score")
    found = {row["name"]: _read_number(row, "score", f"{path}, line {line}") for line, row in rows}
    # Scores and prompts may name a clip by different published schemes: compare canonical names.
    return {
        parse_canonical_name(name) or name: score
        for name, score in found.items()
        if score is not None
    }


def _read_number(row: dict[str, str], column: str, where: str) -> float | None:
    text = row.get(column)
    try:
        number = float(text) if text else None
    except ValueError as error:
        raise BenchError(f"{where}: {column} is {text!r}, expected a number") from error
    # ``float`` also takes "nan", a score that no stage would select, and "inf".
    if number is not None and not math.isfinite(number):
        raise BenchError(f"{where}: {column} is {text!r}, expected a number")
    return number


@dataclass(frozen=True)
class Span:
    """Samples from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True)
class CropLayout:
    """The lengths of target and references in seconds, and from them the spans at 44.1 kHz."""

    seconds: float = 8.0
    reference_seconds: float = 2.0

    def __post_init__(self) -> None:
        if not SHORTEST_AFTER_S <= self.reference_seconds <= self.seconds:
            raise BenchError(
                f"references last {SHORTEST_AFTER_S:g} s up to the {self.seconds:g} s of a target, "
                f"not {self.reference_seconds:g} s"
            )

    @property
    def lengths(self) -> SequenceLengths:
        """Tokens of each stream of the target, and its samples."""
        return sequence_lengths(self.seconds)

    @property
    def reference_samples(self) -> int:
        """Samples of a reference, before zeros fill it up to whole latents."""
        return round(self.reference_seconds * SAMPLE_RATE_HZ)

    def target(self, n_samples: int) -> Span:
        """Return the target of a clip of ``n_samples``.

        Raises:
            MediaError: the clip is shorter than its target.
        """
        needed = self.lengths.samples
        if n_samples < needed:
            raise MediaError(
                f"the audio lasts {n_samples / SAMPLE_RATE_HZ:.3f} s, the target alone needs "
                f"{needed / SAMPLE_RATE_HZ:.3f} s"
            )
        return Span(0, needed)

    def after(self, n_samples: int) -> Span | None:
        """Return the last seconds after the target; None where less than 0.5 s is left."""
        # The target is 480 samples longer than 8 s, so of a clip of exactly 10 s the reference has
        # 480 samples less than 2 s.
        # The paper's clips last 10 s; the rest of a longer one is not used.
        longest = round((self.seconds + self.reference_seconds) * SAMPLE_RATE_HZ)
        stop = min(n_samples, longest)
        start = max(self.lengths.samples, stop - self.reference_samples)
        return Span(start, stop) if stop - start >= SHORTEST_AFTER_S * SAMPLE_RATE_HZ else None

    def inside(self, name: str, number: int) -> Span:
        """Return the ``number``-th random reference inside the target of the clip ``name``.

        The same name and number give the same span, uniform over all starts.
        """
        last = self.lengths.samples - self.reference_samples
        rng = np.random.default_rng(stable_seed("crop", name, number))
        start = int(rng.integers(last + 1))
        return Span(start, start + self.reference_samples)
