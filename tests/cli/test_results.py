"""``bench results``: all runs as tables, what is read, refused, and answered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bench.errors import BenchError, RunError
from bench.io import read_json, write_json
from bench.results import HASHED_FILES, write_digests
from bench.results_store import open_store
from tests.conftest import ROOT
from tests.pipeline.finished import write_run

N = 6


def write_stored(root: Path, system: str, scores: dict, *, inside: str = "", **about) -> Path:
    """A finished run in its place below ``root``, with all that ``bench run`` writes."""
    run = root / system / "mini" / "full-42"
    folder = write_run(run / inside, scores, system=system, **about)
    (folder / "failures.jsonl").write_text("")
    write_json(
        folder / "provenance.json", {"created": "2026-11-29T01:00:00+02:00", "device": "cpu"}
    )
    write_digests(folder)
    about = {"system": system, "split": "mini", "condition": "full", "seed": 42}
    write_json(run / "run.json", {"configuration": about, "seconds_per_clip": {"score": 600.0}})
    return folder


@pytest.fixture
def runs(tmp_path) -> Path:
    """Three results of two systems: one of a part of its clips, with other columns."""
    mcd = np.arange(N, dtype=float)
    by = {"by_action": np.array(["tap", "rub"] * 3)}
    write_stored(tmp_path, "oracle", {"mcd": mcd})
    write_stored(tmp_path, "reference-loop", {"mcd": mcd * 2})
    holes = {"mcd": np.array([np.nan, 1.0]), "onset_acc": np.array([0.5, 1.0])}
    write_stored(tmp_path, "reference-loop", holes, inside="first-2")
    for path in tmp_path.rglob("scores.parquet"):  # write_run knows columns of scores alone
        _add_columns(path, {name: values[:] for name, values in by.items()})
        write_digests(path.parent)
    return tmp_path


def _add_columns(path: Path, columns: dict) -> None:
    import pandas as pd

    rows = pd.read_parquet(path)
    for name, values in columns.items():
        rows[name] = values[: len(rows)]
    rows.to_parquet(path, index=False)


def ask(runs: Path, sql: str) -> list[dict]:
    return open_store(runs).query(sql).to_pylist()


def test_a_run_is_a_row_with_what_it_is_and_when_and_how_long(runs):
    rows = ask(runs, "FROM runs ORDER BY run")
    names = [row["run"] for row in rows]
    assert names == [
        "oracle/mini/full-42",
        "reference-loop/mini/full-42",
        "reference-loop/mini/full-42/first-2",
    ]
    first = rows[0]
    assert (first["system"], first["seed"], first["judge"], first["n"]) == ("oracle", 42, "mini", N)
    assert str(first["date"]) == "2026-11-28 23:00:00"
    assert first["hours"] == 1.0


def test_clips_of_several_runs_join_and_missing_values_are_null_not_nan(runs):
    found = ask(
        runs,
        "SELECT clip, b.mcd - a.mcd AS loss FROM clips a JOIN clips b USING (clip) "
        "WHERE a.run = 'oracle/mini/full-42' AND b.run = 'reference-loop/mini/full-42' "
        "ORDER BY clip",
    )
    assert [row["loss"] for row in found] == list(range(N))
    part = ask(runs, "SELECT avg(mcd) AS m, count(*) AS n FROM clips WHERE run LIKE '%first-2'")
    assert part == [{"m": 1.0, "n": 2}]
    others = ask(runs, "SELECT count(onset_acc) AS n FROM clips WHERE run NOT LIKE '%first-2'")
    assert others == [{"n": 0}]


def test_the_aggregates_are_those_of_the_results_with_unit_and_direction(runs):
    (row,) = ask(runs, "FROM aggregates WHERE metric = 'mcd' AND run LIKE 'oracle/%'")
    assert (row["value"], row["n"], row["unit"], row["direction"]) == (2.5, N, "dB", "lower")


def test_conditions_choose_runs_in_every_table(runs):
    store = open_store(runs).select(["system = 'oracle' -- a comment", "n = 6"])
    for table in ("runs", "aggregates", "clips"):
        sql = f"SELECT DISTINCT run FROM {table}"  # noqa: S608
        assert store.query(sql).to_pylist() == [{"run": "oracle/mini/full-42"}]
    assert open_store(runs).select(["false"]).query("SELECT run FROM clips").num_rows == 0


def test_every_example_of_the_documentation_runs(runs):
    examples = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/results.md").read_text(), re.DOTALL)
    assert len(examples) >= 5
    for sql in examples:
        assert ask(runs, sql), sql


def test_the_documentation_names_every_column_with_its_type(runs):
    text = (ROOT / "docs/results.md").read_text()
    for table in ("runs", "aggregates"):
        section = text.split(f"`{table}`, a row per")[1].split("\n\n")[1]
        documented = {
            name: line.split("|")[2].strip()
            for line in section.splitlines()[2:]
            for name in re.findall(r"`(\w+)`", line.split("|")[1])
        }
        found = ask(runs, f"SELECT column_name, column_type FROM (DESCRIBE {table})")  # noqa: S608
        assert {row["column_name"]: row["column_type"] for row in found} == documented


@pytest.mark.parametrize("name", HASHED_FILES)
def test_an_edited_file_is_refused_by_name_and_the_others_are_read(runs, name):
    folder = runs / "oracle/mini/full-42"
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    store = open_store(runs)
    assert [each.directory for each in store.refused] == [folder]
    assert store.refused[0].reason.startswith(f"its {name} is not the file that `bench run` wrote")
    assert len(store.runs) == 2


def _lose(name):
    return lambda folder: (folder / name).unlink()


def _edit(name, **changes):
    return lambda folder: write_json(folder / name, {**read_json(folder / name), **changes})


def _of_another_system(folder):
    facts = read_json(folder / "run.json")
    write_json(folder / "run.json", {**facts, "configuration": {"system": "other"}})


def _of_another_version(folder):
    write_json(folder / "digests.json", {**read_json(folder / "digests.json"), "version": 9})


def _earlier_scores(folder):
    found = read_json(folder / "scores.json")
    write_json(folder / "scores.json", {k: v for k, v in found.items() if k != "made_by"})
    write_digests(folder)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_lose("digests.json"), "it has no digests.json"),
        (_lose("scores.parquet"), "its scores.parquet is not the file"),
        (_lose("scores.json"), "its scores.json is not the file"),
        (_lose("run.json"), "there is no run.json in or above it"),
        (_of_another_system, "its scores are of another run than"),
        (_of_another_version, "its digests.json is not of version 1"),
        (_earlier_scores, "scores.json is not a result of this version"),
        (lambda folder: (folder / "digests.json").write_text("{"), "cannot read"),
        (lambda folder: (folder / "digests.json").write_text("[]"), "holds no JSON object"),
        (_edit("digests.json", files=[*HASHED_FILES]), "its digests.json is not of version 1"),
        (_edit("digests.json", files=None), "its digests.json is not of version 1"),
        (_edit("run.json", configuration=[]), "its scores are of another run than"),
        (_edit("run.json", seconds_per_clip={"score": "1"}), "has seconds_per_clip that are no"),
        (_edit("run.json", seconds_per_clip=[1.0]), "has seconds_per_clip that are no"),
    ],
)
def test_what_is_foreign_or_half_written_is_refused(runs, damage, words):
    folder = runs / "oracle/mini/full-42"
    damage(folder)
    (refused,) = open_store(runs).refused
    assert refused.directory == folder
    assert words in refused.reason
    assert "\n" not in refused.reason


def test_a_run_without_scores_is_not_finished_and_counted(runs):
    write_json(runs / "noise/mini/full-42/run.json", {})
    (refused,) = open_store(runs).refused
    assert "it is not finished" in refused.reason
    with pytest.raises(RunError, match="holds no run"):
        open_store(runs / "oracle/mini/full-42/nothing")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC"'),
        ("SELECT nope FROM runs", '"nope" not found'),
        ("SELECT * FROM read_text('/etc/hostname')", "disabled by configuration"),
        ("SELECT * FROM glob('/*')", "disabled by configuration"),
        ("SELECT * FROM '/etc/hostname'", "does not exist"),
        ("COPY runs TO 'out.csv'", "takes one SELECT statement, found COPY"),
        ("DROP TABLE runs", "takes one SELECT statement, found DROP"),
        ("SET enable_external_access = true", "takes one SELECT statement, found SET"),
        ("SELECT 1; SELECT 2", "found SELECT and SELECT"),
        ("", "found nothing"),
    ],
)
def test_sql_reads_the_tables_and_nothing_else(runs, sql, words):
    with pytest.raises(BenchError) as error:
        ask(runs, sql)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_condition_is_no_way_around_it(runs):
    with pytest.raises(BenchError, match="--where takes one SELECT"):
        open_store(runs).select(["true); DROP TABLE runs; SELECT (1"])


def test_names_of_folders_are_text_whatever_they_hold(tmp_path):
    write_stored(tmp_path, "o'x [*]", {"mcd": np.ones(2)})
    assert [row["run"] for row in ask(tmp_path, "FROM clips")] == ["o'x [*]/mini/full-42"] * 2


def test_samples_and_features_of_a_run_are_not_searched(runs):
    inner = runs / "oracle/mini/full-42/features/a"
    inner.mkdir(parents=True)
    (inner / "scores.json").write_text("{}")
    assert open_store(runs).refused == ()


def test_the_command_lists_exports_and_ends_with_1_where_something_is_refused(runs, bench):
    listed = bench("results", "--runs", runs)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "3 rows" in listed.stdout
    exported = bench(
        "results", "--runs", runs, "--format", "json", "--sql", "SELECT [1, 'nan'::FLOAT] x"
    )
    assert json.loads(exported.stdout) == [{"x": [1.0, None]}]
    csv = bench("results", "--runs", runs, "--format", "csv", "--where", "system = 'oracle'")
    assert len(csv.stdout.splitlines()) == 2
    for name in ("csv", "json", "parquet"):
        arguments = ("--format", name, "--out", runs / f"all.{name}", "--sql", "FROM clips")
        assert bench("results", "--runs", runs, *arguments).stdout == ""
    import pandas as pd

    assert len(pd.read_parquet(runs / "all.parquet")) == 2 * N + 2
    (runs / "oracle/mini/full-42/digests.json").unlink()
    refused = bench("results", "--runs", runs)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[0] == "1 of 3 results are refused and left out:"
    assert "2 rows" in refused.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--format", "latex"), "no format 'latex'; there are: terminal, csv, json, parquet"),
        (("--out", "x"), "--out needs --format"),
        (("--format", "parquet"), "--format parquet needs --out FILE"),
        (("--format", "csv", "--sql", "SELECT [1] x"), "CSV cannot hold these columns"),
        (("--sql", ""), "found nothing"),
        (
            ("--format", "json", "--sql", "SELECT a.*, b.* FROM runs a, runs b"),
            "two columns have one name",
        ),
    ],
)
def test_invalid_options_are_refused(runs, bench, options, words):
    done = bench("results", "--runs", runs, *options)
    assert done.returncode == 2
    assert words in done.stderr
