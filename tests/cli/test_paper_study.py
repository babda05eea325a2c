"""Table 3 by ``bench table 3`` and ``bench reproduce 3``: found, given, rehearsed, refused."""

from __future__ import annotations

import csv
import shutil

import pytest

from bench.results import find_finished_runs, walk_runs
from bench.study.simulate import PAPER_TRUTH, Raters, simulate_study
from bench.study.store import RATER, open_store
from reports import published
from reports.published import DeclaredRun, PublishedRow, load_table
from tests.cli.conftest import refused
from tests.study.test_analyse import write_simulable

PAPER_SYSTEMS = ("acfoley", "mmaudio-large-44k-v2")
MINI_SYSTEMS = ("acfoley-mini", "acfoley-mini-clap-encoder")


def write_answered(folder, systems=MINI_SYSTEMS, *, is_mini=True, source=None, raters=6):
    study = write_simulable(folder, systems=systems, is_mini=is_mini)
    simulate_study(study, Raters(raters), PAPER_TRUTH)
    if source:
        (study / "private" / "truth.json").unlink()
        store = open_store(study)
        store._connection.execute("UPDATE sessions SET source = ?", (source,))
        store.close()
    return study


@pytest.mark.parametrize("style", ["terminal", "markdown", "latex", "html", "csv"])
def test_a_study_of_simulated_raters_states_so_in_every_format(bench, tmp_path, style):
    study = write_answered(tmp_path / "mine")
    done = bench("table", "3", study, "--world", "mini", "--with-paper", "--format", style)
    assert done.returncode == 0, done.stderr
    assert "simulated raters" in done.stdout
    assert "needs a study" not in done.stdout + done.stderr
    assert "61.1" in done.stdout
    if style == "csv":
        lines = list(csv.DictReader(done.stdout.splitlines()))
        assert {line["judge"] for line in lines} == {"simulated raters"}
        assert {line["n"] for line in lines} == {"96"}
        assert {line["difference"] for line in lines} == {""}
    else:
        title = "Table 3, mini world, simulated raters"
        is_latex = style == "latex"
        assert ("paper, mini world, simulated raters" if is_latex else title) in done.stdout
        assert "plain binomial" in done.stdout


def test_a_study_of_people_is_preferred_and_subtracted_from_the_paper(bench, tmp_path):
    here = tmp_path / "here"
    write_answered(here / "runs" / "simulated-study", PAPER_SYSTEMS, is_mini=False)
    table = ("table", "3", "--with-paper", "--format", "markdown")
    done = bench(*table)
    assert done.returncode == 0, done.stderr
    assert "Table 3, simulated raters" in done.stdout
    assert "| *difference*" not in done.stdout
    write_answered(here / "study", PAPER_SYSTEMS, is_mini=False, source=RATER)
    done = bench(*table)
    assert "simulated" not in done.stdout
    assert "| *difference*" in done.stdout
    # The folder of runs alone has the other one.
    assert "Table 3, simulated raters" in bench(*table, "runs").stdout


def test_without_a_study_the_commands_that_make_and_serve_one_are_printed(bench):
    for done in (bench("table", "3"), bench("reproduce", "3", "--dry-run")):
        assert done.returncode == 0, done.stderr
        text = " ".join((done.stdout + done.stderr).split())
        assert "needs a study" in text
        for command in (
            "bench run --model acfoley --split vggsound-ib0.3",
            "bench run --model mmaudio-large-44k-v2 --split vggsound-ib0.3",
            "bench study design runs/acfoley/vggsound-ib0.3/full-42 "
            "runs/mmaudio-large-44k-v2/vggsound-ib0.3/full-42 --out study",
            "bench study serve study",
            "bench table 3 study --with-paper",
        ):
            assert command in text
    done = bench("table", "3", "--world", "mini")
    assert "bench reproduce 3 --world mini" in " ".join(done.stderr.split())


def test_studies_that_have_no_such_table_are_refused_or_left_out(bench, tmp_path):
    mini, other = write_answered(tmp_path / "mini"), write_answered(tmp_path / "other", ("a", "b"))
    refused(bench("table", "3", mini), "is a study of mini clips: name its world by --world mini")
    refused(bench("table", "3", other, "--world", "mini"), "the study compares a and b")
    refused(bench("reproduce", "3", "--study", mini), "is a study of mini clips")
    refused(bench("reproduce", "3", "--study", tmp_path), "holds no study")
    refused(bench("reproduce", "1", "--study", mini), "--study fills Table 3")
    empty = write_simulable(tmp_path / "here" / "study", systems=MINI_SYSTEMS)
    refused(bench("table", "3", empty, "--world", "mini"), "has no answers yet")
    done = bench("table", "3", "--world", "mini")
    assert done.returncode == 0
    assert "needs a study" in done.stdout
    assert "has no answers yet" in done.stderr


def test_a_file_is_no_study(bench, tmp_path):
    study = write_answered(tmp_path / "study")
    path = tmp_path / "study.json"
    bench("study", "analyse", study, "--json", path)
    refused(bench("table", "3", path), "study.json is a file", "of a study or of runs")
    refused(bench("table", "3", tmp_path / "none"), "holds no finished run")
    refused(bench("table", "1", path), "is a file: a table of the paper is made of folders of")
    for command in ("analyse", "export", "serve", "simulate"):
        refused(bench("study", command, path), "study.json is a file: name the folder of a study")
    refused(bench("reproduce", "3", "--study", path), "is a file: name the folder of a study")


def test_reproduce_shows_a_study_that_is_given(bench, tmp_path):
    study = write_answered(tmp_path / "study", PAPER_SYSTEMS, is_mini=False, source=RATER)
    done = bench("reproduce", "3", "--study", study)
    assert done.returncode == 0, done.stderr
    assert "needs a study" not in done.stdout + done.stderr
    page = (tmp_path / "here" / "runs" / "reproduction.md").read_text()
    assert "simulated" not in page
    assert "| Temporal alignment: Win rate | " in page
    assert "| 96 | 61.1 |" in page
    assert "Table 3: Preference of raters" in page


@pytest.fixture
def reproduce(bench, mini_home, monkeypatch):
    """Run ``bench reproduce 3`` on rendered clips, on a table of two simple systems."""
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    columns = load_table(3).columns

    def call(first="ground-truth", second="silence", *arguments):
        mini = [DeclaredRun(each, "mini", "mini", 128) for each in (first, second)]
        rows = tuple(PublishedRow(r.system, "", {}, {}, {"mini": r, "paper": r}) for r in mini)
        pair = DeclaredRun(first, "mini", "study", 16, against=second, missing="needs a study")
        of_votes = PublishedRow("Pair", "", {"temporal_win": 61.1}, {}, {"mini": pair})
        tables = (
            published.PublishedTable(1, "runs", (), rows),
            published.PublishedTable(3, "votes", columns, (of_votes,)),
        )
        monkeypatch.setattr(published, "load_tables", lambda: tables)
        options = ("--world", "mini", "--limit", 3, "--workers", 0)
        return bench("reproduce", "3", *options, *arguments)

    return call


def test_the_mini_world_rehearses_a_study_once(reproduce, bench, tmp_path):
    here = tmp_path / "here"
    done = reproduce()
    assert done.returncode == 0, done.stderr
    assert "Table 3 is of simulated raters" in " ".join(done.stderr.split())
    assert "Table 3, mini world, simulated raters" in done.stdout
    page = (here / "runs" / "reproduction.md").read_text()
    assert "Table 3, mini world, simulated raters" in page
    assert "nobody watched a video" in page
    assert "| Pair | " in page
    assert "| 93 | 61.1 |  |" in page  # 31 raters with 3 videos each, and no difference
    study = here / "runs" / "simulated-study"
    assert "ground-truth" in (study / "design.toml").read_text()
    before = (study / "design.toml").stat().st_mtime_ns
    assert reproduce().returncode == 0
    assert (study / "design.toml").stat().st_mtime_ns == before
    # The study has scores of its own, and is no run.
    assert all("simulated-study" not in str(path) for path in find_finished_runs(here / "runs"))
    done = bench("table", "3", "--world", "mini")
    assert "Table 3, mini world, simulated raters" in done.stdout
    # Other runs are another study.
    assert reproduce("reference-loop").returncode == 0
    assert "reference-loop" in (study / "design.toml").read_text()


def test_without_a_run_or_a_free_folder_the_row_states_why(reproduce, tmp_path):
    done = reproduce("unknown-one")
    assert done.returncode == 0, done.stderr
    assert "no run of unknown-one" in done.stdout
    study = tmp_path / "here" / "runs" / "simulated-study"
    study.mkdir()
    (study / "mine.txt").touch()
    done = reproduce()
    assert done.returncode == 1
    assert "is no study of simulated raters" in " ".join(done.stderr.split())
    assert "failed" in done.stdout
    page = (tmp_path / "here" / "runs" / "reproduction.md").read_text()
    assert "Pair: no study: " in page
    assert "is no study of simulated raters" in page
    assert [path.name for path in study.iterdir()] == ["mine.txt"]
    shutil.rmtree(study)


def test_runs_beside_a_design_are_found(tmp_path):
    for folder in ("private", "a/mini/full-42"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "scores.json").touch()
    (tmp_path / "design.toml").touch()
    found = [str(path.relative_to(tmp_path)) for path, files in walk_runs(tmp_path) if files]
    assert found == [".", "a/mini/full-42"]
