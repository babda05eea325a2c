"""VGGSounder: which labels of a VGGSound test clip are audible, visible, or both.

The labels come with the Python package ``vggsounder`` (Apache-2.0), whose CSV is read without
importing it, or are the user's copy ``vggsounder.csv`` beside the manifest. Versions have different
clips under the same name, so a file is known by its SHA-256, and another one is refused.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench.errors import BenchError, MissingError

FILE = "vggsounder+background-music.csv"
COPY = "vggsounder.csv"
#: The published files of all clips, by SHA-256.
VERSIONS = {
    "6279875ac93df11d90b1a9d60da7dee89073ce233b0843759856bc72e00396ba": "1.0",
    "54514b9e1118ff7395969d26daec8a59da9715181422352ab2e46fd56e231669": "0.1.6",
}
INSTALL = "pip install --no-deps vggsounder==1.0"
FLAGS = {
    "background_music": "background music",
    "static_image": "still picture",
    "voice_over": "voice-over",
}
SPEECH = frozenset(
    {
        "child speech, kid speaking",
        "female speech, woman speaking",
        "male speech, man speaking",
    }
)


@dataclass(frozen=True)
class Relabelled:
    """The labels of one clip: whether each is audible (A), visible (V) or both (AV), and flags."""

    modalities: Mapping[str, str]
    flags: tuple[str, ...]

    def is_clean(self, label: str) -> bool:
        """Whether ``label`` is audible and visible, without a flag."""
        return not self.flags and self.modalities.get(label) == "AV"

    @property
    def has_speech(self) -> bool:
        """Whether speech is audible or visible."""
        return not SPEECH.isdisjoint(self.modalities)

    @property
    def is_onscreen(self) -> bool:
        """Whether every label is both audible and visible, without a flag."""
        return not self.flags and set(self.modalities.values()) == {"AV"}

    def modality(self, label: str) -> str:
        """Return the group of the clip by what its own label is."""
        words = {"AV": "heard and seen", "A": "heard only", "V": "seen only"}
        return words.get(self.modalities.get(label, ""), "label not confirmed")


@dataclass(frozen=True)
class Relabels:
    """The relabelled clips by name, and the version of the labels."""

    clips: Mapping[str, Relabelled]
    version: str

    @property
    def note(self) -> str:
        """A sentence for results."""
        return f"labels of VGGSounder {self.version}, {len(self.clips):,} clips"


def find_relabels(directory: Path) -> Path | None:
    """Return the file of labels: the user's in ``directory``, else the installed package's."""
    if (copy := directory / COPY).is_file():
        return copy
    package = find_spec("vggsounder")  # finds it without running it: it imports `datasets`
    folders = package.submodule_search_locations if package else None
    found = [Path(folder) / "data" / FILE for folder in folders or ()]
    return next((path for path in found if path.is_file()), None)


def read_relabels(directory: Path) -> Relabels:
    """Return the labels of ``find_relabels``.

    Raises:
        MissingError: there are none; the message has the command that installs them.
        BenchError: the file is none of the published ones.
    """
    path = find_relabels(directory)
    if path is None:
        raise MissingError(
            f"the labels of VGGSounder are not here: run `{INSTALL}`, or copy {FILE} of that "
            f"package to {directory / COPY}"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest not in VERSIONS:
        raise BenchError(
            f"{path} is no published file of all clips of VGGSounder (SHA-256 {digest[:12]}): "
            f"expected {FILE} of version {' or '.join(VERSIONS.values())}"
        )
    labels: dict[str, dict[str, str]] = defaultdict(dict)
    flags: dict[str, tuple[str, ...]] = {}
    # A known file needs no guess of its delimiter, which would take most of the time of opening a
    # split.
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            clip = row["video_id"]
            labels[clip][row["label"]] = row["modality"]
            flags[clip] = tuple(words for flag, words in FLAGS.items() if row[flag] == "True")
    clips = {clip: Relabelled(each, flags[clip]) for clip, each in labels.items()}
    return Relabels(clips, VERSIONS[digest])
