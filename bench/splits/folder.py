"""``folder:PATH``: every video below a folder, under the paper's protocol.

The first 8 s are the target and the 2 s after them the reference. A clip that is too short for its
target is refused by name; one that is too short for the reference is scored without it, and systems
that need a reference fail on it. Videos that differ only in their suffix have the same name and are
all refused. Prompts come from ``labels.csv`` or ``labels.tsv`` in the folder (forms in
``bench.inputs.labels``), else from the file name. Other files are counted and named in the results.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.errors import MediaError
from bench.inputs import Listing, Prompts, find_labels, format_paths, list_folder, read_labels
from bench.io import expand_user
from bench.matching import make_clip_name, make_cluster_name, make_hashed_name
from bench.splits.split import (
    BASE_METRICS,
    NETWORK_METRICS,
    REFERENCE_SECONDS,
    TARGET_SECONDS,
    Refusal,
    Split,
    slugify_path,
)
from bench.types import MAX_SHORTFALL_S, Clip, Excerpt


def open_folder(path: Path) -> Split:
    """Return the split of all videos below ``path``.

    Raises:
        BenchError: the folder is missing or has no video, one below it cannot be read, or its
            label file cannot be read or names none of the videos.
    """
    folder = expand_user(path).absolute()
    listing = list_folder(folder)
    listing.require(listing.videos, "video")
    # ``a.mp4`` and ``a.webm`` have one name, and a run stores one sample per name: neither is
    # silently preferred.
    named: dict[str, list[Path]] = defaultdict(list)
    for video in listing.videos:
        named[make_clip_name(video.relative_to(folder))].append(video)
    label_file = find_labels(folder)
    single = {name: videos[0] for name, videos in named.items() if len(videos) == 1}
    labels = _read_prompts(label_file, single, folder)
    clips, refused = [], []
    for name, videos in named.items():
        if len(videos) > 1:
            refused += _refuse_all(name, videos, folder)
            continue
        try:
            prompt = labels.by_clip.get(name) or _make_prompt(videos[0].stem)
            clips.append(_make_clip(videos[0], name, prompt))
        except MediaError as error:
            refused.append(Refusal(name, str(error)))
    return Split(
        f"folder-{slugify_path(folder)}",
        tuple(clips),
        (*NETWORK_METRICS, *BASE_METRICS),
        tuple(refused),
        label_file=label_file.name if label_file else "",
        notes=(*labels.notes, *_note_file_names(clips, labels), *_note_other_files(listing)),
    )


def _read_prompts(label_file: Path | None, videos: Mapping[str, Path], folder: Path) -> Prompts:
    """Return the prompts of the clips in the label file, if any."""
    if label_file is None:
        return Prompts({}, ())
    relative = {name: video.relative_to(folder) for name, video in videos.items()}
    return read_labels(label_file).assign(relative)


def _note_file_names(clips: Iterable[Clip], labels: Prompts) -> tuple[str, ...]:
    """Return a note on prompts that come from file names, which may not describe the audio."""
    words = [clip.prompt for clip in clips if clip.prompt and not labels.by_clip.get(clip.name)]
    what = "prompts are the words of the file name, e.g."
    return (f"{len(words)} {what} {words[0]!r}",) if words else ()


def _note_other_files(listing: Listing) -> tuple[str, ...]:
    """Return notes on the files besides videos."""
    # A broken link of unknown kind is in both groups, and is refused among the videos already.
    audio = sorted(set(listing.audio) - set(listing.videos))
    if not audio:
        return listing.notes()
    what = f"{len(audio)} audio files are no clips of a folder of videos"
    return (f"{what}: {format_paths(audio, listing.folder)}", *listing.notes())


def _refuse_all(name: str, videos: list[Path], folder: Path) -> list[Refusal]:
    """Return a refusal for each of several videos of one name, under a name with its suffix."""
    paths = [video.relative_to(folder) for video in videos]
    rivals = ", ".join(map(str, paths))
    reason = f"{len(videos)} videos in {folder} are called {name!r}, rename all but one: {rivals}"
    return [Refusal(make_hashed_name("=".join(path.parts)), reason) for path in paths]


def _make_prompt(stem: str) -> str:
    """Return the words of a file name as a prompt, "" for an identifier."""
    # Digits mark an identifier, such as a YouTube id: as a prompt it would mislead a text encoder
    # more than no prompt does.
    words = re.sub(r"[_\-.]+", " ", stem).strip()
    return words if re.fullmatch(r"[A-Za-z ]{3,}", words) else ""


def _make_clip(video: Path, name: str, prompt: str) -> Clip:
    from bench.media import probe, read_audio_seconds

    info = probe(video)
    if info.video is None:
        raise MediaError(f"{video} has no video stream")
    if info.audio is None:
        raise MediaError(f"{video} has no audio stream: there is no true audio to compare with")
    # The length of the audio decides, not that of the file: a video may go on in silence.
    seconds = read_audio_seconds(video) if info.audio.seconds is None else info.audio.seconds
    if seconds < TARGET_SECONDS - MAX_SHORTFALL_S:
        raise MediaError(
            f"the audio of {video} lasts {seconds:.2f} s, the protocol needs {TARGET_SECONDS:g} s"
        )
    target = Excerpt(video, 0.0, TARGET_SECONDS)
    has_reference = seconds >= TARGET_SECONDS + REFERENCE_SECONDS - MAX_SHORTFALL_S
    reference = Excerpt(video, TARGET_SECONDS, REFERENCE_SECONDS) if has_reference else None
    cluster = make_cluster_name(video.stem) or name
    return Clip(name, target, TARGET_SECONDS, target, reference, prompt, cluster=cluster)
