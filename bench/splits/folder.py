"""``folder:PATH``: every video below a folder, under the paper's protocol.

The first 8 s are the target and the 2 s after them the reference. A clip that is too short for its
target is refused by name; one that only lacks the reference takes part without it, and systems that
need a reference fail on it. Videos that differ by nothing but their suffix cannot be told apart by
name and are refused, each of them. Prompts come from ``labels.csv`` or ``labels.tsv`` in the folder
(``bench.inputs.labels`` says in which forms), else from the file name. Files that are no videos are
counted and named in the results.
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
        BenchError: the folder is not there or holds no video, one below it cannot be read, or its
            label file is not one or names none of the videos.
    """
    folder = expand_user(path).absolute()
    listing = list_folder(folder)
    listing.require(listing.videos, "video")
    named: dict[str, list[Path]] = defaultdict(list)
    for video in listing.videos:
        named[make_clip_name(video.relative_to(folder))].append(video)
    label_file = find_labels(folder)
    single = {name: videos[0] for name, videos in named.items() if len(videos) == 1}
    labels = _labels(label_file, single, folder)
    clips, refused = [], []
    for name, videos in named.items():
        if len(videos) > 1:
            refused += _twins(name, videos, folder)
            continue
        try:
            prompt = labels.by_clip.get(name) or _words(videos[0].stem)
            clips.append(_clip(videos[0], name, prompt))
        except MediaError as error:
            refused.append(Refusal(name, str(error)))
    return Split(
        f"folder-{slugify_path(folder)}",
        tuple(clips),
        (*NETWORK_METRICS, *BASE_METRICS),
        tuple(refused),
        label_file=label_file.name if label_file else "",
        notes=(*labels.notes, *_words_note(clips, labels), *_left_out(listing)),
    )


def _labels(label_file: Path | None, videos: Mapping[str, Path], folder: Path) -> Prompts:
    """The labels of the clips; none where there is no label file."""
    if label_file is None:
        return Prompts({}, ())
    relative = {name: video.relative_to(folder) for name, video in videos.items()}
    return read_labels(label_file).assign(relative)


def _words_note(clips: Iterable[Clip], labels: Prompts) -> tuple[str, ...]:
    """How many prompts come from file names, which say more or less what is audible."""
    words = [clip.prompt for clip in clips if clip.prompt and not labels.by_clip.get(clip.name)]
    what = "prompts are the words of the file name, e.g."
    return (f"{len(words)} {what} {words[0]!r}",) if words else ()


def _left_out(listing: Listing) -> tuple[str, ...]:
    """What the folder holds besides videos."""
    audio = sorted(set(listing.audio) - set(listing.videos))
    if not audio:
        return listing.notes()
    what = f"{len(audio)} audio files are no clips of a folder of videos"
    return (f"{what}: {format_paths(audio, listing.folder)}", *listing.notes())


def _twins(name: str, videos: list[Path], folder: Path) -> list[Refusal]:
    """A refusal of each of several videos of one name, under a name that holds its suffix."""
    paths = [video.relative_to(folder) for video in videos]
    rivals = ", ".join(map(str, paths))
    reason = f"{len(videos)} videos in {folder} are called {name!r}, rename all but one: {rivals}"
    return [Refusal(make_hashed_name("=".join(path.parts)), reason) for path in paths]


def _words(stem: str) -> str:
    """A prompt from a file name: its words, unless it is an identifier and says nothing."""
    words = re.sub(r"[_\-.]+", " ", stem).strip()
    return words if re.fullmatch(r"[A-Za-z ]{3,}", words) else ""


def _clip(video: Path, name: str, prompt: str) -> Clip:
    from bench.media import probe, read_audio_seconds

    info = probe(video)
    if info.video is None:
        raise MediaError(f"{video} has no video stream")
    if info.audio is None:
        raise MediaError(f"{video} has no audio stream: there is no true audio to compare with")
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
