"""Files for an isolated system, and its samples back: nothing keeps a name that data decide.

Clips get names of our own, so that an id that begins with ``-`` is no option of a script, and two
references for one target do not overwrite each other's sample. What comes back is compared with
what was asked for, clip by clip: scripts skip clips, write another one's sample, or stop half-way.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import BenchError, MediaError
from bench.media import iterate_frames, read_audio, write_audio, write_video
from bench.types import AUDIO_SUFFIXES, Audio, Excerpt, Pixels, Request

if TYPE_CHECKING:
    from bench.isolation.adapter import Adapter, VideoInput

#: Quality of staged video: what V-AURA's authors encode with, not told from the source by eye.
CRF = 10
SILENCE_RATE_HZ = 44_100


def stage_request(adapter: Adapter, request: Request, row: int, inputs: Path) -> dict[str, Any]:
    """Write the files of one request below ``inputs``; return its row for the worker.

    Raises:
        BenchError: it lacks something that the system needs.
        MediaError: a file cannot be read.
    """
    if request.video is None:
        raise BenchError(f"clip {request.name!r} has no video, which {adapter.name} needs")
    if adapter.needs_prompt and not request.prompt.strip():
        raise BenchError(f"clip {request.name!r} has no prompt, which {adapter.name} needs")
    identity = f"clip{row:07d}"
    name = adapter.staged_name.format(id=identity)
    video = inputs / "video" / f"{name}.mp4"
    seconds = request.seconds if adapter.video.seconds is None else adapter.video.seconds
    stage_video(adapter.video, request.video, seconds + adapter.video.margin_s, video)
    reference = None
    if adapter.reference is not None and request.reference is not None:
        reference = inputs / "reference" / f"{name}.{adapter.reference}"
        _stage_reference(adapter, request, reference)
    return {
        "id": identity,
        "row": row,
        "name": name,
        "video": str(video),
        "reference": None if reference is None else str(reference),
        "prompt": request.prompt if "prompt" in adapter.uses else "",
        "seconds": request.seconds,
        # As many bits as every generator of random numbers takes.
        "seed": request.seed % 2**31,
    }


def stage_video(form: VideoInput, video: Excerpt, seconds: float, destination: Path) -> None:
    """Write ``seconds`` from the start of ``video`` in the form that a system wants.

    It is encoded anew: copied packets start before the window, and some readers show those.
    """
    n_frames = round(seconds * form.fps)
    silence = None
    if form.audio == "silent":
        n_samples = round(seconds * SILENCE_RATE_HZ)
        silence = Audio(np.zeros((1, n_samples), np.float32), SILENCE_RATE_HZ)
    frames = _frames_to_length(video, form.fps, form.short_side, n_frames)
    write_video(destination, frames, form.fps, silence, crf=CRF)


def _frames_to_length(
    video: Excerpt, fps: int, short_side: int | None, n_frames: int
) -> Iterator[Pixels]:
    """Yield ``n_frames`` frames of even size from the start of ``video``, the last one repeated."""
    # Beyond the window, for systems that need more than they generate: without an end.
    source = Excerpt(video.path, video.start_s)
    n_done, pixels = 0, None
    for frame in iterate_frames(source, fps, short_side=short_side):
        if n_done == n_frames:
            return
        height, width = frame.pixels.shape[:2]
        pixels = frame.pixels[: height - height % 2, : width - width % 2]
        yield pixels
        n_done += 1
    if pixels is not None:
        yield from repeat(pixels, n_frames - n_done)


def _stage_reference(adapter: Adapter, request: Request, destination: Path) -> None:
    reference = request.reference
    assert reference is not None  # noqa: S101 - the caller has asked
    # The mean of its channels is what scripts divide by the peak of.
    if adapter.refuses_silent_reference and not reference.samples.mean(axis=0).any():
        raise BenchError(
            f"the reference of clip {request.name!r} is silent, which {adapter.name} cannot use: "
            "choose another reference"
        )
    if adapter.reference == "wav":
        peak = float(np.abs(reference.samples).max(initial=0.0))
        if peak > 1:  # 32-bit float files keep it; what reads integers would clip it
            reference = Audio(reference.samples / np.float32(peak), reference.sample_rate_hz)
        write_audio(destination, reference)
        return
    source = request.reference_video
    if source is None:
        raise BenchError(
            f"the reference of clip {request.name!r} has no video, which {adapter.name} needs"
        )
    n_frames = round(reference.seconds * adapter.video.fps)
    frames = _frames_to_length(source, adapter.video.fps, adapter.video.short_side, n_frames)
    limited = Audio(reference.samples.clip(-1, 1)[:2], reference.sample_rate_hz)
    write_video(destination, frames, adapter.video.fps, limited, crf=CRF)


def collect_samples(
    adapter: Adapter, staged: Sequence[dict[str, Any]], outputs: Path
) -> list[Audio | Exception]:
    """Return the sample of each request, or why it has none.

    A request fails if the system wrote no file for it, or several; if the file is also that of
    another request, or has the same bytes as the file of one with other inputs; or if it cannot be
    read, or holds values that are not finite.
    """
    found = {each["id"]: _find_files(adapter, each, outputs) for each in staged}
    owners = Counter(path for paths in found.values() for path in paths)
    strangers = sorted(
        str(path.relative_to(outputs))
        for path in outputs.rglob("*")
        if path.suffix.lower() in AUDIO_SUFFIXES and path not in owners
    )
    others = f"; it wrote files that nobody asked for: {strangers[:3]}" if strangers else ""
    results: list[Audio | Exception] = []
    for each in staged:
        paths = found[each["id"]]
        if not paths:
            results.append(BenchError(f"{adapter.name} wrote no audio for this clip{others}"))
        elif len(paths) > 1:
            names = ", ".join(path.name for path in paths[:3])
            results.append(BenchError(f"{adapter.name} wrote {len(paths)} files for it: {names}"))
        elif owners[paths[0]] > 1:
            results.append(BenchError(f"{adapter.name} wrote one file for several clips"))
        else:
            results.append(_read_sample(adapter, paths[0]))
    for index in _find_copies(staged, results):
        results[index] = BenchError(
            f"{adapter.name} wrote the same audio for this clip and for another one, whose inputs "
            "differ: one of them is a substitute"
        )
    return results


def _find_files(adapter: Adapter, request: dict[str, Any], outputs: Path) -> list[Path]:
    """Return the files of one request by the first pattern that has any."""
    for pattern in adapter.outputs:
        # Staged names are ours, and hold nothing that a pattern could mistake.
        relative = pattern.format(name=request["name"], row=request["row"], id=request["id"])
        paths = sorted(outputs.glob(relative))
        if files := [path for path in paths if path.is_file() and not path.is_symlink()]:
            return files
    return []


def _find_copies(
    staged: Sequence[dict[str, Any]], results: Sequence[Audio | Exception]
) -> list[int]:
    """Return the positions of samples that equal that of a request with other inputs."""
    by_sample: dict[bytes, dict[bytes, list[int]]] = {}
    for index, (each, result) in enumerate(zip(staged, results, strict=True)):
        # Silence is the same for all, and a fault that the scores show.
        if isinstance(result, Audio) and result.samples.any():
            sample = hashlib.sha256(result.samples.tobytes()).digest()
            inputs = hashlib.sha256(each["prompt"].encode())
            for path in (each["video"], each["reference"]):
                if path is not None:
                    inputs.update(hashlib.sha256(Path(path).read_bytes()).digest())
            by_sample.setdefault(sample, {}).setdefault(inputs.digest(), []).append(index)
    return [
        index
        for by_inputs in by_sample.values()
        if len(by_inputs) > 1
        for indices in by_inputs.values()
        for index in indices
    ]


def _read_sample(adapter: Adapter, path: Path) -> Audio | Exception:
    try:
        sample = read_audio(Excerpt(path))
    except MediaError as error:
        return MediaError(f"the file that {adapter.name} wrote cannot be read: {error}")
    if not np.isfinite(sample.samples).all():
        return BenchError(f"{adapter.name} made values that are not finite numbers")
    return sample
