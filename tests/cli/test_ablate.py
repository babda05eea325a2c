"""``bench ablate`` and ``--mask``: without a component, trained otherwise, or under conflict."""

from __future__ import annotations

import json
import re

import pytest
import typer
from PIL import Image

from baselines import SYSTEMS
from bench.cli.ablate import ablate
from bench.pipeline import ablation
from bench.pipeline.ablation import ABLATIONS, Variant
from bench.pipeline.prepare import default_model
from bench.plugins import open_system
from bench.splits import open_split
from tests.cli.conftest import refused

MINE = """
import numpy as np
from bench.system import System, one_by_one
from bench.types import Audio

def sound(request):
    # a click every half second; without the video every second; without the reference quieter
    step = 8_000 if "video" in request.condition.masked else 4_000
    samples = np.zeros((1, int(8_000 * request.seconds)), np.float32)
    samples[0, ::step] = 0.1 if "audio" in request.condition.masked else 0.9
    if request.condition.scope == "vector":
        samples[:] = 0.0
    return Audio(samples, 8_000)

def open_mine(device):
    return one_by_one(sound)

MINE = System("mine", "clicks", frozenset({"video"}), open_mine,
              masks=frozenset({"audio", "video"}))
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.py").write_text(MINE)
    return tmp_path / "here"


def test_an_ablation_has_rows_of_masked_and_unmasked_runs_and_keeps_the_runs(
    bench, mine, clicks_folder
):
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


def test_a_component_that_cannot_be_masked_is_refused(bench, mine, clicks_folder):
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
        "cannot mask 'sound': components are audio, sync, video, text",
    )
    refused(
        bench("run", "--model", "mine:MINE", *split, "--mask", "audio", "--mask-scope", "half"),
        "no mask scope 'half'; there are: whole, vector",
    )
    refused(bench("ablate", "--model", "mine:MINE", *split, "--mask", " ,"), "--mask names nothing")


@pytest.fixture
def tables(tmp_path, home, clicks_folder, monkeypatch, capsys):
    """Ablate "silence", whose variants are other anchors; returns the rows, output, and errors."""
    rows = {
        "stage": (
            Variant("overlap-only", "Overlap", "noise"),
            Variant("two-stage", "Two-stage w/o ft.", "ground-truth"),
            Variant("full", "Two-stage", "silence"),
        )
    }
    monkeypatch.setattr(ablation, "ABLATIONS", {**ABLATIONS, "silence": rows})

    def call(stage: str) -> tuple[dict[str, object], str, str]:
        with pytest.raises(typer.Exit) as stop:
            ablate(
                split=f"folder:{clicks_folder}",
                model="silence",
                stage=stage,
                limit=2,
                metrics="onset_acc",
                judge="signal",
                workers=0,
                runs=tmp_path / "runs",
                json=tmp_path / "o.json",
                bounds=False,
            )
        assert stop.value.exit_code == 0
        return json.loads((tmp_path / "o.json").read_text())["rows"], *capsys.readouterr()

    return call


def test_variants_are_rows_named_as_in_the_paper_and_the_model_is_the_last(tables):
    rows, out, err = tables("all")
    assert list(rows) == ["Overlap", "Two-stage w/o ft.", "Two-stage"]
    assert rows["Two-stage w/o ft."]["metrics"]["onset_acc"]["value"] == 1
    assert rows["Overlap"]["provenance"]["system"] == "noise"
    labels = re.findall(r"^ *(Overlap|Two-stage w/o ft\.|Two-stage) ", out, re.MULTILINE)
    assert labels == list(rows)
    assert "noise: Overlap" in err


def test_named_variants_are_rows_beside_the_model(tables):
    assert list(tables("two-stage")[0]) == ["Two-stage w/o ft.", "Two-stage"]
    assert list(tables("full")[0]) == ["Two-stage"]


def test_every_variant_is_a_system_and_the_model_closes_each_table():
    for model, ablations in ABLATIONS.items():
        assert set(ablations) == {"stage", "pooling"}
        for variants in ablations.values():
            assert variants[-1].system == model
            for variant in variants:
                assert variant.system in SYSTEMS
                assert open_system(variant.system).lacks is not None


def test_the_default_model_has_the_size_of_the_split(clicks_folder, home):
    assert default_model(open_split("mini")) == "acfoley-mini"
    assert default_model(open_split(f"folder:{clicks_folder}")) == "acfoley"


REFUSED = {
    "nothing": ([], "give one of --mask, --stage, --pooling and --conflict, not none of them"),
    "two": (["--mask", "all", "--stage", "all"], "not --mask, --stage"),
    "scope": (["--stage", "all", "--mask-scope", "vector"], "--mask-scope vector says how to"),
    "untrained": (
        ["--model", "noise", "--stage", "all"],
        "--stage compares trained variants, which acfoley and acfoley-mini have, not noise",
    ),
    "stage": (["--stage", "one"], "no stage 'one' of acfoley; there are: overlap-only, non-over"),
    "pooling": (["--pooling", "max"], "no pooling 'max' of acfoley; there are: attention, average"),
    "empty": (["--pooling", ","], "--pooling names nothing; there are: attention, average, all"),
    "weights": (
        ["--stage", "all", "--metrics", "onset_acc"],
        "acfoley-overlap-only cannot generate, it needs weights of your own: acfoley train --pre",
    ),
    "masked weights": (
        ["--mask", "all", "--metrics", "onset_acc"],
        "acfoley cannot generate, it needs weights: acfoley fetch --preset acfoley",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_ablation_that_cannot_be_made_is_refused_before_the_first_run(
    case, bench, clicks_folder
):
    options, words = REFUSED[case]
    refused(bench("ablate", "--split", f"folder:{clicks_folder}", *options), words)


READER = """
import numpy as np
from bench.seeds import stable_seed
from bench.system import System, one_by_one
from bench.types import Audio

def tone(request):
    # the pitch is that of the prompt, and the rhythm half a second
    time_s = np.arange(int(16_000 * request.seconds)) / 16_000
    pitch_hz = 200 + stable_seed(request.prompt) % 1800
    wave = np.exp(-8 * (time_s % 0.5)) * np.sin(2 * np.pi * pitch_hz * time_s)
    return Audio(0.5 * wave[None].astype(np.float32), 16_000)

def open_reader(device):
    return one_by_one(tone)

READER = System("reader", "a tone for a prompt", frozenset({"prompt"}), open_reader)
"""


@pytest.fixture
def reader(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "reader.py").write_text(READER)
    return tmp_path / "here"


def test_conflict_of_the_text_is_one_run_with_a_row_for_each_level(
    bench, mini_home, monkeypatch, reader
):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    done = bench(
        *("ablate", "--conflict", "text", "--model", "reader:READER", "--limit", 10),
        *("--judge", "signal", "--metrics", "onset_acc,mcd,mcd_ref", "--workers", 0),
        *("--json", "o.json", "--plot", "curve.png"),
    )
    assert done.returncode == 0, done.stderr
    assert "split mini-conflict: 80 clips, since vggsound-tvc is not prepared" in done.stderr
    assert "mini-conflict: reader under conflict of the text" in done.stdout
    levels = ["L0", "L1-subject", "L1-action", "L2", "L3"]
    assert re.findall(r"^ *(L\d\S*) +2 ", done.stdout, re.MULTILINE) == levels
    assert "±" in done.stdout.partition("L0")[2].partition("\n")[0]
    rows = json.loads((reader / "o.json").read_text())["rows"]
    assert list(rows) == levels
    distances = [row["metrics"]["mcd"]["value"] for row in rows.values()]
    assert len(set(distances)) == 5
    assert [row["provenance"]["scored"] for row in rows.values()] == [2] * 5
    with Image.open(reader / "curve.png") as image:
        assert min(image.size) > 200
    (run,) = (reader / "runs" / "reader-READER" / "mini-conflict").iterdir()
    scores = json.loads((run / "first-10" / "signal-av-benchmark" / "scores.json").read_text())
    assert scores["groups"]["L2"]["mcd"] == {
        name: value for name, value in rows["L2"]["metrics"]["mcd"].items() if name != "bounds"
    }


def test_conflict_of_the_reference_has_a_row_for_each_origin(bench, clicks_folder, tmp_path):
    folder = tmp_path / "labelled"
    folder.mkdir()
    for path in clicks_folder.glob("*.mp4"):
        (folder / path.name).symlink_to(path)
    (folder / "labels.csv").write_text(
        "name,label\nclip_000000,a click\nclip_000001,a click\nclip_000002,a tick\n"
    )
    split = ["--split", f"folder:{folder}", "--judge", "signal", "--workers", 0]
    command = ["ablate", "--conflict", "reference", "--model", "reference-loop", *split]
    done = bench(*command, "--metrics", "mcd,mcd_ref", "--json", "o.json", "--min-coverage", 0.6)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "here" / "o.json").read_text())["rows"]
    assert list(rows) == ["same-clip", "same-class", "other-class"]
    assert [row["provenance"]["scored"] for row in rows.values()] == [3, 2, 3]
    assert (
        "clip_000002 [split] no other clip with a reference has the label 'a tick'" in done.stderr
    )
    # The sample is its reference, over and over: wherever that is from, it stays near it.
    values = {name: row["metrics"]["mcd"]["value"] for name, row in rows.items()}
    assert values["same-clip"] < values["other-class"]
    runs = sorted(path.name for path in (tmp_path / "here/runs/reference-loop").glob("*/*"))
    assert runs == ["full-42", "reference-other-class-42", "reference-same-class-42"]
    # A clip without a partner counts as failed, as any other.
    assert bench(*command, "--metrics", "mcd").returncode == 1


CONFLICTS_REFUSED = {
    "unknown": (
        ["--conflict", "video"],
        "no conflict of 'video'; there is one of: text, reference",
    ),
    "both": (["--conflict", "text", "--mask", "all"], "not --mask, --conflict"),
    "split": (["--conflict", "text"], "needs a split with prompts in conflict, vggsound-tvc or"),
    "origin": (
        ["--conflict", "reference", "--reference-from", "same-class"],
        "--conflict reference runs every --reference-from: leave that out",
    ),
    "plot": (["--mask", "all", "--plot", "a.png"], "--plot draws the curves of --conflict"),
    "suffix": (["--conflict", "text", "--plot", "a.jpg"], "a.jpg is no figure: its suffix can be"),
    "no partner": (
        ["--conflict", "reference", "--model", "reference-loop", "--judge", "signal"],
        "no clip of folder-clicks",
    ),
}


@pytest.mark.parametrize("case", CONFLICTS_REFUSED)
def test_a_conflict_that_cannot_be_made_is_refused_before_the_first_run(case, bench, clicks_folder):
    options, words = CONFLICTS_REFUSED[case]
    refused(bench("ablate", "--split", f"folder:{clicks_folder}", *options), words)
