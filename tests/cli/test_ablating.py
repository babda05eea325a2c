"""``bench ablate`` and ``--mask``: what a system makes without one of its components."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import refused

MINE = """
import numpy as np
from bench.system import System
from bench.types import Audio

def sound(request):
    # a click every half second; without the picture every second; without the reference quieter
    step = 8_000 if "video" in request.condition.masked else 4_000
    samples = np.zeros((1, int(8_000 * request.seconds)), np.float32)
    samples[0, ::step] = 0.1 if "audio" in request.condition.masked else 0.9
    if request.condition.scope == "vector":
        samples[:] = 0.0
    return Audio(samples, 8_000)

def open_mine(device):
    return sound

MINE = System("mine", "clicks", frozenset({"video"}), open_mine,
              masks=frozenset({"audio", "video"}))
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.py").write_text(MINE)
    return tmp_path / "here"


def test_rows_of_masked_and_unmasked_runs_and_the_runs_themselves(bench, mine, clicks_folder):
    common = ["--model", "mine:MINE", "--split", f"folder:{clicks_folder}", "--workers", 0]
    some = ["--metrics", "onset_acc,mcd"]
    done = bench("ablate", *common, *some, "--mask", "audio,video", "--json", mine / "out.json")
    assert done.returncode == 0, done.stderr
    rows = json.loads((mine / "out.json").read_text())["rows"]
    assert list(rows) == ["none", "audio", "video"]
    distances = {name: row["metrics"]["mcd"]["value"] for name, row in rows.items()}
    assert len(set(distances.values())) == 3
    assert rows["audio"]["provenance"]["condition"] == "no-audio"
    assert "mine (no-audio)" in done.stdout
    runs = sorted(path.name for path in (mine / "runs" / "mine-MINE").glob("*/*"))
    assert runs == ["full-42", "no-audio-42", "no-video-42"]

    alone = bench("run", *common, *some, "--mask", "video", "--json", mine / "video.json")
    assert alone.returncode == 0, alone.stderr
    assert json.loads((mine / "video.json").read_text())["metrics"] == rows["video"]["metrics"]


def test_what_cannot_be_masked_is_refused(bench, mine, clicks_folder):
    split = ["--split", f"folder:{clicks_folder}"]
    refused(
        bench("run", "--model", "mine:MINE", *split, "--mask", "sync"),
        "mine cannot do without sync; it can mask: audio, video",
    )
    refused(
        bench("run", "--model", "silence", *split, "--mask", "audio"),
        "silence cannot do without audio; it can mask: nothing",
    )
    refused(
        bench("ablate", "--model", "mine:MINE", *split, "--mask", "sound"),
        "cannot mask 'sound'; there are: audio, sync, video, text",
    )
    refused(
        bench("run", "--model", "mine:MINE", *split, "--mask", "audio", "--mask-scope", "half"),
        "no mask scope 'half'; there are: whole, vector",
    )
    refused(bench("ablate", "--model", "mine:MINE", *split, "--mask", " ,"), "--mask names nothing")
