"""``bench data prepare`` and ``bench run`` on datasets of the user."""

from __future__ import annotations

import json

import pytest

from bench.datasets.moviegen import LIST
from bench.results import load_results
from tests.cli.conftest import refused
from tests.datasets.videos import write_mp4


@pytest.fixture
def moviegen(bench, tmp_path):
    """Prepare a copy of two videos."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for number in (0, 1):
        write_mp4(folder / f"{number}.mp4", 8.2)
    rows = [{"id": n, "video_prompt": "v", "audio_prompt": f"rain {n}"} for n in (0, 1)]
    (folder / LIST).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return bench("data", "prepare", "moviegen", "--from", folder, "--workers", 0)


def test_the_licence_is_printed_before_the_outcome(moviegen):
    assert "CC BY-NC 4.0" in moviegen.stderr
    assert moviegen.stdout == "2 of 2 videos can be used\n"


def test_a_run_without_true_audio_scores_what_needs_none(moviegen, bench, tmp_path):
    options = ("run", "--model", "noise", "--split", "moviegen", "--judge", "mini")
    sentence = "the clips of moviegen have no true audio to compare with, as mcd would"
    refused(bench(*options, "--metrics", "mcd"), sentence)
    metrics = "ib,desync,is_passt"
    done = bench(*options, "--metrics", metrics, "--workers", 0, "--bounds")
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "here" / "runs").rglob("scores.json")
    results = load_results(path.parent)
    assert {name: results.metrics[name].n for name in ("ib", "desync")} == {"ib": 2, "desync": 2}
    assert set(results.metrics) == {"ib", "desync", "is_passt"}
    assert any("have no true audio" in note for note in results.notes)
    drawn = bench("samples", path.parent, "--out", "page.png")
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "here" / "page.png").is_file()


def test_preparing_for_a_purpose_is_known_of_wavcaps_alone(bench, tmp_path):
    options = ("--for", "training", "--from", tmp_path)
    refused(bench("data", "prepare", "vggsound", *options), "there is: wavcaps --for training")
    refused(bench("data", "prepare", "wavcaps", *options), "in json_files of WavCaps")
    refused(bench("data", "prepare", "wavcaps", "--from", tmp_path), "holds no audio file")
