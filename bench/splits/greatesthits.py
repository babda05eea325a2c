"""``greatesthits-pairs``: CondFoley's 194 targets under three conditions each, two seconds long.

``bench data prepare greatesthits --from PATH`` finds the segments. Groups are CondFoley's: whether
target and condition show the same action (197 of 582 pairs) or not. Where hits are annotated, they
are a second truth for onsets, beside those that are found in the true audio.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.datasets.greatesthits import PAIRS, SECONDS, greatesthits_directory
from bench.errors import MissingError
from bench.inputs.manifest import MANIFEST, MediaRow, read_manifest
from bench.io import read_json
from bench.splits.pairs import HITS_METRICS
from bench.splits.split import BASE_METRICS, Refusal, Split
from bench.types import Clip, Excerpt

PREPARATION = "bench data prepare greatesthits --from PATH"
SAME, OTHER = "same action", "other action"


def open_greatesthits_pairs() -> Split:
    """Return the split of all pairs; a pair without one of its segments is refused.

    Raises:
        MissingError: there is no manifest; the message has the command that writes it.
    """
    folder = greatesthits_directory()
    if not (folder / MANIFEST).is_file() or not (folder / PAIRS).is_file():
        raise MissingError(f"Greatest Hits is not prepared: run `{PREPARATION}`")
    rows = {row.clip: row for row in read_manifest(folder / MANIFEST).rows}
    kept: Any = read_json(folder / PAIRS)
    clips, refused = [], []
    for target, conditions in kept["pairs"].items():
        for condition in conditions:
            name = f"{target}_to_{condition}"
            lacking = next((rows[each] for each in (target, condition) if rows[each].problem), None)
            if lacking is not None:
                refused.append(Refusal(name, f"{lacking.clip}: {lacking.problem}"))
                continue
            is_match = kept["matches"].get(target, {}).get(condition)
            group = "" if is_match is None else SAME if is_match else OTHER
            hits = kept["hits"].get(target)
            clips.append(_make_clip(name, rows[target], rows[condition], group, hits))
    if not clips:
        raise MissingError(f"no pair of Greatest Hits has both segments: run `{PREPARATION}`")
    metrics = (*BASE_METRICS, "mcd_ref", *(HITS_METRICS if any(c.truth for c in clips) else ()))
    return Split("greatesthits-pairs", tuple(clips), metrics, tuple(refused))


def _make_clip(
    name: str, target: MediaRow, condition: MediaRow, group: str, hits: list[float] | None
) -> Clip:
    return Clip(
        name,
        Excerpt(_audio_of(target), target.start_s, SECONDS),
        SECONDS,
        Excerpt(Path(target.path), target.start_s, SECONDS),
        Excerpt(_audio_of(condition), condition.start_s, SECONDS),
        target.label,
        group=group,
        # The three conditions of a target share its truth: one observation for intervals.
        cluster=target.clip,
        truth={} if hits is None else {"hits": hits},
    )


def _audio_of(row: MediaRow) -> Path:
    return Path(row.audio_path or row.path)
