"""Greatest Hits: the segments of CondFoley's pairs, cut from whatever form the data come in.

CondFoley's list ``AMT_test_set.json`` has 194 targets with three conditions each, all of two
seconds: ``<video>_<start second>``. A segment is the trimmed mp4 of its name where there is one
(``<video>_denoised_trim_to_2s_from_<start>_new_fps_resized.mp4``), else a window of the original:

    <video>_denoised.mp4, _denoised_thumb.mp4 (the small download), _mic.mp4      the video
    <video>_denoised.wav (96 kHz), else the audio of that video, else _mic.wav    the audio
    <video>_times.txt, or CondFoley's hit_record.json                             annotated hits

The data state no licence; nothing is copied.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.datasets.index import Facts, StageProgress, open_index
from bench.errors import BenchError, MissingError, format_names
from bench.inputs import list_folder, read_lines
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, sort_rows, write_manifest
from bench.io import bench_home, read_json, require_folder, write_json
from bench.matching import parse_canonical_name
from bench.types import MAX_SHORTFALL_S

if TYPE_CHECKING:
    from bench.engine import Engine

LICENCE = "Greatest Hits: its authors state no licence (Owens et al. 2016)"
LIST, MATCHES = "AMT_test_set.json", "AMT_test_set_match_dict.json"
#: What ``prepare`` keeps beside the manifest: the pairs, whether actions match, annotated hits.
PAIRS = "pairs.json"
SECONDS = 2.0

_SEGMENT = re.compile(r"(?P<video>.+)_(?P<start>\d+\.\d{4})", re.ASCII)
_ORIGINAL = re.compile(r"(?P<video>\d{4}(?:-\d\d){5}(?:-\d+)?)_(?P<kind>\w+)", re.ASCII)
#: In the order in which they are preferred.
VIDEO_KINDS = ("denoised", "denoised_thumb", "mic")
CONDITION_FOLDERS = ("cond", "condition", "conditions")
AUDIO_KINDS = ("denoised", "mic", "denoised_resampled")


@dataclass(frozen=True)
class Hit:
    """An annotated contact: when, of what material, by which action ("" where unknown)."""

    seconds: float
    material: str
    action: str


@dataclass(frozen=True)
class _Tree:
    """The files of a copy, by segment or by video and kind."""

    segments: Mapping[str, Path]
    videos: Mapping[tuple[str, str], Path]
    audio: Mapping[tuple[str, str], Path]
    hits: Mapping[str, Path]


def greatesthits_directory() -> Path:
    """Return the folder of the manifest, ``$BENCH_HOME/data/greatesthits``."""
    return bench_home() / "data" / "greatesthits"


def prepare(
    source: Path, engine: Engine, progress: StageProgress, *, table: Path | None = None
) -> Manifest:
    """Find the segments of CondFoley's pairs below ``source``; write manifest and pairs.

    ``table`` is ``AMT_test_set.json``; by default it is looked for below ``source``.

    Raises:
        MissingError: the folder, the list or all segments are missing.
        BenchError: a list or an annotation cannot be read; the message names the line.
    """
    directory = require_folder(greatesthits_directory())
    source = source.expanduser().absolute()
    listing = list_folder(source)
    path = table or next((each for each in listing.other if each.name == LIST), None)
    if path is None or not path.is_file():
        raise MissingError(
            f"the pairs are {LIST} of CondFoley's repository, which is not below {source}: name it "
            "by --table"
        )
    pairs = read_pairs(path)
    tree = _index_tree(listing.videos, listing.audio, listing.other)
    segments = sorted({*pairs, *(each for conditions in pairs.values() for each in conditions)})
    rows = [_locate(segment, tree) for segment in segments]
    used = [Path(p) for row in rows for p in (row.path, row.audio_path) if p]
    with open_index(directory / "index.sqlite") as index:
        facts = index.describe_files(used, engine, progress)
    rows = [_describe(row, facts) for row in rows]
    if all(row.problem for row in rows):
        raise MissingError(
            f"{source} has none of the {len(rows)} segments: expected files such as "
            f"{segments[0].rpartition('_')[0]}_denoised.mp4"
        )
    hits = {row.clip: _read_segment_hits(row.clip, tree) for row in rows}
    rows = [replace(row, label=_describe_hits(hits[row.clip] or ())) for row in rows]
    matches = _read_matches(path.with_name(MATCHES), pairs, hits)
    write_json(
        directory / PAIRS,
        {
            "pairs": {target: list(conditions) for target, conditions in pairs.items()},
            "matches": matches,
            "hits": {
                segment: None if each is None else [hit.seconds for hit in each]
                for segment, each in hits.items()
            },
        },
    )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = Manifest("greatesthits", sort_rows(rows), LICENCE, {path.name: digest})
    write_manifest(directory / MANIFEST, manifest)
    return manifest


def read_pairs(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the conditions of each target in CondFoley's list, or its list of paths.

    Raises:
        BenchError: the file is no such list; the message has the name that is none.
    """
    value: Any = read_json(path)
    if not isinstance(value, dict) or not all(isinstance(each, list) for each in value.values()):
        raise BenchError(f"{path} is no list of pairs: expected {{target: [condition, ...]}}")
    return {
        _segment_name(target, path): tuple(_segment_name(each, path) for each in conditions)
        for target, conditions in value.items()
    }


def _segment_name(written: object, path: Path) -> str:
    """Return ``<video>_<start>`` for a name or a path in a list."""
    stem = Path(str(written)).name.removesuffix(".mp4")
    name = parse_canonical_name(stem)
    if name is None or not _SEGMENT.fullmatch(name):
        raise BenchError(f"{path} names {written!r}, expected <video>_<start with four decimals>")
    return name


def _index_tree(videos: Iterable[Path], audio: Iterable[Path], other: Iterable[Path]) -> _Tree:
    videos = list(videos)
    named = ((_parse_segment(path), path) for path in reversed(videos))
    hits = {
        path.parent.name: path for path in other if path.name == "hit_record.json"
    }  # rounded to 1/15 s, so that the original annotation counts where there are both
    suffix = "_times.txt"
    hits |= {p.name.removesuffix(suffix): p for p in other if p.name.endswith(suffix)}
    return _Tree(
        {name: path for name, path in named if name is not None},
        _index_originals(videos),
        _index_originals(audio),
        hits,
    )


def _parse_segment(path: Path) -> str | None:
    """Return the segment that a trimmed file holds, None for any other file."""
    name = parse_canonical_name(path.stem)
    # CondFoley's generator writes the condition of a pair under the name of the pair.
    if name is not None and path.parent.name in CONDITION_FOLDERS:
        name = name.rpartition("_to_")[2]
    return name if name is not None and _SEGMENT.fullmatch(name) and "_to_" not in name else None


def _index_originals(paths: Iterable[Path]) -> dict[tuple[str, str], Path]:
    found = ((_ORIGINAL.fullmatch(path.stem), path) for path in paths)
    return {(match["video"], match["kind"]): path for match, path in found if match}


def _locate(segment: str, tree: _Tree) -> MediaRow:
    """Return the row of a segment: the trimmed file, else a window of the original."""
    name, start_s = segment.rsplit("_", 1)
    row = MediaRow(segment, split="test", seconds=SECONDS)
    if segment in tree.segments:
        return replace(row, path=str(tree.segments[segment]))
    video = next((tree.videos[name, k] for k in VIDEO_KINDS if (name, k) in tree.videos), None)
    if video is None:
        return replace(row, problem="neither the trimmed file nor its video is here")
    audio = next((tree.audio[name, k] for k in AUDIO_KINDS if (name, k) in tree.audio), None)
    return replace(row, path=str(video), audio_path=str(audio or ""), start_s=float(start_s))


def _describe(row: MediaRow, facts: Mapping[Path, Facts]) -> MediaRow:
    if row.problem:
        return row
    stated = dict(facts[Path(row.path)])
    if row.audio_path:
        beside = facts[Path(row.audio_path)]
        stated = {name: value for name, value in stated.items() if not name.startswith("audio")}
        stated |= {name: beside[name] for name in beside if name.startswith(("audio", "problem"))}
    row = replace(row, **stated)
    if row.problem:
        return row
    for kind, codec, ends_s in (
        ("audio", row.audio_codec, row.audio_s),
        ("video", row.video_codec, row.video_s),
    ):
        if not codec:
            return replace(row, problem=f"{Path(row.path).name} has no {kind} stream")
        # Names of trimmed files state a length that some do not have: the decoded one counts.
        if ends_s is not None and ends_s - row.start_s < SECONDS - MAX_SHORTFALL_S:
            left_s = max(ends_s - row.start_s, 0.0)
            return replace(row, problem=f"its {kind} lasts {left_s:.2f} s of {SECONDS:g} s")
    return row


def _read_segment_hits(segment: str, tree: _Tree) -> list[Hit] | None:
    """Return the hits within a segment on its own clock; None where its video has no annotation."""
    video, start_s = segment.rsplit("_", 1)
    path = tree.hits.get(video)
    if path is None:
        return None
    hits = read_hit_record(path) if path.suffix == ".json" else read_times(path)
    shifted = (replace(hit, seconds=round(hit.seconds - float(start_s), 6)) for hit in hits)
    return sorted(
        (hit for hit in shifted if 0 <= hit.seconds < SECONDS), key=lambda hit: hit.seconds
    )


def read_times(path: Path) -> list[Hit]:
    """Return the hits in ``<video>_times.txt``: seconds, material, action, reaction.

    Raises:
        BenchError: a line has another form; the message has its number.
    """
    hits = []
    for number, line in read_lines(path, "the hits in"):
        words = line.split()
        try:
            seconds = float(words[0])
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf") or len(words) > 4:
            raise BenchError(
                f"{path}, line {number}: {line!r} is no hit, expected: seconds material action "
                "reaction"
            )
        material, action = (*words[1:3], "", "")[:2]
        hits.append(Hit(seconds, _known(material), _known(action)))
    return hits


def read_hit_record(path: Path) -> list[Hit]:
    """Return the hits in CondFoley's ``hit_record.json``: pairs of seconds and "material action".

    Raises:
        BenchError: it has another form.
    """
    hits = []
    value = read_json(path)
    for row in value if isinstance(value, list) else [value]:
        try:
            seconds, words = float(row[0]), str(row[1]).split()
        except (TypeError, ValueError, LookupError):
            raise BenchError(
                f"{path} has {json.dumps(row)[:60]}, expected [seconds, 'material action']"
            ) from None
        material, action = (*words[:2], "", "")[:2]
        hits.append(Hit(seconds, _known(material), _known(action)))
    return hits


def _known(word: str) -> str:
    return "" if word == "None" else word


def _describe_hits(hits: Iterable[Hit]) -> str:
    """Return the commonest material and action of a segment as a prompt, such as "hit wood"."""
    words = [f"{hit.action} {hit.material}" for hit in hits if hit.action and hit.material]
    return max(sorted(set(words)), key=words.count) if words else ""


def _read_matches(
    path: Path, pairs: Mapping[str, Iterable[str]], hits: Mapping[str, list[Hit] | None]
) -> dict[str, dict[str, bool]]:
    """Return whether target and condition show the same action: CondFoley's list, else the hits."""
    if path.is_file():
        value: Any = read_json(path)
        if not isinstance(value, dict) or not all(isinstance(v, dict) for v in value.values()):
            raise BenchError(
                f"{path} is no list of matches: expected {{target: {{condition: true}}}}"
            )
        return {
            _segment_name(target, path): {
                _segment_name(condition, path): bool(is_match)
                for condition, is_match in conditions.items()
            }
            for target, conditions in value.items()
        }
    actions = {
        segment: {hit.action for hit in each or () if hit.action} for segment, each in hits.items()
    }
    return {
        target: {each: bool(actions[target] & actions[each]) for each in conditions}
        for target, conditions in pairs.items()
        if actions[target]
    }


def summarize(manifest: Manifest) -> str:
    """Return one sentence on how many segments are here, and which are not."""
    missing = [row.clip for row in manifest.rows if row.problem]
    here = len(manifest.rows) - len(missing)
    rest = f"; not {format_names(missing)}" if missing else ""
    return f"{here} of {len(manifest.rows)} segments are here{rest}"
