"""``vggsound-tvc``: VGGSound clips, each under five prompts from true to unrelated.

``bench data prepare tvc --from FILE`` keeps the list of prompts, and ``bench data prepare
vggsound`` finds the clips. A clip is ``<clip>_<level>`` under the prompt of a level, and groups are
the levels, so that one run has the numbers of each. A clip of the list that is not here is refused
under each of its names.
"""

from __future__ import annotations

from bench.datasets.tvc import read_prepared
from bench.errors import MissingError
from bench.splits.split import (
    BASE_METRICS,
    NETWORK_METRICS,
    Refusal,
    Split,
    expand_prompts,
)
from bench.splits.vggsound import PREPARATION, make_clip, read_vggsound
from bench.types import Clip


def open_vggsound_tvc() -> Split:
    """Return the split of every clip of the list under each of its five prompts.

    Raises:
        MissingError: the list or VGGSound is not prepared, or no clip of the list is here.
    """
    listed = read_prepared()
    rows = {row.clip: row for row in read_vggsound().rows}
    clips: list[Clip] = []
    refused: list[Refusal] = []
    for name, prompts in listed.prompts.items():
        row = rows.get(name)
        if row is None or row.problem:
            reason = row.problem if row else "no clip of the manifest of VGGSound"
            refused += [Refusal(f"{name}_{level}", reason) for level in prompts]
        else:
            clips += expand_prompts(make_clip(row), prompts)
    if not clips:
        raise MissingError(
            f"split vggsound-tvc has {len(listed.prompts):,} clips and none is here: run "
            f"`{PREPARATION}`"
        )
    metrics = (*NETWORK_METRICS, *BASE_METRICS, "mcd_ref")
    return Split("vggsound-tvc", tuple(clips), metrics, tuple(refused), notes=listed.notes)
