"""Mini clips on disk: one MP4 per scene, a manifest of rows, and the version of the world.

<directory>/world.json              the version that the clips were rendered by
<directory>/mini_000000.mp4         H.264 and AAC, as a data set from the web would be
<directory>/references/ref_a.mp4    2 s that serve as reference for every clip
<directory>/manifest.jsonl          one row per file, sorted by name: hash, prompt, truth
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, MissingError
from bench.io import atomic_path, read_json, write_json
from bench.synthetic.protocols import REFERENCE_NAMES, REFERENCES_SPLIT, reference_scenes
from bench.synthetic.scene import WORLD_VERSION, Scene, label, make_scene, scene_to_truth

if TYPE_CHECKING:
    from bench.engine import Engine

WORLD = "world.json"
MANIFEST = "manifest.jsonl"
CLIP_FILE = re.compile(r".+_\d{6}\.mp4")
REFERENCES = "references"
REFERENCE_FILE = re.compile(r"ref_[a-z]\.mp4")
FIX = "run `bench data prepare mini`"

Row = dict[str, Any]


def start_directory(directory: Path) -> list[Path]:
    """Prepare ``directory`` for clips of this world version, and return the others it removed.

    Call it once, before clips are rendered: an existing clip is assumed to be of the version in
    ``world.json``.
    """
    # Clips of another version would be kept as existing files and mixed with those of this one.
    # Only files with names that this module gives: the folder may hold a user's other files.
    if _read_version(directory) == WORLD_VERSION:
        return []
    removed = [
        path
        for folder, pattern in ((directory, CLIP_FILE), (directory / REFERENCES, REFERENCE_FILE))
        for path in sorted(folder.glob("*.mp4"))
        if pattern.fullmatch(path.name)
    ]
    for path in [*removed, directory / MANIFEST]:
        path.unlink(missing_ok=True)
    write_json(directory / WORLD, {"world_version": WORLD_VERSION})
    return removed


def render_clip(directory: Path, split: str, index: int) -> Row:
    """Render one clip into ``directory`` unless it exists, and return its row.

    A row has name, split, index, file, sha256, seconds, prompt and truth. Files are written
    atomically, so an existing file is complete; the same scene gives the same bytes.
    """
    scene = make_scene(split, index)
    return _render(directory, scene, _make_row(scene))


def render_split(directory: Path, split: str, n_clips: int, engine: Engine) -> Iterator[Row]:
    """Render the first ``n_clips`` clips of a split, and yield their rows as they are finished.

    Call ``start_directory`` before and ``write_manifest`` after it. Existing clips with the right
    hash are kept.

    Raises:
        BenchError: a clip could not be rendered.
    """
    for row in read_manifest(directory) if (directory / MANIFEST).exists() else []:
        path = directory / str(row["file"])
        # Only a file that is missing is rendered, so a damaged one is removed first.
        if path.exists() and _hash(path) != row["sha256"]:
            path.unlink()
    for outcome in engine.map(partial(_open_renderer, directory, split), range(n_clips)):
        if outcome.value is None:
            reason = outcome.failure.message if outcome.failure else "no clip came back"
            raise BenchError(f"clip {outcome.item} of {split} could not be rendered: {reason}")
        yield outcome.value


def render_reference(directory: Path, name: str) -> Row:
    """Render one of ``REFERENCE_NAMES`` unless it exists, and return its row."""
    scene = reference_scenes()[name]
    return _render(directory, scene, _make_row(scene, name))


def reference_path(directory: Path, name: str) -> Path:
    """Path of the reference ``name`` in ``directory``."""
    return directory / REFERENCES / f"{name}.mp4"


def _open_renderer(directory: Path, split: str) -> partial[Row]:
    return partial(render_clip, directory, split)


def _render(directory: Path, scene: Scene, row: Row) -> Row:
    # Listing a split reads scenes and the manifest of this file, and starts without SciPy, which
    # the renderer imports.
    from bench.media.write import write_video
    from bench.synthetic.audio import SAMPLE_RATE_HZ, render_audio
    from bench.synthetic.video import render_frames
    from bench.types import Audio

    path = directory / row["file"]
    if not path.exists():
        audio = Audio(render_audio(scene)[None], SAMPLE_RATE_HZ)
        write_video(path, render_frames(scene), scene.fps, audio)
    return {**row, "sha256": _hash(path)}


def write_manifest(directory: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows of a directory, sorted by name.

    Raises:
        BenchError: a name occurs twice.
    """
    # Sorted: rows arrive in the order in which workers finish.
    ordered = sorted(rows, key=lambda row: str(row["name"]))
    names = [row["name"] for row in ordered]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BenchError(f"the clip {twice} comes twice in the rows for {directory / MANIFEST}")
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in ordered]
    with atomic_path(directory / MANIFEST) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")


def read_manifest(directory: Path) -> list[Row]:
    """Read the rows of a directory, sorted by name.

    Raises:
        MissingError: the directory has no manifest.
        BenchError: the clips are of another world version, or the manifest is not JSON.
    """
    path = directory / MANIFEST
    if not path.exists():
        raise MissingError(f"no mini clips in {directory}: {FIX}")
    if (version := _read_version(directory)) != WORLD_VERSION:
        raise BenchError(
            f"the clips in {directory} are of world version {version}, this is version "
            f"{WORLD_VERSION}: {FIX}"
        )
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise BenchError(f"{path} is damaged ({error}): {FIX}") from error


def verify(directory: Path) -> list[str]:
    """List the problems of the clips of a directory, one sentence each; empty if none.

    Hashes every file, compares every row with the scene of its name, and requires a row for every
    reference.
    """
    rows = read_manifest(directory)
    listed = {row["name"] for row in rows}
    # Clips may be fewer than the split has; of the references mini-references needs all.
    problems = [
        f"{name}: {MANIFEST} has no row for this reference: {FIX}"
        for name in REFERENCE_NAMES
        if name not in listed
    ]
    for row in rows:
        path = directory / str(row["file"])
        if row["split"] == REFERENCES_SPLIT and row["name"] in REFERENCE_NAMES:
            expected = _make_row(reference_scenes()[row["name"]], row["name"])
        else:
            expected = _make_row(make_scene(str(row["split"]), int(row["index"])))
        # Without the hash, which a scene does not have before it is rendered.
        if {**row, "sha256": None} != {**expected, "sha256": None}:
            problems.append(f"{row['name']}: the row in {MANIFEST} is not that of its scene")
        if not path.exists():
            problems.append(f"{row['name']}: {path.name} is missing")
        elif _hash(path) != row["sha256"]:
            problems.append(f"{row['name']}: {path.name} is not the file that was written")
    return problems


def _make_row(scene: Scene, reference: str = "") -> Row:
    """The row of a scene without its hash; ``reference`` is its name as one of the references."""
    name = reference or scene.name
    return {
        "name": name,
        "split": scene.split,
        "index": scene.index,
        "file": f"{REFERENCES}/{name}.mp4" if reference else f"{name}.mp4",
        "seconds": scene.seconds,
        "prompt": label(scene),
        "truth": scene_to_truth(scene),
    }


def _read_version(directory: Path) -> object:
    """The version in ``world.json``, None if the file or the field is missing."""
    if not (directory / WORLD).exists():
        return None
    world = read_json(directory / WORLD)
    return world.get("world_version") if isinstance(world, dict) else None


def _hash(path: Path) -> str:
    # Not the remembered sum of ``bench.digests``: this one is there to find bytes that changed.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
