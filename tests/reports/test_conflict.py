"""The levels of a conflict as rows of a table, with intervals, and as a figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.errors import BenchError
from bench.results import Column, Failure, Results, Score
from reports.conflict import build_conflict_table, plot_conflict, split_levels

MCD = Column("mcd", "MCD", "lower", 2, "dB")
ONSETS = Column("onset_acc", "Onset Acc.", "higher", 2, has_chance=True)
FD = Column("fd_vgg", "FD VGG", "lower", 2)
LEVELS = ("L0", "L2", "L3")
CLIPS = {level: [f"clip_{number}_{level}" for number in range(3)] for level in LEVELS}
FAILURES = (
    Failure("clip_1_L2", "generate", "out of memory"),
    Failure("gone_L2", "split", "no video"),
    Failure("gone_L0", "split", "no video"),
)


def make_scores(mcd: float, n: int, fd: float | None) -> dict[str, Score]:
    return {
        "mcd": Score(mcd, mcd - 0.5, mcd + 0.5, n),
        "onset_acc": Score(0.5, 0.4, 0.6, n, chance=0.2),
        "fd_vgg": Score(fd, None, None, n),
    }


@pytest.fixture
def run() -> Results:
    """A run without a scored clip of L3."""
    groups = {"L0": make_scores(3.0, 3, 1.0), "L2": make_scores(4.0, 2, None)}
    about = ("reader", "mini-conflict", "no-audio", 42, "signal", "av-benchmark", 3, True, False)
    return Results(*about, 10, 5, 5, (FD, MCD, ONSETS), make_scores(3.4, 5, 2.0), groups)


def test_each_level_counts_its_own_clips_and_failures(run):
    levels = split_levels(run, FAILURES, CLIPS)
    assert list(levels) == ["L0", "L2"]
    true, alike = levels.values()
    assert (true.expected, true.scored, true.failed) == (4, 3, 1)
    assert (alike.expected, alike.scored, alike.failed) == (4, 2, 2)
    assert alike.metrics == run.groups["L2"]
    # Other targets are not compared by rank.
    assert true.clips != alike.clips
    assert split_levels(run, (), CLIPS)["L2"].clips == split_levels(run, (), CLIPS)["L0"].clips


def test_the_table_has_a_row_per_level_with_intervals_and_the_bounds_below(run):
    levels = split_levels(run, FAILURES, CLIPS)
    bound = Results(
        *("silence", "mini-conflict", "full", 42, "signal", "av-benchmark", 3, True, True),
        *(3, 3, 0, run.columns, make_scores(9.0, 3, 9.0)),
    )
    table = build_conflict_table(levels, [bound], "text", min_coverage=0.5)
    assert table.title == "mini-conflict: reader under conflict of the text"
    assert [row.label for row in table.rows] == ["L0*", "L2*", "silence"]
    assert [cell.text for cell in table.rows[0].cells] == [
        "1.00",
        "3.00 ±0.50",
        "0.50 ±0.10",
        "0.20",
    ]
    assert [cell.text for cell in table.rows[1].cells] == ["–", "4.00 ±0.50", "0.50 ±0.10", "0.20"]


def test_a_figure_without_a_column_is_refused(run, tmp_path):
    empty = dict.fromkeys(run.metrics, Score(None, None, None, 0, reason="no clip was scored"))
    nothing = Results(**{**vars(run), "metrics": empty, "groups": {}})
    with pytest.raises(BenchError, match="no column has a value at every level"):
        plot_conflict({"L0": run, "L3": nothing}, "text", tmp_path / "none.png")


def test_the_figure_has_the_columns_with_a_value_at_every_level(run, tmp_path):
    two = split_levels(run, FAILURES, CLIPS)
    plot_conflict(two, "text", tmp_path / "two.png")
    plot_conflict(two, "text", tmp_path / "again.png")
    assert (tmp_path / "two.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    plot_conflict({"L0": two["L0"]}, "text", tmp_path / "three.png")
    assert count_inked(tmp_path / "three.png") > 1.1 * count_inked(tmp_path / "two.png")


def count_inked(path: Path) -> int:
    """Columns of pixels that are not all white."""
    with Image.open(path) as image:
        return int((np.asarray(image.convert("L")).min(axis=0) < 250).sum())
