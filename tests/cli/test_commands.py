"""Every command through the command line, with the exit codes that scripts rely on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.media import write_audio
from bench.types import Audio
from tests.cli.conftest import refused
from tests.conftest import ROOT


def test_every_command_has_help(bench):
    for command in ("run", "score", "table", "compare", "list", "doctor", "validate", "data"):
        done = bench(command, "--help")
        assert done.returncode == 0
        assert "Usage" in done.stdout


def test_run_prints_a_table_and_writes_json(bench, clicks_folder, tmp_path):
    out = tmp_path / "result.json"
    split = f"folder:{clicks_folder}"
    quick = ("--limit", 2, "--workers", 0, "--metrics", "onset_acc,mcd")
    done = bench("run", "--model", "ground-truth", "--split", split, "--json", out, *quick)
    assert done.returncode == 0, done.stderr
    assert "Onset Acc." in done.stdout
    result = json.loads(out.read_text())
    assert set(result) == {"metrics", "failures", "provenance"}
    assert {"value", "low", "high", "n"} <= set(result["metrics"]["onset_acc"])
    assert result["metrics"]["onset_acc"]["value"] == 1.0
    assert result["failures"] == []
    assert result["provenance"]["profile"] == "av-benchmark"
    assert result["provenance"]["seed"] == 42


def test_run_exits_with_1_and_names_the_clip_when_one_fails(bench, clicks_folder, tmp_path):
    folder = tmp_path / "clips"
    shutil.copytree(clicks_folder, folder)
    (folder / "broken.mp4").write_text("nothing")
    quick = ("--metrics", "onset_acc", "--workers", 0)
    done = bench("run", "--model", "silence", "--split", f"folder:{folder}", *quick)
    assert done.returncode == 1
    assert "broken" in done.stderr
    assert "* silence: 3 of 4 clips scored, 1 failed" in done.stdout


def test_a_dry_run_does_nothing(bench, clicks_folder, tmp_path):
    split = f"folder:{clicks_folder}"
    done = bench("run", "--model", "silence", "--split", split, "--dry-run")
    assert done.returncode == 0
    assert "generate  3 clips" in done.stdout
    assert "(guessed), extract 0 min" in done.stdout
    assert "disk" in done.stdout
    assert not (tmp_path / "here" / "runs").exists()


def test_a_dry_run_predicts_a_run_on_several_gpus_and_a_run_refuses_to(bench, clicks_folder):
    command = ("run", "--model", "acfoley", "--split", f"folder:{clicks_folder}", "--gpus", "8")
    done = bench(*command, "--dry-run")
    assert done.returncode == 0
    assert "GPUs      8: about 2 min" in done.stdout
    assert "GPU hours (rate of the system guessed)" in done.stdout
    assert "GiB written" in done.stdout
    refused = bench(*command)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--gpus 8 predicts a run: add --dry-run" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "ground-trut", "--split", "mini"], ["did you mean 'ground-truth'"]),
        (["--model", "silence", "--split", "vggsound"], ["no split 'vggsound'"]),
        (["--model", "silence", "--split", "folder:nowhere"], ["there is no folder"]),
        (["--model", "silence", "--split", "mini"], ["bench data prepare mini"]),
        (["--model", "oracle-shift", "--split", "mini"], ["oracle-shift"]),
        (["--model", "no.such:THING", "--split", "mini"], ["no.such"]),
    ],
)
def test_run_refuses_invalid_arguments(bench, arguments, words):
    refused(bench("run", *arguments), *words)


def test_run_refuses_unknown_metrics_and_profiles(bench, clicks_folder):
    run = ["run", "--model", "silence", "--split", f"folder:{clicks_folder}"]
    refused(bench(*run, "--metrics", "fad"), "no metric 'fad'")
    refused(bench(*run, "--profile", "loose"), "no profile 'loose'")
    assert bench("run", "--split", "mini").returncode == 2


def test_fresh_fixes_the_problem_that_its_message_names(bench, clicks_folder, tmp_path):
    quick = ["--metrics", "onset_acc", "--workers", 0]
    run = ["run", "--model", "silence", "--split", f"folder:{clicks_folder}", *quick]
    assert bench(*run).returncode == 0
    (journal,) = (tmp_path / "here" / "runs").rglob("journal.jsonl")
    journal.write_text("not json\n" + journal.read_text())
    refused(bench(*run), "--fresh")
    assert bench(*run, "--fresh").returncode == 0


def test_paths_that_cannot_be_written_are_refused_before_any_work(bench, clicks_folder, tmp_path):
    run = ["run", "--model", "silence", "--split", f"folder:{clicks_folder}", "--metrics", "mcd"]
    refused(bench(*run, "--json", tmp_path), "is a folder; name a file")
    (tmp_path / "here" / "file").write_text("")
    refused(bench(*run, "--runs", "file"), "cannot create the folder")
    assert not (tmp_path / "here" / "runs").exists()


def test_an_empty_list_of_metrics_is_refused(bench, clicks_folder):
    run = ["run", "--model", "silence", "--split", f"folder:{clicks_folder}"]
    refused(bench(*run, "--metrics", " , "), "--metrics names no column")


def test_columns_without_weights_are_named_with_the_command_or_refused(bench, clicks_folder):
    run = ["run", "--model", "silence", "--split", f"folder:{clicks_folder}", "--limit", 1]
    done = bench(*run, "--workers", 0)
    assert done.returncode == 0
    message = " ".join(done.stderr.split())
    assert (
        "fd_passt, fd_panns, fd_vgg, kl_passt, kl_panns, ib, desync cannot be computed" in message
    )
    assert "bench weights fetch" in message
    refused(bench(*run, "--metrics", "fd_passt,mcd"), "bench weights fetch passt")
    refused(bench(*run, "--judge", "signal", "--metrics", "ib"), "cannot compute ib")


def test_a_users_system_is_found_in_the_working_directory(process, clicks_folder, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.py").write_text(
        "import numpy as np\n"
        "from bench.system import System, one_by_one\n"
        "from bench.types import Audio\n"
        "def sound(request):\n"
        "    return Audio(np.zeros((1, int(8e3 * request.seconds)), np.float32), 8000)\n"
        "def open_mine(device):\n"
        "    return one_by_one(sound)\n"
        "MINE = System('mine', 'mine', frozenset(), open_mine)\n"
    )
    split = f"folder:{clicks_folder}"
    arguments = ["--model", "mine:MINE", "--split", split, "--metrics", "onset_acc"]
    done = process("run", *arguments, "--workers", 1)
    assert done.returncode == 0, done.stderr
    assert "mine on" in done.stdout


@pytest.fixture
def two_folders(tmp_path, rng):
    """Three true audio files and their samples: the same, a quieter one, and one missing."""
    true, made = tmp_path / "true", tmp_path / "made"
    time_s = np.arange(3 * 22_050) / 22_050
    for number, name in enumerate(("a", "b", "c")):
        wave = np.exp(-5 * (time_s % 0.7)) * np.sin(2 * np.pi * (400 + 200 * number) * time_s)
        audio = Audio((0.6 * wave)[np.newaxis].astype(np.float32), 22_050)
        write_audio(true / f"{name}.wav", audio)
        if name != "c":
            write_audio(made / f"{name}.flac", Audio(audio.samples / (1 + number), 22_050))
    return true, made


def test_score_pairs_by_name_and_reports_what_is_missing(bench, two_folders, tmp_path):
    true, made = two_folders
    out, rows = tmp_path / "s.json", tmp_path / "s.parquet"
    folders = ["--generated", made, "--reference", true, "--workers", 0]
    done = bench("score", *folders, "--json", out, "--parquet", rows)
    assert done.returncode == 1
    result = json.loads(out.read_text())
    assert [failure["clip"] for failure in result["failures"]] == ["c"]
    assert result["metrics"]["onset_acc"]["n"] == 2
    table = pd.read_parquet(rows).set_index("clip")
    assert list(table.index) == ["a", "b"]
    assert table.loc["a", "mcd"] == pytest.approx(0.0, abs=0.02)
    assert table.loc["b", "mcd"] > 2


def test_score_computes_only_the_requested_metrics(bench, two_folders):
    true, made = two_folders
    folders = ["--generated", made, "--reference", true]
    done = bench("score", *folders, "--metrics", "mcd", "--workers", 0)
    assert "MCD" in done.stdout
    assert "Onset" not in done.stdout


def test_score_with_a_length_fails_shorter_files_and_without_cuts_to_the_shorter(
    bench, two_folders, tmp_path
):
    true, made = two_folders
    (true / "c.wav").unlink()
    short = Audio(np.full((1, 22_050), 0.1, np.float32), 22_050)
    write_audio(made / "b.flac", short)
    folders = ["--generated", made, "--reference", true, "--metrics", "mcd", "--workers", 0]
    done = bench("score", *folders)
    assert done.returncode == 0
    assert "1 of 2 samples end before their reference" in done.stdout
    done = bench("score", *folders, "--seconds", 3)
    assert done.returncode == 1
    assert "b [extract]" in done.stderr


def test_score_pairs_by_order_only_on_request(bench, two_folders):
    true, made = two_folders
    (true / "c.wav").unlink()
    for number, name in ((0, "a"), (1, "b")):
        (made / f"{name}.flac").rename(made / f"{number:04d}.flac")
    folders = ["--generated", made, "--reference", true, "--metrics", "mcd", "--workers", 0]
    refused(bench("score", *folders), "can be paired with one in", "'a': no file for it")
    done = bench("score", *folders, "--match", "order")
    assert done.returncode == 0
    assert "pairs come from the order of the files, not from their names" in done.stdout
    refused(bench("score", *folders, "--match", "size"), "--match 'size' is not known")


def test_score_refuses_folders_that_do_not_belong_together(bench, two_folders, tmp_path):
    true, made = two_folders
    refused(bench("score", "--generated", tmp_path / "no", "--reference", true), "no folder")
    (made / "a.flac").rename(made / "x.flac")
    (made / "b.flac").rename(made / "y.flac")
    refused(bench("score", "--generated", made, "--reference", true), "can be paired with one in")


def test_tables_in_every_format_and_a_comparison(bench, clicks_folder, tmp_path):
    split = f"folder:{clicks_folder}"
    for model in ("ground-truth", "silence"):
        quick = ("--workers", 0, "--metrics", "onset_acc,env_corr")
        assert bench("run", "--model", model, "--split", split, *quick).returncode == 0
    for style, word in (("terminal", "system"), ("markdown", "| System"), ("csv", "system,split")):
        done = bench("table", "runs", "--format", style)
        assert done.returncode == 0
        assert word in done.stdout
    out = tmp_path / "table.tex"
    assert bench("table", "runs", "--format", "latex", "--out", out).returncode == 0
    assert out.read_text().startswith("% needs")
    runs = sorted((tmp_path / "here" / "runs").glob("*/*/*"))
    truth, silence = (next(r for r in runs if m in str(r)) for m in ("ground-truth", "silence"))
    primary = ("--primary", "onset_acc,env_corr")
    worse = bench("compare", truth, silence, *primary)
    better = bench("compare", silence, truth, *primary)
    assert (worse.returncode, better.returncode) == (1, 0)
    assert "fail: regression in" in worse.stdout
    assert "not worse (better)" in better.stdout


def test_a_table_without_runs_is_refused(bench, tmp_path):
    refused(bench("table", tmp_path), "no finished run")
    refused(bench("compare", tmp_path, tmp_path), "no finished run")


def test_prepare_run_verify_on_the_mini_world(bench, home):
    done = bench("data", "prepare", "mini", "--clips", 2, "--workers", 0)
    assert done.returncode == 0, done.stderr
    assert (home / "data" / "mini" / "manifest.jsonl").exists()
    quick = ("--workers", 0, "--metrics", "onset_acc")
    done = bench("run", "--model", "oracle", "--split", "mini", "--limit", 2, *quick)
    assert done.returncode == 0, done.stderr
    assert "mini world, not comparable" in done.stdout
    done = bench("data", "verify", "mini")
    assert done.returncode == 1
    assert "mini_000002" in done.stdout
    refused(bench("data", "prepare", "nothing"), "nothing to prepare for 'nothing'")
    refused(bench("data", "prepare", "vggsound"), "name your copy of vggsound by --from PATH")


def test_the_version_is_that_of_the_package(process):
    import bench as package

    assert process("--version").stdout.strip() == package.__version__
    assert Path(package.__file__).resolve().is_relative_to(ROOT)


def test_folders_of_the_user_named_like_the_packages_hide_nothing(process, clicks_folder, tmp_path):
    for name in ("reports", "baselines", "acfoley"):
        (tmp_path / "here" / name).mkdir(parents=True)
    split = f"folder:{clicks_folder}"
    quick = ("--metrics", "onset_acc", "--limit", 1, "--workers", 0)
    done = process("run", "--model", "silence", "--split", split, *quick)
    assert done.returncode == 0, done.stderr


def test_a_split_without_usable_clips_is_a_run_of_failures(bench, tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "broken.mp4").write_text("nothing")
    split = f"folder:{tmp_path / 'clips'}"
    quick = ("--metrics", "mcd,onset_acc", "--workers", 0)
    done = bench("run", "--model", "silence", "--split", split, *quick)
    assert done.returncode == 1, done.stderr
    assert "silence: 0 of 1 clips scored, 1 failed" in done.stdout
    assert "Traceback" not in done.stderr


def test_score_refuses_columns_that_two_folders_cannot_fill(bench, two_folders):
    true, made = two_folders
    folders = ["--generated", made, "--reference", true, "--judge", "signal"]
    refused(bench("score", *folders, "--metrics", "mcd_ref"), "mcd_ref compares with the reference")


def test_clap_needs_prompts_and_prompts_need_clap(bench, tmp_path):
    for folder in ("made", "true"):
        (tmp_path / folder).mkdir()
    folders = ["--generated", tmp_path / "made", "--reference", tmp_path / "true"]
    prompts = ["--prompts", tmp_path / "prompts.csv"]
    refused(bench("score", *folders, *prompts, "--judge", "signal"), "ask for it with --clap")
    refused(bench("score", *folders, "--judge", "mini", "--clap"), "only --judge paper has CLAP")
    refused(bench("score", *folders, "--unpaired", "--clap"), "it takes no", "--clap")
