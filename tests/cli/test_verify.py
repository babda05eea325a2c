"""``bench data verify`` for VGGSound: the table of lists, and the file of clips."""

from __future__ import annotations

import csv

import pytest

from tests.cli.conftest import refused
from tests.splits.defects import BAD, HERE, prepare_defects


@pytest.fixture
def copy(home, tmp_path) -> None:
    """A copy with one clip of each kind of defect."""
    prepare_defects(tmp_path / "copy")


def test_verify_prints_a_table_of_lists_and_writes_every_clip(copy, bench, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text(f"{HERE[0]}\n-Qowmc0P9ic_000034\nAAAAAAAAAAA_000001\n")
    out = tmp_path / "clips.csv"
    done = bench("data", "verify", "vggsound-test", "--list", file, "--out", out)
    assert done.returncode == 1
    assert "15,438 clips of vggsound-test are not in your copy: " in done.stdout
    assert "-1pRmoJIGQc_000010: its audio lasts 3" in done.stdout
    assert ": no video\n" not in done.stdout
    table = {line.split("  ")[0].strip(): line.split() for line in done.stdout.splitlines()}
    # clips, here, then the columns of REASONS
    expected = ["15,446", "2", "15,438", "1", "1", "1", "1", "2", "0"]
    assert table["the official test list"][-9:] == expected
    assert table["mine.txt"][1:] == ["3", "1", "0", "0", "0", "0", "1", "0", "1"]
    rows = {row["clip"]: row for row in csv.DictReader(out.read_text().splitlines())}
    assert len(rows) == 15_447
    assert {clip: rows[clip]["reason"] for clip in BAD} == BAD
    assert rows[HERE[0]]["here"] == "yes"
    assert rows[HERE[0]]["lists"].startswith("the official test list; mine.txt")
    assert rows["AAAAAAAAAAA_000001"]["reason"] == "not in the manifest"


def test_lists_are_for_vggsound_and_have_to_exist(copy, bench, tmp_path):
    refused(bench("data", "verify", "mini", "--list", "x"), "are for splits of VGGSound, not mini")
    gone = bench("data", "verify", "vggsound-test", "--list", tmp_path / "gone.txt")
    refused(gone, "there is no list", "gone.txt")
