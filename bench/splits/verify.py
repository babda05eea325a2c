"""Check the clips of a split: every file that a run reads decodes and is long enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from bench.datasets.index import describe_content, media_key, open_index
from bench.io import bench_home
from bench.splits.split import Split

if TYPE_CHECKING:
    from bench.engine import Engine

#: Called with the number of clips checked, and that of all.
Progress = Callable[[int, int], None]

#: The loudest sample of a silent clip, -80 dB of full scale: codecs turn zeros into such noise.
SILENT_PEAK = 1e-4
#: The largest change of a still video within a second, in grey levels of 255: a codec sharpens and
#: blurs frames that do not change.
STILL_CHANGE = 0.5


class Findings(NamedTuple):
    """Sentences on clips that cannot be used, and on those that are usable and odd."""

    problems: list[str]
    remarks: list[str]


def verify_split(split: Split, engine: Engine, progress: Progress) -> Findings:
    """Decode all audio and video of a split; clips that were checked before are remembered."""
    problems = [f"{refusal.clip}: {refusal.reason}" for refusal in split.refused]
    remarks = []
    if split.is_mini:
        # Only of the mini world is it known which bytes its files should have.
        from bench.splits.mini import mini_directory
        from bench.synthetic.dataset import verify

        problems += verify(mini_directory())
    clips = ((media_key(c.audio, c.reference, c.video), c) for c in split.clips)
    with open_index(bench_home() / "data" / "index.sqlite") as index:
        for clip, facts in index.describe_all(describe_content, clips, engine, progress):
            if "problem" in facts:
                problems.append(f"{clip.name}: {facts['problem']}")
            elif facts.get("peak", 1.0) <= SILENT_PEAK:
                remarks.append(f"{clip.name}: its audio is silent")
            elif facts.get("motion", 255.0) <= STILL_CHANGE:
                remarks.append(f"{clip.name}: its video is a still picture")
    return Findings(sorted(problems), sorted(remarks))
