"""Groups of the clips of VGGSound: what ``bench table --by`` splits results by.

``class`` is the clip's label, ``taxonomy`` a coarse group of it (``lists/vggsound_taxonomy.csv``,
which is our own). ``modality``, ``speech`` and ``flags`` are those of
VGGSounder (``bench.datasets.vggsounder``), where its labels are installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from bench.datasets.vggsounder import Relabels, find_relabels, read_relabels
from bench.inputs import read_records

#: The groups of a clip that nobody labelled: 377 of the official test list in version 1.0.
UNLABELLED = "unlabelled"
#: The taxonomy of a class that the official list does not have, such as one of the user's table.
OTHER_CLASS = "other class"


@dataclass(frozen=True)
class ClipGroups:
    """The groups of clips by name and label; ``relabels`` is None where none are installed."""

    relabels: Relabels | None

    def of(self, clip: str, label: str) -> dict[str, str]:
        """Return the groups of a clip of this label, axis by axis."""
        by_class = {"class": label, "taxonomy": read_taxonomy().get(label, OTHER_CLASS)}
        if self.relabels is None:
            return by_class
        labelled = self.relabels.clips.get(clip)
        if labelled is None:
            return dict.fromkeys(("modality", "speech", "flags"), UNLABELLED) | by_class
        return {
            "modality": labelled.modality(label),
            "speech": "speech" if labelled.has_speech else "no speech",
            "flags": " + ".join(labelled.flags) or "none",
            **by_class,
        }


def read_groups(directory: Path) -> ClipGroups:
    """Return the groups of clips, with people's labels where ``find_relabels`` finds them.

    Raises:
        BenchError: the file of labels is none of the published ones.
    """
    return ClipGroups(read_relabels(directory) if find_relabels(directory) else None)


@cache
def read_taxonomy() -> dict[str, str]:
    """Return the coarse group of each of the 309 classes."""
    path = Path(str(files("bench.datasets") / "lists" / "vggsound_taxonomy.csv"))
    return {row["class"]: row["group"] for _, row in read_records(path)[1]}
