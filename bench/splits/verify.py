"""Check the clips of a split: every file that a run reads can be decoded and is long enough."""

from __future__ import annotations

from collections.abc import Callable

from bench.engine import Engine
from bench.errors import BenchError
from bench.splits.split import Split
from bench.types import MAX_SHORTFALL_S, Clip

#: Called with the number of clips checked, and that of all.
Progress = Callable[[int, int], None]


def verify_split(split: Split, engine: Engine, progress: Progress) -> list[str]:
    """Decode all audio and video of a split; return the problems, one sentence each."""
    problems = [f"{refusal.clip}: {refusal.reason}" for refusal in split.refused]
    if split.is_mini:
        # Only of the mini world is it known which bytes its files should have.
        from bench.splits.mini import mini_directory
        from bench.synthetic.dataset import verify

        problems += verify(mini_directory())
    for done, outcome in enumerate(engine.map(_open_check, split.clips), 1):
        if outcome.failure is not None:
            problems.append(f"{outcome.item.name}: {outcome.failure.message}")
        progress(done, len(split.clips))
    return sorted(problems)


def _open_check() -> Callable[[Clip], bool]:
    return check_clip


def check_clip(clip: Clip) -> bool:
    """Decode the audio, reference and video of a clip.

    Raises:
        BenchError: a file is missing, damaged or too short; the message names it.
    """
    from bench.media import read_audio, read_frames

    for excerpt in (clip.audio, clip.reference):
        if excerpt is not None:
            if not excerpt.path.is_file():
                raise BenchError(f"{excerpt.path.name} is missing")
            read_audio(excerpt, shortfall_s=MAX_SHORTFALL_S)
    if clip.video is not None:
        # One frame a second is kept, but all are decoded: a frame may depend on any before it.
        read_frames(clip.video, 1.0, shortfall_s=MAX_SHORTFALL_S)
    return True
