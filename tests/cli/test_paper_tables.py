"""``bench table 1`` to ``7`` on finished runs on disk, and marks that need an interval."""

from __future__ import annotations

import csv
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from bench.results import find_finished_runs, load_results, write_bounds, write_results
from reports.latex import LATEX_ESCAPES, latex_escape
from reports.published import NUMBERS
from tests.cli.conftest import refused
from tests.pipeline.finished import write_embeddings, write_run

CLIPS = np.arange(40) / 40


@pytest.fixture
def runs(tmp_path):
    """Two runs of Table 5 that differ in MCD beyond chance, and in IB by chance."""
    folder, rng = tmp_path / "runs", np.random.default_rng(0)
    for system, mcd in (("acfoley-mini", 1.0), ("acfoley-mini-attention-pooling", 2.0)):
        scores = {"mcd": mcd + CLIPS + rng.normal(0, 0.1, 40), "ib": rng.normal(30, 5, 40)}
        write_run(folder / system / "mini" / "full-42", scores, system=system)
    return folder


def test_a_bare_number_is_a_table_of_the_paper_and_a_path_is_a_folder(bench, runs, tmp_path):
    done = bench("table", "5", "--world", "mini", runs)
    assert done.returncode == 0, done.stderr
    assert "Table 5, mini world" in done.stdout
    assert "Attention-Based" in done.stdout
    assert "acfoley-mini is trained in two stages without fine-tuning" in done.stdout
    shutil.copytree(runs, tmp_path / "here" / "5")
    done = bench("table", "./5")
    assert done.stdout.startswith("mini\n")
    assert "acfoley-mini-attention-pooling" in done.stdout
    done = bench("table", "5", "--world", "mini", "./5")
    assert "Attention-Based" in done.stdout
    assert "5 is Table 5 of the paper; the folder here is ./5" in done.stderr


def test_runs_are_looked_for_in_the_folder_runs_unless_others_are_named(bench, runs, tmp_path):
    done = bench("table", "5", "--world", "mini")
    assert done.returncode == 0
    assert done.stdout.count("not run") == 2
    assert "bench run --model acfoley-mini --split mini" in " ".join(done.stderr.split())
    shutil.copytree(runs, tmp_path / "here" / "runs")
    assert "not run" not in bench("table", "5", "--world", "mini").stdout


def test_a_row_whose_weights_are_missing_has_no_checkpoint_and_the_command_is_printed(bench, home):
    done = bench("table", "5")
    assert done.stdout.count("no checkpoint") == 2
    assert "acfoley fetch --preset acfoley" in " ".join(done.stderr.split())


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("style", ["terminal", "markdown", "latex", "html", "csv"])
def test_every_table_is_written_in_every_format_without_any_run(bench, number, style):
    done = bench("table", number, "--with-paper", "--format", style)
    assert done.returncode == 0, done.stderr
    assert {"1": "613.05", "2": "0.6611", "3": "83.5", "4": "80.07"}.get(number, "1") in done.stdout


def test_marks_of_significance_need_an_interval_that_excludes_zero(bench, runs):
    plain = bench("table", "5", "--world", "mini", "--format", "markdown", runs).stdout
    assert plain.count("**") == 2 + 4  # the title, and the best of two columns
    done = bench("table", "5", "--world", "mini", "--format", "markdown", "--significant", runs)
    (best,) = [line for line in done.stdout.splitlines() if line.startswith("| Average")]
    assert "**1.4" in best
    assert done.stdout.count("**") == 2 + 2
    assert done.stdout.count("<u>") == 1
    assert "excludes zero" in done.stdout
    # The same of runs that are named.
    done = bench("table", runs, "--format", "markdown", "--significant")
    assert done.stdout.count("**") == 2 + 2
    assert "excludes zero" in done.stdout


def test_a_set_metric_without_its_features_has_no_mark_and_a_note(bench, home, tmp_path):
    rng = np.random.default_rng(0)
    true = rng.normal(size=(60, 4))
    for system, shift in (("acfoley-mini", 0.0), ("acfoley-mini-attention-pooling", 9.0)):
        folder = tmp_path / "here" / "runs" / system / "mini" / "full-42"
        write_embeddings(folder, true, shift + rng.normal(size=(60, 4)))
        write_results(folder, replace(load_results(folder), system=system))
    table = ("table", "5", "--world", "mini", "--format", "markdown", "--significant")
    done = bench(*table)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("**") == 2 + 2
    shutil.rmtree(folder / "features")
    done = bench(*table)
    assert done.stdout.count("**") == 2
    assert "FD VGG is not marked: " in done.stdout


def test_the_ceiling_of_table_1_is_a_run_or_a_bound_of_one(bench, runs):
    run = runs / "acfoley-mini" / "mini" / "full-42"
    bound = replace(load_results(run), system="ground-truth", is_anchor=True)
    write_bounds(run, [bound])
    table = ("table", "1", "--world", "mini", runs, "--format", "markdown")
    assert "| Ground truth | 40 |" in bench(*table).stdout
    assert "Ground truth" not in bench(*table, "--no-bounds").stdout


def test_a_table_of_the_paper_is_printed_by_group_of_clips(bench, mini_home, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    run = ("run", "--model", "ground-truth", "--split", "mini", "--limit", 4, "--workers", 0)
    assert bench(*run, "--metrics", "mcd").returncode == 0
    done = bench("table", "1", "--world", "mini", "--by", "action")
    assert done.returncode == 0, done.stderr
    assert "Table 1, mini world: mini by action" in done.stdout
    assert "all clips" in done.stdout
    done = bench("table", "1", "--world", "mini", "--by", "action", "--format", "csv")
    lines = list(csv.DictReader(done.stdout.splitlines()))
    assert {line["system"] for line in lines} == {"ground-truth"}
    assert len({line["group"] for line in lines}) > 1
    refused(bench("table", "5", "--by", "action"), "Table 5 has no finished run")


def test_options_that_do_not_go_together_are_refused_before_runs_are_read(bench, tmp_path):
    refused(bench("table", "nowhere", "--with-paper"), "bench table 1 --with-paper")
    refused(bench("table", "nowhere", "--world", "mini"), "bench table 1")
    refused(bench("table", "1", "--world", "real"), "no world 'real'; there are: paper, mini")
    refused(bench("table", "1", "--format", "word"), "no table format 'word'", "html")
    refused(bench("table", "1", "2", "--by", "action"), "--by goes with one table")
    refused(bench("table", "1", "--by", "action", "--with-paper"), "--by")
    refused(bench("table", "1", "--extras"), "--extras")
    refused(bench("table", "1", "--significant", "--format", "csv"), "CSV marks nothing")
    refused(bench("table", "8"), "there is no folder 8, and the paper has Tables 1 to 7")
    refused(bench("table", "1", "--out", "t.tex"), "--out writes markdown, latex, html or csv")
    refused(bench("table", "1", "nowhere"), "nowhere holds no finished run")


def test_samples_and_features_of_a_run_are_not_searched(runs):
    run = runs / "acfoley-mini" / "mini" / "full-42"
    for name in ("samples", "features", "first-2"):
        (run / name).mkdir()
        shutil.copy(run / "scores.json", run / name)
    (run / "journal.jsonl").touch()
    found = {path.relative_to(runs).as_posix() for path in find_finished_runs(runs)}
    assert found == {
        "acfoley-mini/mini/full-42",
        "acfoley-mini/mini/full-42/first-2",
        "acfoley-mini-attention-pooling/mini/full-42",
    }


def compile_latex(body, folder):
    """Typeset a page with this body; return what TeX printed."""
    packages = "\\usepackage{booktabs}\\usepackage{graphicx}"
    page = f"\\documentclass{{article}}{packages}\\begin{{document}}\n{body}\\end{{document}}\n"
    (folder / "page.tex").write_text(page, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "page.pdf").stat().st_size > 5_000
    assert "Overfull \\hbox" not in done.stdout
    assert "Missing character" not in (folder / "page.log").read_text("latin-1")
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (TeX)")
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("world", ["paper", "mini"])
def test_the_latex_of_every_table_compiles(bench, runs, tmp_path, number, world):
    options = ("--world", world, "--with-paper", "--format", "latex")
    compile_latex(bench("table", number, runs, *options).stdout, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (TeX)")
def test_names_that_begin_like_an_argument_compile(bench, runs, tmp_path):
    for run, name in zip(find_finished_runs(runs), ("[4]", "* best"), strict=True):
        write_results(run, replace(load_results(run), system=name))
    body = bench("table", runs, "--format", "latex").stdout
    assert "{}[4] &" in body
    compile_latex(body, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex (TeX)")
def test_signs_in_names_and_notes_compile(tmp_path):
    text = latex_escape(" ".join(["é", *LATEX_ESCAPES]))
    assert "page" in compile_latex(text + "\n", tmp_path)
