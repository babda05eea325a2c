"""``foleybench``: the clips of FoleyBench, under the paper's protocol: 8 s and the 2 s after them.

``bench data prepare foleybench --from PATH`` unpacks them. A clip that is too short for its target
is refused by name; one that is too short for the reference is scored without it, and systems that
need a reference fail on it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.datasets.foleybench import LABELS, foleybench_directory
from bench.errors import MissingError
from bench.inputs.manifest import MANIFEST, read_manifest
from bench.io import read_json
from bench.splits.split import BASE_METRICS, NETWORK_METRICS, Refusal, Split
from bench.splits.vggsound import make_clip

PREPARATION = "bench data prepare foleybench --from PATH"


def open_foleybench() -> Split:
    """Return the split of all clips.

    Raises:
        MissingError: there is no manifest, or no clip of it can be used; the message has the
            command that writes it.
    """
    folder = foleybench_directory()
    if not (folder / MANIFEST).is_file() or not (folder / LABELS).is_file():
        raise MissingError(f"FoleyBench is not prepared: run `{PREPARATION}`")
    manifest = read_manifest(folder / MANIFEST)
    labels: Any = read_json(folder / LABELS)
    clips = tuple(
        replace(make_clip(row), group=labels["clips"][row.clip].get(labels["group"], ""))
        for row in manifest.rows
        if not row.problem
    )
    if not clips:
        raise MissingError(
            f"FoleyBench has {len(manifest.rows)} clips and none can be used: run `{PREPARATION}`"
        )
    refused = tuple(Refusal(row.clip, row.problem) for row in manifest.rows if row.problem)
    notes = tuple(note for note in manifest.notes if note.startswith("groups are"))
    return Split("foleybench", clips, (*NETWORK_METRICS, *BASE_METRICS), refused, notes=notes)
