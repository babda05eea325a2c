"""The lists print what is present, what is missing, and the command that fixes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.checkpoints.registry import OFFICIAL_FILES
from bench.cli.list import list_rows
from bench.errors import BenchError
from bench.splits import Refusal, Split, open_split
from bench.types import Clip, Excerpt
from tests.cli.conftest import refused


def listed(what: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The rows by their first word, with the space between words made one."""
    list_rows(what)
    lines = capsys.readouterr().out.splitlines()
    rows: dict[str, str] = {}
    for line in lines:
        if not line.startswith(" ") and line:
            name = line.split()[0]
        rows[name] = " ".join([*rows.get(name, "").split(), *line.split()])
    return rows


@pytest.mark.parametrize(
    ("what", "word"), [("models", "reference-loop"), ("splits", "mini-hits"), ("metrics", "mcd")]
)
def test_lists(bench, what, word):
    done = bench("list", what)
    assert done.returncode == 0
    assert word in done.stdout


def test_an_unknown_list_is_refused(bench):
    refused(bench("list", "papers"), "no list of 'papers'; there are: models")


def test_models_state_what_they_need_and_what_is_missing(home, capsys):
    rows = listed("models", capsys)
    assert "not all here" in rows["oracle"]
    assert "bench data prepare mini" in rows["oracle"]
    assert rows["silence"].endswith("nothing nothing")
    assert "your samples" in rows["precomputed:DIRECTORY"]
    assert "weights: acfoley fetch --preset acfoley" in rows["acfoley"]
    assert "acfoley train --preset overlap-only" in rows["acfoley-overlap-only"]
    assert "weights" in rows["acfoley-mini-overlap-only"]


def test_oracles_are_ready_after_the_mini_clips_are_prepared(home, capsys):
    for clip in open_split("mini").clips:
        clip.audio.path.parent.mkdir(parents=True, exist_ok=True)
        clip.audio.path.touch()
    assert "mini clips, here" in listed("models", capsys)["oracle"]


def test_each_metric_states_whether_its_weights_are_present_or_how_to_fetch_them(home, capsys):
    (home / "weights").mkdir(parents=True)
    (home / "weights" / OFFICIAL_FILES["vggish"].file).write_bytes(b"x")
    rows = listed("metrics", capsys)
    assert rows["fd_vgg"].endswith("vggish here, not verified")
    assert rows["kl_passt"].endswith("bench weights fetch passt")
    clap = rows["clap"].partition("bench weights fetch ")[2]
    assert set(clap.split()) == {"clap", "roberta-vocab", "roberta-merges"}
    assert rows["mcd"].endswith("paper none")


def test_a_home_that_may_not_be_read_does_not_hide_the_splits_of_others(home, capsys, monkeypatch):
    def forbidden(name: str):
        raise PermissionError(13, "Permission denied", "home/data")

    monkeypatch.setattr("bench.splits.open_split", forbidden)
    rows = listed("splits", capsys)
    assert "Permission denied" in rows["mini"]
    assert "yours to name" in rows["folder:PATH"]


def test_a_split_that_cannot_be_opened_does_not_hide_the_others(home, capsys, monkeypatch):
    def broken(name: str):
        if name == "mini":
            raise BenchError("the clips are of another world")
        return open_split(name)

    monkeypatch.setattr("bench.splits.open_split", broken)
    rows = listed("splits", capsys)
    assert "the clips are of another world" in rows["mini"]
    assert "mini-hits" in rows
    assert "the clips are of another world" in listed("models", capsys)["oracle"]


def test_one_model_is_described_with_what_makes_a_comparison_fair(bench):
    done = bench("list", "models", "acfoley", "acfoley-clap-encoder")
    assert "trained on    VGGSound train, AudioCaps 2.0, WavCaps" in done.stdout
    assert "imagebind: filter of its training clips; synchformer: encoder" in done.stdout
    assert "clap: encoder; imagebind: filter" in done.stdout
    assert "commercial    not allowed" in done.stdout
    assert "acfoley fetch --preset acfoley" in done.stdout


def test_all_models_are_described_with_long(bench):
    done = bench("list", "models", "--long")
    assert done.returncode == 0
    assert {"silence", "precomputed:DIRECTORY", "acfoley-mini"} <= {*done.stdout.splitlines()}


def test_a_model_of_the_user_is_described_and_an_unknown_one_refused(bench, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.py").write_text(
        "from bench.system import System\n"
        "MINE = System('m', 'mine', frozenset({'video'}), print,"
        "candidates=4, lacks=lambda: 'luck')"
    )
    done = bench("list", "models", "mine:MINE")
    assert "candidates    4 per clip" in done.stdout
    assert "needs         luck" in done.stdout
    refused(bench("list", "models", "silense"), "did you mean 'silence'")
    refused(bench("list", "splits", "mini"), "only models are described one by one")


def test_a_split_of_which_clips_are_missing_states_how_many_of_all(home, capsys, monkeypatch):
    clip = Clip("a", Excerpt(Path("a.mp4"), 0.0, 8.0), 8.0)
    few = Split("s", (clip,), refused=tuple(Refusal(name, "no video") for name in "bcd"))
    monkeypatch.setattr("bench.splits.open_split", lambda name: few)
    rows = listed("splits", capsys)
    assert rows["vggsound-test"].endswith(
        "ready, 1 of 4 clips; `bench data verify vggsound-test` says why"
    )
