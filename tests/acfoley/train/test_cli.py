"""The commands of training: their files, their output, and one line for each refusal."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

import acfoley.train.features
from acfoley import cli
from acfoley.network.initialise import new_network
from acfoley.network.weights import open_flow
from acfoley.train.checkpoint import list_checkpoints
from acfoley.train.features import Encoding
from acfoley.train.log import StepReport, format_duration, format_report, read_log
from acfoley.train.recipe import RECIPES
from tests.acfoley.train.small import ENCODING, PARAMS, RECIPE, write_features


@pytest.fixture
def command(monkeypatch, capsys):
    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["acfoley", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return int(caught.value.code or 0), captured.out, captured.err

    return command


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    return write_features(tmp_path_factory.mktemp("features") / "f")


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setitem(RECIPES, "tiny", RECIPE)


def test_a_network_is_trained_in_two_calls_and_averaged(command, features, tmp_path):
    run = tmp_path / "run"
    order = ("train", "--preset", "tiny", "--data", features, "--held-out", features, "--out", run)
    order = (*order, "--log-every", "2", "--checkpoint-every", "2")
    code, out, err = command(*order, "--stage", "overlap")
    assert code == 0, err
    assert max(list_checkpoints(run)) == 4
    assert "step 4 of 4  overlap  loss" in err
    assert "acfoley ema --target 0.05" in out
    code, _, err = command(*order)
    assert code == 2
    assert "go on with --resume" in err
    code, _, err = command(*order, "--resume")
    assert code == 0, err
    assert [row["step"] for row in read_log(run / "log.csv")] == ["2", "4", "6", "8"]
    code, out, err = command("ema", run, "--target", "0.075")
    assert code == 0, err
    assert open_flow(run / "weights-0.075.safetensors", PARAMS).params == PARAMS
    assert "00000008-0.05.safetensors" in err


def test_a_warm_start_has_the_weights_of_its_checkpoint(command, features, tmp_path):
    from safetensors.torch import save_file

    trained = new_network(replace(PARAMS, reference=None), 3)
    trained.latent_mean.data.fill_(0.25)
    save_file(trained.state_dict(), tmp_path / "mmaudio.safetensors")
    run = tmp_path / "run"
    code, _, err = command(
        "train", "--preset", "tiny", "--data", features, "--out", run, "--stage", "overlap",
        "--warm-start", tmp_path / "mmaudio.safetensors", "--seed", "5", "--batch-size", "2",
    )  # fmt: skip
    assert code == 0, err
    code, _, err = command("ema", run, "-o", tmp_path / "w.safetensors")
    assert code == 0, err
    assert open_flow(tmp_path / "w.safetensors", PARAMS).latent_mean.mean() == 0.25


def test_failed_clips_are_printed_and_exit_with_1(command, tmp_path, monkeypatch, clicks_folder):
    def column(source):
        return {"target.mean": np.full((44, 4), source.target.max(), np.float32)}

    opened = []

    def open_published(directory, device, n_crops, *, has_clap):
        opened.append((device, n_crops, has_clap))
        return Encoding("fake", {"target": column}, ENCODING.empty_text)

    monkeypatch.setattr(acfoley.train.features, "open_published", open_published)
    names = sorted(path.name for path in clicks_folder.glob("*.mp4"))
    table = tmp_path / "list.csv"
    rows = [f"{clicks_folder / name},a click" for name in names]
    table.write_text("\n".join(["file,prompt", *rows, "gone.mp4,a click", ""]))
    order = ("precompute", "--list", table, "--out", tmp_path / "f", "--seconds", "2")
    code, out, err = command(*order, "--crops", "3")
    assert code == 1, err
    assert "3 of 4 clips are encoded" in out
    assert "gone: " in err
    assert f"1 clips failed, with their reasons in {tmp_path / 'f' / '0of1-failures.jsonl'}" in err
    assert opened == [("cpu", 3, False)]
    table.write_text("\n".join(["file,prompt", *rows, ""]))
    code, out, _ = command(*order, "--crops", "3", "--clap")
    assert code == 0
    assert "3 of 3 clips are encoded" in out
    assert opened[1:] == [("cpu", 3, True)]
    code, out, _ = command("precompute", "--out", tmp_path / "f", "--verify")
    assert (code, out.strip().endswith("1 shards are as they were written")) == (0, True)
    [shard] = (tmp_path / "f").glob("0of1-*.safetensors")
    shard.write_bytes(b"damaged")
    code, _, err = command("precompute", "--out", tmp_path / "f", "--verify")
    assert code == 2
    assert "1 of 1 shards" in err


def test_missing_encoder_weights_are_named_with_their_command(command, tmp_path, home):
    (tmp_path / "list.csv").write_text("file\na.mp4\n")
    code, _, err = command("precompute", "--list", tmp_path / "list.csv", "--out", tmp_path / "f")
    assert code == 2
    assert "acfoley fetch --preset acfoley" in err
    assert not (tmp_path / "f").exists()


def test_invalid_arguments_are_refused_in_one_line(command, features, tmp_path):
    out = tmp_path / "run"
    base = ("train", "--data", features, "--out", out, "--preset")
    refusals = {
        ("train", "--data", tmp_path / "no", "--out", out): "has no features",
        (*base, "maxi"): "no recipe 'maxi'; there are: acfoley, two-stage",
        (*base, "acfoley"): "the network of this recipe takes",
        (*base, "tiny", "--stage", "third"): "no stage 'third'; its stages: overlap, non-overlap",
        (*base, "tiny", "--borders", "1,2,3"): "only a recipe of two stages",
        (*base, "mini", "--borders", "1,x,3"): "write it as 100000,220000,260000",
        (*base, "tiny", "--batch-size", "0"): "are 1 or more, not 0",
        (*base, "tiny", "--accumulate", "3"): "cannot be shared equally by 3",
        (*base, "tiny", "--device", "tpu"): "no device 'tpu'",
        (*base, "tiny", "--warm-start", tmp_path / "no.pth"): "there is no checkpoint",
        ("precompute", "--out", out): "name the clips with --list FILE or with --manifest",
        ("precompute", "--out", out, "--manifest", out): "there is no manifest",
        ("precompute", "--out", out, "--verify"): "has no features",
        ("ema", tmp_path / "no"): "has no snapshots",
    }
    for arguments, message in refusals.items():
        code, _, err = command(*arguments)
        assert code == 2
        assert message in err
        assert err.startswith("error: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize("part", ["1", "a/2", "2/2", "1/", "/2"])
def test_an_invalid_part_is_refused(part):
    from acfoley.train.cli import parse_part
    from bench.errors import BenchError

    with pytest.raises(BenchError, match="part"):
        parse_part(part)


def test_a_line_reports_the_progress_of_training():
    report = StepReport(1_500, 260_000, "overlap", 1.23456, 1e-4, 890.12, 93_600)
    assert format_report(report) == (
        "step 1,500 of 260,000  overlap  loss 1.2346  rate 1.00e-04  890.1 clips/s  26:00:00 left"
    )
    assert format_duration(3_725) == "1:02:05"
