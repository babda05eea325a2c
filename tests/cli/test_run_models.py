"""``bench run`` with several models: those that can run do, and one table has them all."""

from __future__ import annotations

import json

import pytest

from bench.cli.run_models import split_models
from bench.errors import BenchError
from bench.pipeline import run as pipeline_run
from tests.cli.conftest import refused

TONE, SLOW, BROKEN = (
    f"tests.pipeline.systems:{name}" for name in ("TONE", "SECOND_FAILS", "BROKEN")
)
QUICK = ("--workers", 0, "--metrics", "onset_acc", "--no-bounds")


@pytest.fixture
def run(bench, clicks_folder):
    """Run models on the click clips with some options."""

    def call(models: str, *options: object):
        split = f"folder:{clicks_folder}"
        return bench("run", "--model", models, "--split", split, *QUICK, *options)

    return call


def lines_of(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def test_a_list_runs_what_can_run_prints_why_the_rest_cannot_and_one_table(run, tmp_path):
    out = tmp_path / "out.json"
    done = run(f"reference-loop,acfoley,{TONE},mmaudio-large-44k-v2", "--json", out)
    assert done.returncode == 0, done.stderr
    reasons = set(lines_of(done.stderr, "not run: "))
    assert reasons == {
        "not run: acfoley cannot generate, it needs weights: acfoley fetch --preset acfoley",
        "not run: mmaudio-large-44k-v2 cannot generate, it needs weights: "
        "acfoley fetch --preset large_44k_v2",
    }
    assert len(lines_of(done.stdout, " system")) == 1
    assert (
        len(lines_of(done.stdout, " reference-loop ")) == len(lines_of(done.stdout, " tone ")) == 1
    )
    assert json.loads(out.read_text())["rows"].keys() == {"reference-loop", TONE}


def test_the_same_call_again_does_nothing_and_prints_the_same_table(run, tmp_path):
    models = f"reference-loop,{TONE}"
    first = run(models)
    scores = sorted((tmp_path / "here").rglob("scores.json"))
    journals = sorted((tmp_path / "here").rglob("journal.jsonl"))
    before = [path.read_bytes() for path in (*scores, *journals)]
    samples = {path: path.stat() for path in (tmp_path / "here").rglob("*.flac")}
    again = run(models)
    assert len(scores) == len(journals) == 2
    assert again.stdout == first.stdout
    assert [path.read_bytes() for path in (*scores, *journals)] == before
    assert {path: path.stat() for path in samples} == samples
    plans = run(models, "--dry-run")
    assert len(lines_of(plans.stdout, "  generate  0 clips (3 are made)")) == 2


def test_a_model_that_fails_does_not_stop_the_others_and_is_exit_code_1(run):
    done = run(f"{BROKEN},{SLOW},{TONE}")
    assert done.returncode == 1
    assert len(lines_of(done.stdout, " tone ")) == 1
    assert len(lines_of(done.stdout, " second-fails*")) == 1
    assert any(BROKEN in line for line in lines_of(done.stderr, "failed: "))
    assert run(f"{SLOW},{TONE}", "--min-coverage", 0.5).returncode == 0
    assert run(f"{SLOW},{TONE}").returncode == 1


def test_a_bug_in_one_run_is_printed_with_its_traceback_and_stops_no_other(run, monkeypatch):
    carry_out = pipeline_run.run

    def fail_at_first(plan, *arguments, **options):
        if plan.system_name == TONE:
            raise ZeroDivisionError("by the number of clips")
        return carry_out(plan, *arguments, **options)

    monkeypatch.setattr(pipeline_run, "run", fail_at_first)
    done = run(f"{TONE},reference-loop")
    assert done.returncode == 1
    assert lines_of(done.stderr, "failed: ZeroDivisionError: by the number of clips")
    assert "in fail_at_first" in done.stderr
    assert len(lines_of(done.stdout, " reference-loop ")) == 1


def test_a_dry_run_covers_the_list_and_writes_nothing(run, tmp_path):
    done = run(f"acfoley,reference-loop,{TONE}", "--dry-run")
    assert done.returncode == 0
    assert len(lines_of(done.stdout, "  generate  3 clips (0 are made)")) == 2
    assert "2 of 3 models: about" in done.stdout
    assert len(lines_of(done.stderr, "not run: acfoley ")) == 1
    assert not (tmp_path / "here" / "runs").exists()


def test_a_misspelled_model_or_split_is_refused_before_anything_runs(run, bench, tmp_path):
    refused(run("reference-loop,acfolley"), "no system 'acfolley'; did you mean 'acfoley'")
    refused(bench("run", "--model", f"acfoley,{TONE}", "--split", "nope"), "no split 'nope'")
    assert not (tmp_path / "here" / "runs").exists()


def test_where_none_can_run_it_is_a_refusal_with_their_reasons(run):
    done = run("acfoley,mmaudio-small-16k")
    refused(done, "none of 2 models can run")
    assert "codec of 16 kHz" in done.stderr


def test_what_a_model_cannot_mask_is_its_reason(run):
    done = run(f"acfoley,{TONE}", "--mask", "audio")
    refused(done, "none of 2 models can run")
    assert "tone cannot do without audio" in done.stderr


def test_all_are_the_systems_that_compete_and_need_no_argument():
    names = split_models("all")
    assert {"acfoley", "mmaudio-small-44k", "reference-loop", "acfoley-mini"} <= set(names)
    assert not {"ground-truth", "oracle", "oracle-shift", "precomputed"} & set(names)
    assert split_models(f"{TONE},all,acfoley") == [TONE, *names]


def test_all_can_be_planned(run):
    done = run("all", "--dry-run")
    assert done.returncode == 0
    assert any("mmaudio-medium-44k" in line for line in lines_of(done.stderr, "not run: "))
    assert any("reference-loop on " in line for line in done.stdout.splitlines())


def test_commas_in_a_folder_are_part_of_its_name(tmp_path):
    folder = tmp_path / "a,b"
    folder.mkdir()
    assert split_models(f"precomputed:{folder}") == []
    assert split_models(f"silence, precomputed:{folder},noise,silence") == [
        "silence",
        f"precomputed:{folder}",
        "noise",
    ]
    assert split_models("silence") == split_models(None) == []
    with pytest.raises(BenchError, match="no system 'b'"):
        split_models("silence,b")
