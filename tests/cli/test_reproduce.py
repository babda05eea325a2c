"""``bench reproduce``: what it plans, runs, resumes, and writes beside the paper's values."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from reports import published
from reports.published import DeclaredRun, PublishedRow, PublishedTable, load_table
from tests.cli.conftest import refused

#: Two systems: a click every half second, which stops the process where a file says so, and one
#: that cannot be opened.
MINE = """
import numpy as np
from pathlib import Path
from bench.system import System, one_by_one
from bench.types import Audio

def sound(request):
    with Path("made.txt").open("a") as file:
        file.write(request.name + "\\n")
    if Path("stop").is_file() and Path("stop").read_text() == request.name:
        raise KeyboardInterrupt
    samples = np.zeros((1, int(8_000 * request.seconds)), np.float32)
    samples[0, ::4_000] = 0.9
    return Audio(samples, 8_000)

def open_mine(device):
    return one_by_one(sound)

def open_broken(device):
    raise RuntimeError("no such kernel")

MINE = System("mine", "clicks", frozenset({"video"}), open_mine)
BROKEN = System("broken", "nothing", frozenset({"video"}), open_broken)
"""


@pytest.fixture
def reproduce(bench, tmp_path, mini_home, monkeypatch):
    """Run ``bench reproduce`` in this process on rendered clips, on a table of some systems."""
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "mine.py").write_text(MINE)

    def call(*arguments: object, systems: tuple[str, ...] = ("silence",)):
        rows = tuple(make_row(system) for system in systems)
        columns = tuple(c for c in load_table(2).columns if c.name != "onset_ap")
        table = PublishedTable(2, "some systems", columns, rows)
        monkeypatch.setattr(published, "load_tables", lambda: (table,))
        return bench("reproduce", "2", "--world", "mini", "--workers", 0, *arguments)

    return call


def make_row(system: str) -> PublishedRow:
    missing = "" if system else "no mini form"
    run = DeclaredRun(system, "mini", "mini", 128, missing=missing)
    values = {"onset_acc": 0.3, "mcd": 4.0}
    return PublishedRow(f"Row {system}", "", values, {}, {"mini": run, "paper": run})


def read_scores(folder, system):
    path = folder / "runs" / system / "mini" / "full-42" / "first-2" / "scores.json"
    return json.loads(path.read_text())


def test_a_table_is_run_printed_and_written_with_the_numbers_of_its_runs(reproduce, tmp_path):
    here = tmp_path / "here"
    systems = ("silence", "reference-loop", "unknown-one", "")
    done = reproduce("--limit", 2, systems=systems)
    assert done.returncode == 0, done.stderr
    assert "2 can run here, 1 cannot" in " ".join(done.stderr.split())
    assert "unknown-one: no system of this name here" in done.stderr
    assert "no such system" in done.stdout
    assert "no mini form" in done.stdout
    page = (here / "runs" / "reproduction.md").read_text()
    for system in ("silence", "reference-loop"):
        found = read_scores(here, system)
        for label, name, decimals in (("Onset Acc.", "onset_acc", 4), ("MCD", "mcd", 2)):
            score = found["metrics"][name]
            value, low, high = (f"{score[k]:.{decimals}f}" for k in ("value", "low", "high"))
            paper = {"onset_acc": "0.3000", "mcd": "4.00"}[name]
            assert (
                f"| Row {system} | {label} | {value} | {low} to {high} | 2 | {paper} |  |" in page
            )
        assert found["clips"] in page
    assert "Row silence, Row reference-loop: only the first 2 of 128 clips" in page
    assert "Row unknown-one: no run: no system of this name here" in page
    assert "Row : no run: no mini form" in page
    assert "bench reproduce 2 --world mini --limit 2" in page


def test_a_finished_run_is_not_done_again_and_needs_no_clips(reproduce, tmp_path, monkeypatch):
    here = tmp_path / "here"
    assert reproduce("--limit", 2).returncode == 0
    path = here / "runs" / "silence" / "mini" / "full-42" / "run.json"
    before = path.stat().st_mtime_ns
    done = reproduce("--limit", 2)
    assert done.returncode == 0
    assert "1 finished" in done.stderr
    assert path.stat().st_mtime_ns == before
    # Other clips are another run.
    assert "1 can run here" in " ".join(reproduce("--limit", 1, "--dry-run").stdout.split())
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / "empty"))
    done = reproduce("--limit", 2, "--dry-run")
    assert "1 finished" in done.stdout
    assert "to render" not in done.stdout
    # But for another version of the suite it has to be scored again, with its clips.
    path = path.parent / "first-2" / "scores.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "suite_version": 0}))
    done = reproduce("--limit", 2, "--dry-run")
    assert "0 finished, 1 can run here" in " ".join(done.stdout.split())


def test_an_interrupted_run_goes_on_where_it_stopped(reproduce, tmp_path):
    here = tmp_path / "here"
    systems = ("silence", "mine:MINE")
    (here / "stop").write_text("mini_000001")
    done = reproduce("--limit", 2, systems=systems)
    assert done.returncode == 130
    assert "the same command goes on from here" in " ".join(done.stderr.split())
    assert not (here / "runs" / "reproduction.md").exists()
    (here / "stop").unlink()
    done = reproduce("--limit", 2, "--dry-run", systems=systems)
    assert "1 finished, 1 can run here" in " ".join(done.stdout.split())
    assert reproduce("--limit", 2, systems=systems).returncode == 0
    # The clip that was in work is made twice, the one before it once.
    made = (here / "made.txt").read_text().split()
    assert made == ["mini_000000", "mini_000001", "mini_000001"]
    assert "Row mine:MINE" in (here / "runs" / "reproduction.md").read_text()


def test_a_run_that_fails_stops_no_other_and_the_command_exits_with_1(reproduce, tmp_path):
    done = reproduce("--limit", 2, systems=("mine:BROKEN", "silence"))
    assert done.returncode == 1, done.stderr
    assert "failed: " in done.stderr
    assert "Row mine:BROKEN" in done.stdout
    assert "failed" in done.stdout
    assert read_scores(tmp_path / "here", "silence")["scored"] == 2
    page = (tmp_path / "here" / "runs" / "reproduction.md").read_text()
    assert "no such kernel" in page
    assert "Traceback" not in page


def test_mini_clips_that_are_missing_are_rendered_first(reproduce, tmp_path, home, monkeypatch):
    monkeypatch.setenv("BENCH_HOME", str(home))
    done = reproduce("--limit", 1, "--dry-run")
    assert "mini clips to render first: 1" in done.stdout
    assert not (home / "data").exists()
    assert reproduce("--limit", 1).returncode == 0
    assert (home / "data" / "mini" / "mini_000000.mp4").is_file()


def test_without_weights_and_data_every_piece_is_named_once_with_its_command(bench):
    done = bench("reproduce", "all", "--dry-run")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    for command in (
        "bench data prepare vggsound --from PATH",
        "bench data filter vggsound",
        "bench data prepare greatesthits --from PATH",
        "bench data prepare wavcaps --from PATH",
        "bench weights fetch passt panns vggish imagebind synchformer",
        "acfoley fetch --preset acfoley",
        "acfoley train --preset overlap-only",
        "acfoley train --preset non-overlap-only",
        "acfoley train --preset two-stage-without-finetuning",
        "acfoley train --preset attention-pooling",
        "acfoley train --preset clap-encoder",
        "bench weights fetch clap",
        "bench systems setup v-aura",
        "needs its published samples",
    ):
        assert text.count(command) == 1, command
    assert "1 (needs a study)" in text
    assert "CC-BY-NC-4.0" in text
    hours = re.search(r"left: ([\d.]+) GPU hours, ([\d.]+) GiB of disk", text)
    assert hours
    # Table 7 alone: two runs of 77,230 clips at 5 s, and 90 kB for a second of audio.
    assert float(hours[1]) > 2 * 77_230 * 5 / 3_600
    assert float(hours[2]) > 2 * 77_230 * 8 * 90_000 / 2**30
    assert max(map(len, done.stdout.splitlines())) <= 110


def test_where_nothing_can_start_the_command_is_refused_after_the_plan(bench, tmp_path):
    done = bench("reproduce", "1", "5")
    refused(done, "none of these runs is finished or can start here", "acfoley fetch")
    assert not (tmp_path / "here" / "runs").exists()


def test_a_table_that_needs_a_study_names_that(bench, tmp_path):
    done = bench("reproduce", "3", "--out", "page.md")
    assert done.returncode == 0, done.stderr
    assert "needs a study" in done.stdout
    assert "no study: needs a study" in (tmp_path / "here" / "page.md").read_text()


def test_the_fine_tuned_row_of_table_4_has_no_mini_form(bench):
    done = bench("reproduce", "4", "--world", "mini", "--dry-run")
    assert "rows without a run: 1 (no mini form)" in done.stdout
    assert "3 can run here" in " ".join(done.stdout.split())


def test_unknown_tables_worlds_and_targets_are_refused(bench, tmp_path):
    refused(bench("reproduce", "8"), "no Table '8' in the paper; there are 1 to 7, or all")
    refused(bench("reproduce", "1", "--world", "real"), "no world 'real'; there are: paper, mini")
    assert bench("reproduce", "--limit", "0").returncode == 2
    (tmp_path / "here" / "folder").mkdir(parents=True)
    done = bench("reproduce", "3", "--out", "folder")
    refused(done, "folder is a folder; name a file")


def test_old_samples_are_a_piece_that_is_missing_until_yes(reproduce, tmp_path, monkeypatch):
    assert reproduce("--limit", 2, systems=("mine:MINE",)).returncode == 0
    path = tmp_path / "here" / "mine.py"
    path.write_text(MINE.replace("0.9", "0.5").replace("open_mine)", "open_mine, version='2')"))
    monkeypatch.setattr("bench.pipeline.samples.LONGEST_UNASKED_S", 0.0)
    done = reproduce("--limit", 2, "--dry-run", systems=("mine:MINE",))
    assert "needs 1" in done.stdout
    assert "--yes" in done.stdout
    done = reproduce("--limit", 2, "--dry-run", "--yes", systems=("mine:MINE",))
    assert "1 can run here" in " ".join(done.stdout.split())
    shutil.rmtree(tmp_path / "here" / "runs")


def test_what_rendering_shows_to_be_missing_is_named_in_the_table_and_on_the_page(
    reproduce, tmp_path, home, monkeypatch
):
    assert reproduce("--limit", 2, systems=("mine:MINE",)).returncode == 0
    path = tmp_path / "here" / "mine.py"
    path.write_text(MINE.replace("0.9", "0.5").replace("open_mine)", "open_mine, version='2')"))
    monkeypatch.setattr("bench.pipeline.samples.LONGEST_UNASKED_S", 0.0)
    # Without clips nothing is known of the old samples of the two that were run.
    monkeypatch.setenv("BENCH_HOME", str(home))
    done = reproduce("--limit", 3, systems=("mine:MINE", "silence"))
    assert "2 can run here" in " ".join(done.stderr.split())
    assert "old samples" in done.stdout
    assert "--yes" in (tmp_path / "here" / "runs" / "reproduction.md").read_text()
