"""Defaults of the options that are not given: the split, the model, the devices."""

from __future__ import annotations

import sys

import pytest

from bench.cli import main
from bench.errors import BenchError
from bench.inputs.manifest import MANIFEST, Manifest, MediaRow, write_manifest
from bench.pipeline import prepare
from bench.pipeline.columns import JudgeOptions
from bench.pipeline.plan import RunPlan
from bench.pipeline.prepare import RunOptions, choose_split, plan_run
from bench.pipeline.provenance import provenance
from bench.splits import open_split
from tests.cli.conftest import refused


@pytest.fixture
def vggsound(home):
    """The manifest and the list of the paper's clips, of one clip."""
    folder = home / "data" / "vggsound"
    folder.mkdir(parents=True)
    (folder / "ib0.3.txt").write_text("glLQrEijrKg_000300\n")
    row = MediaRow("glLQrEijrKg_000300", "a dog", "test", str(folder / "glLQrEijrKg_000300.mp4"))
    write_manifest(folder / MANIFEST, Manifest("vggsound", (row,)))
    return folder


@pytest.fixture
def call(home, tmp_path, monkeypatch, capsys):
    """Run ``bench`` in this process; returns exit code, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_SPLIT", raising=False)
    return call


def prepare_mini(home):
    """Empty files in the place of the mini clips: enough to plan a run."""
    for clip in open_split("mini").clips:
        clip.audio.path.parent.mkdir(parents=True, exist_ok=True)
        clip.audio.path.touch()


def test_the_papers_split_is_the_default_where_it_is_prepared(vggsound):
    notes = []
    assert choose_split(None, notes.append).name == "vggsound-ib0.3"
    assert notes == ["split vggsound-ib0.3: 1 clips"]


def test_the_mini_split_is_the_default_elsewhere_and_the_reason_is_reported(home):
    notes = []
    assert choose_split(None, notes.append).name == "mini"
    (note,) = notes
    assert note.startswith("split mini: 128 clips, since vggsound-ib0.3 is not prepared (VGGSound")


def test_lists_of_the_paper_that_are_broken_are_refused_and_not_replaced(vggsound):
    (vggsound / "ib0.3.txt").write_text("another_000000\n")
    with pytest.raises(BenchError, match="names 'another_000000', which the test list"):
        choose_split(None, print)


def test_commands_work_without_a_split(call, home):
    prepare_mini(home)
    for command in (("ablate", "--mask", "sync"), ("run", "--model", "acfoley")):
        code, _, err = call(*command, "--model", "acfoley")
        assert code == 2
        assert err.startswith("split mini: 128 clips")
        assert "acfoley cannot generate, it needs weights: acfoley fetch --preset acfoley" in err
    code, out, _ = call("run", "--dry-run")
    assert code == 0
    assert "acfoley-mini on mini" in out


@pytest.mark.parametrize("command", ["run", "ablate"])
@pytest.mark.parametrize("split", ["mini", "vggsound-test"])
def test_a_misspelled_mask_is_refused_before_missing_files_are(command, split, call, home):
    code, _, err = call(command, "--split", split, "--model", "acfoley", "--mask", "sound")
    assert code == 2
    assert err.strip() == "error: cannot mask 'sound': components are audio, sync, video, text"


def test_the_environment_names_a_split(call, clicks_folder, monkeypatch):
    monkeypatch.setenv("BENCH_SPLIT", f"folder:{clicks_folder}")
    code, out, err = call("run", "--model", "silence", "--dry-run")
    assert code == 0
    assert err.startswith(f"split folder-{clicks_folder.name}")
    assert "silence on folder" in out


def test_a_command_opens_its_split_once(call, home, monkeypatch):
    prepare_mini(home)
    opened = []
    monkeypatch.setattr(prepare, "open_split", lambda spec: opened.append(spec) or real(spec))
    real = open_split
    for command in (("run", "--dry-run"), ("ablate", "--mask", "all", "--model", "acfoley")):
        call(*command, "--split", "mini")
        assert opened == ["mini"]
        opened.clear()


@pytest.mark.parametrize(
    ("options", "system", "judge"),
    [
        ((), "cpu", "cpu"),
        (("--device", "cuda"), "cuda", "cuda"),
        (("--device", "cuda:1", "--judge-device", "cpu"), "cuda:1", "cpu"),
        (("--judge-device", "cuda"), "cpu", "cuda"),
    ],
)
@pytest.mark.parametrize("command", [("run",), ("ablate", "--mask", "sync")])
def test_system_and_judge_have_their_devices(
    command, options, system, judge, call, home, monkeypatch
):
    prepare_mini(home)
    plans: list[RunPlan] = []

    def stop(plan: RunPlan, *others: object, **options: object) -> None:
        plans.append(plan)
        raise BenchError("stopped")

    monkeypatch.setattr("bench.pipeline.run.look_ahead", stop)
    assert call(*command, "--split", "mini", *options)[0] == 2
    assert [(plan.device, plan.judge.device) for plan in plans] == [(system, judge)]


@pytest.mark.parametrize("options", [("--device", "toaster"), ("--judge-device", "cuda:99")])
def test_a_device_that_is_not_there_is_refused_before_any_work(
    options, call, clicks_folder, tmp_path
):
    run = ("run", "--split", f"folder:{clicks_folder}", "--model", "silence", "--workers", "0")
    code, _, err = call(*run, *options)
    assert code == 2
    assert options[1] in err.splitlines()[-1]
    assert not (tmp_path / "runs").exists()
    folders = ("--generated", clicks_folder, "--reference", clicks_folder)
    code, _, err = call("score", *folders, "--device", options[1], "--metrics", "mcd")
    assert code == 2
    assert options[1] in err.splitlines()[-1]


def test_results_state_both_devices(home, tmp_path, clicks_folder):
    split = open_split(f"folder:{clicks_folder}")
    options = RunOptions(
        model="silence", split=split, limit=1, workers=0, runs=tmp_path, device="cuda:1"
    )
    judging = JudgeOptions(metrics="mcd", judge="mini", device="cuda:0")
    plan = plan_run(options, judging, print)
    facts = provenance(plan.judge, plan.device)
    assert (facts["device"], facts["judge_device"]) == ("cuda:1", "cuda:0")


def test_a_home_that_is_a_file_is_refused_before_anything_is_rendered(call, home):
    home.write_text("")
    code, _, err = call("data", "prepare", "mini", "--clips", "1", "--workers", "0")
    assert code == 2
    assert err.startswith(f"error: cannot create the folder {home}")
    assert "BENCH_HOME" in err
    assert err.count("\n") == 1


def test_an_unknown_split_is_refused_by_name(bench):
    refused(bench("run", "--split", "minni"), "no split 'minni'; there are: mini")


def test_clips_and_weights_that_are_missing_are_named_together(call, home):
    code, _, err = call("run", "--split", "mini", "--model", "acfoley")
    assert code == 2
    assert "run: bench data prepare mini" in err
    assert "acfoley fetch --preset acfoley" in err
