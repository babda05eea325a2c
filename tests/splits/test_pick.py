"""The choice of clips by name, number or file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.splits import Refusal, Split
from bench.splits.split import pick_clips
from bench.types import Clip, Excerpt

CLIPS = tuple(Clip(name, Excerpt(Path(f"{name}.mp4"), 0.0, 8.0), 8.0) for name in "abcd")
SPLIT = Split("s", CLIPS, refused=(Refusal("short", "its audio lasts 3 s"),))


def names(**wanted) -> list[str]:
    return [clip.name for clip in pick_clips(SPLIT, **wanted)]


def test_all_the_first_and_the_named_clips_come_in_the_order_of_the_split(tmp_path):
    assert names() == ["a", "b", "c", "d"]
    assert names(limit=2) == ["a", "b"]
    assert names(names=["d", "b", "d"]) == ["b", "d"]
    (tmp_path / "only.txt").write_bytes("\ufeffc\r\n\r\n a\r\n".encode())
    assert names(only=tmp_path / "only.txt") == ["a", "c"]
    assert names(only=tmp_path / "only.txt", names=["d"], limit=2) == ["a", "c"]


def test_a_name_that_starts_with_a_dash_is_a_name():
    split = Split("s", (Clip("-1pRmoJIGQc_000010", CLIPS[0].audio, 8.0),))
    assert len(pick_clips(split, names=["-1pRmoJIGQc_000010"])) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nnope\n", "s has no clip 'nope'; its 4 clips are named like a"),
        ("short\n", "'short' of s cannot take part: its audio lasts 3 s"),
        ("\n\n", "names no clip"),
        (b"caf\xe9\n", "cannot read the names of clips in .*line 1: it is not UTF-8"),
    ],
)
def test_names_that_cannot_be_picked_are_refused(content, message, tmp_path):
    file = tmp_path / "only.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BenchError, match=message):
        names(only=file)


def test_a_file_that_is_missing_is_refused(tmp_path):
    with pytest.raises(BenchError, match="cannot read the names"):
        names(only=tmp_path / "none.txt")
