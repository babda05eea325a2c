"""``wavcaps-references``: every VGGSound test clip under the same five references (Table 7).

``bench data prepare wavcaps --from PATH`` draws the references. The clips are those of
``vggsound-ib0.3`` where its list is here, else all test clips. Groups are the references, and
``mcd_ref`` is the distance of a sample from its own reference; with ``--mask audio`` it is the
paper's baseline, which gets none of them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.datasets.vggsound import vggsound_directory
from bench.datasets.wavcaps import SECONDS, wavcaps_directory
from bench.errors import MissingError
from bench.inputs.manifest import MANIFEST, read_manifest
from bench.splits.split import Refusal, Split
from bench.splits.vggsound import FILTERED, open_vggsound_filtered, open_vggsound_test
from bench.types import Excerpt

PREPARATION = "bench data prepare wavcaps --from PATH"


def open_wavcaps_references() -> Split:
    """Return the split of every test clip under each of the five references.

    Raises:
        MissingError: the references or the clips are not prepared; the message has the command.
    """
    path = wavcaps_directory() / MANIFEST
    if not path.is_file():
        raise MissingError(f"the references of Table 7 are not drawn: run `{PREPARATION}`")
    is_filtered = (vggsound_directory() / FILTERED).is_file()
    targets = open_vggsound_filtered() if is_filtered else open_vggsound_test()
    manifest = read_manifest(path)
    clips = tuple(
        replace(
            target,
            name=f"{target.name}_to_{row.clip}",
            reference=Excerpt(Path(row.path), 0.0, SECONDS),
            group=row.clip,
            cluster=target.cluster or target.name,
        )
        for target in targets.clips
        for row in manifest.rows
    )
    refused = tuple(
        Refusal(f"{each.clip}_to_{row.clip}", each.reason)
        for each in targets.refused
        for row in manifest.rows
    )
    drawn = ", ".join(f"{row.clip} {manifest.lists[row.clip][:12]}" for row in manifest.rows)
    note = f"references {manifest.notes[0]} (SHA-256: {drawn}), clips of {targets.name}"
    metrics = (*targets.metrics, "mcd_ref")
    return Split("wavcaps-references", clips, metrics, refused, notes=(*targets.notes, note))
