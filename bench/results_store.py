"""All runs below a folder as tables for SQL: ``runs``, ``aggregates``, ``clips``.

docs/results.md has their columns. Only results whose files have the digests that ``bench run``
wrote beside them are read: files that are foreign, edited or half-written are refused, each with
its reason. DuckDB gets the rows and no access to files, the network or its own settings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import BenchError, RunError
from bench.results import DIGESTS_VERSION, HASHED_FILES, Results, load_results, walk_runs
from bench.untrusted import read_json_strictly

if TYPE_CHECKING:
    import duckdb

#: The columns of ``runs`` and ``aggregates`` with their types.
RUN_COLUMNS = {
    **dict.fromkeys(("run", "system", "split", "condition"), "VARCHAR"),
    **{"seed": "BIGINT", "judge": "VARCHAR", "profile": "VARCHAR"},
    **dict.fromkeys(("suite_version", "protocol_version", "n", "expected", "failures"), "BIGINT"),
    **{"is_mini": "BOOLEAN", "is_anchor": "BOOLEAN", "clip_list": "VARCHAR"},
    **{"date": "TIMESTAMP", "device": "VARCHAR", "hours": "DOUBLE"},
}
AGGREGATE_COLUMNS = {
    **{"run": "VARCHAR", "metric": "VARCHAR"},
    **dict.fromkeys(("value", "low", "high"), "DOUBLE"),
    **{"n": "BIGINT", "chance": "DOUBLE"},
    **dict.fromkeys(("unit", "direction", "reason"), "VARCHAR"),
}
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    # A table of SQL is never a variable of this program.
    "python_enable_replacements": "false",
}


@dataclass(frozen=True)
class Refusal:
    """A folder that looks like a result and is not read, and why."""

    directory: Path
    reason: str


@dataclass(frozen=True)
class StoredRun:
    """A result whose files are as ``bench run`` wrote them; ``name`` is its path below the root."""

    name: str
    directory: Path
    results: Results
    provenance: dict[str, Any]
    seconds_per_clip: dict[str, float]


class ResultsStore:
    """The runs that could be read, to be asked by SQL, and those that were refused."""

    def __init__(
        self, runs: Sequence[StoredRun], refused: Sequence[Refusal] = (), n_read: int | None = None
    ) -> None:
        self.runs = tuple(runs)
        self.refused = tuple(refused)
        #: How many could be read, before any condition.
        self.n_read = len(runs) if n_read is None else n_read

    def select(self, conditions: Iterable[str]) -> ResultsStore:
        """Return the store of the runs for which every SQL condition on ``runs`` holds.

        Raises:
            BenchError: a condition is no SQL, or names a column that ``runs`` has not.
        """
        # Each on a line of its own, so that a comment at the end of one hides nothing.
        clauses = [f"(\n{each}\n)" for each in conditions]
        if not clauses:
            return self
        sql = f"SELECT run FROM runs WHERE {' AND '.join(clauses)}"  # noqa: S608 - read-only
        names = set(self._query(sql, "--where")["run"].to_pylist())
        chosen = [each for each in self.runs if each.name in names]
        return ResultsStore(chosen, self.refused, self.n_read)

    def query(self, sql: str) -> pa.Table:
        """Return the rows of one SELECT over ``runs``, ``aggregates`` and ``clips``.

        Raises:
            BenchError: it is no SQL, more or something else than one SELECT, or reads anything
                but these tables.
            RunError: the scores of a run cannot be read.
        """
        return self._query(sql, "--sql")

    def _query(self, sql: str, option: str) -> pa.Table:
        import duckdb

        with duckdb.connect(config=SETTINGS) as connection:
            _fill(connection, "runs", RUN_COLUMNS, map(_describe_run, self.runs))
            scores = (row for run in self.runs for row in _list_aggregates(run))
            _fill(connection, "aggregates", AGGREGATE_COLUMNS, scores)
            # Per-clip scores are nearly all of the reading: only where the query can mean them.
            if "clips" in sql.casefold():
                _add_clips(connection, self.runs)
            connection.execute("SET lock_configuration = true")
            try:
                _require_select(connection, sql, option)
                return connection.sql(sql).to_arrow_table()
            except duckdb.Error as error:
                # The lines after the first show where in the text; an error is one sentence here.
                message = " ".join(str(error).partition("\n\n")[0].split())
                raise BenchError(f"{option}: {message} (docs/results.md has the tables)") from error


def open_store(root: Path) -> ResultsStore:
    """Read every result in and below a folder; those that cannot be trusted are refused.

    Raises:
        RunError: there is none.
    """
    runs: list[StoredRun] = []
    refused: list[Refusal] = []
    folders = walk_runs(root)
    finished = [folder for folder, files in folders if "scores.json" in files]
    for folder, files in folders:
        try:
            if {"scores.json", "scores.parquet"} & files:
                runs.append(_read_run(folder, root))
            elif "run.json" in files and not any(each.is_relative_to(folder) for each in finished):
                raise RunError("it is not finished: the same `bench run` goes on")
        except BenchError as error:
            refused.append(Refusal(folder, str(error)))
    if not runs and not refused:
        raise RunError(f"{root} holds no run: there is no scores.json in or below it")
    return ResultsStore(runs, refused)


def _read_run(directory: Path, root: Path) -> StoredRun:
    require_digests(directory)
    results = load_results(directory)
    run_file = _find_run_file(directory, root)
    about = _read_object(run_file)
    provenance = _read_object(directory / "provenance.json")
    names = ("system", "split", "condition", "seed")
    stated, seconds = about.get("configuration"), about.get("seconds_per_clip", {})
    is_same = isinstance(stated, dict) and all(
        stated.get(name) == getattr(results, name) for name in names
    )
    if not is_same:
        raise RunError(f"its scores are of another run than {run_file} describes")
    # No digest covers this file, to which every stage adds its time.
    if not isinstance(seconds, dict) or not all(
        type(each) in (int, float) for each in seconds.values()
    ):
        raise RunError(f"{run_file} has seconds_per_clip that are no numbers: edited; run it again")
    name = directory.relative_to(root).as_posix()
    return StoredRun(name, directory, results, provenance, seconds)


def require_digests(directory: Path) -> None:
    """Refuse a result whose files are not those that were written together.

    Raises:
        RunError: ``digests.json`` is missing, is of another version or has other digests.
    """
    path = directory / "digests.json"
    if not path.is_file():
        raise RunError(
            "it has no digests.json: foreign, half-written or of an earlier version; "
            "the same `bench run` again adds it"
        )
    written = _read_object(path)
    files = written.get("files")
    is_other = written.get("version") != DIGESTS_VERSION
    if is_other or not isinstance(files, dict) or set(files) != set(HASHED_FILES):
        raise RunError(f"its digests.json is not of version {DIGESTS_VERSION}; run it again")
    for name, digest in files.items():
        if _hash(directory / name) != digest:
            raise RunError(
                f"its {name} is not the file that `bench run` wrote: edited, half-written or "
                "copied; run it again"
            )


def _hash(path: Path) -> str:
    if not path.is_file():
        return ""
    # Not from the memory of digests: an edit within its resolution would go unnoticed.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_run_file(directory: Path, root: Path) -> Path:
    """The ``run.json`` of a result, which for a part of a run or another judge is further out."""
    for folder in (directory, *directory.parents):
        if (folder / "run.json").is_file():
            return folder / "run.json"
        if folder == root:
            break
    raise RunError("there is no run.json in or above it: it is not the result of a run")


def _read_object(path: Path) -> dict[str, Any]:
    found = read_json_strictly(path)
    if not isinstance(found, dict):
        raise RunError(f"its {path.name} holds no JSON object")
    return found


def _describe_run(run: StoredRun) -> dict[str, Any]:
    results, facts = run.results, run.provenance
    same = ("system", "split", "condition", "seed", "judge", "profile", "suite_version")
    return {
        "run": run.name,
        **{name: getattr(results, name) for name in (*same, "protocol_version")},
        **{"n": results.scored, "expected": results.expected, "failures": results.failed},
        **{"is_mini": results.is_mini, "is_anchor": results.is_anchor, "clip_list": results.clips},
        "date": _parse_date(facts.get("created")),
        "device": facts.get("device"),
        "hours": sum(run.seconds_per_clip.values()) * results.scored / 3600,
    }


def _parse_date(text: str | None) -> datetime | None:
    """The date in UTC, without its zone: DuckDB needs an extension for dates with one."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None) if text else None


def _list_aggregates(run: StoredRun) -> Iterator[dict[str, Any]]:
    for column in run.results.columns:
        score = run.results.metrics[column.name]
        yield {
            **{"run": run.name, "metric": column.name},
            **{name: getattr(score, name) for name in ("value", "low", "high", "n", "chance")},
            **{"unit": column.unit, "direction": column.better, "reason": score.reason},
        }


def _fill(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, str],
    rows: Iterable[Mapping[str, Any]],
) -> None:
    types = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    connection.execute(f"CREATE TABLE {table} ({types})")
    # One list of structs instead of a call per row, and no table of pyarrow: to make one of Python
    # values, pyarrow imports pandas, which takes longer than all else here.
    ordered = [{name: row[name] for name in columns} for row in rows]
    if ordered:
        connection.execute(
            f"INSERT INTO {table} SELECT unnest(?, recursive := true)",  # noqa: S608 - ours
            [ordered],
        )


def _add_clips(connection: duckdb.DuckDBPyConnection, runs: Sequence[StoredRun]) -> None:
    """Add the view ``clips``: the rows of every ``scores.parquet``, with the name of the run.

    ``group``, a word of SQL, is ``group_name`` there. Only the columns of a query are read of it.
    """
    parts = ["SELECT '' AS run, '' AS clip, '' AS group_name, '' AS cluster WHERE false"]
    for number, run in enumerate(runs):
        connection.register(f"scores_{number}", _read_rows(run.directory / "scores.parquet"))
        name = run.name.replace("'", "''")
        parts.append(
            f"SELECT '{name}' AS run, clip, \"group\" AS group_name, "  # noqa: S608 - quoted
            f'* EXCLUDE (clip, "group") FROM scores_{number}'
        )
    connection.execute("CREATE VIEW clips AS " + " UNION ALL BY NAME ".join(parts))


def _read_rows(path: Path) -> pa.Table:
    try:
        return pq.read_table(path).replace_schema_metadata(None)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"cannot read {path}: {error}; run it again") from error


def _require_select(connection: duckdb.DuckDBPyConnection, sql: str, option: str) -> None:
    import duckdb

    kinds = [each.type for each in connection.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        found = " and ".join(kind.name for kind in kinds) or "nothing"
        raise BenchError(f"{option} takes one SELECT statement, found {found}")


def as_json(table: pa.Table) -> str:
    """Return rows as a list of JSON objects; null for what JSON has no number for.

    Raises:
        BenchError: two columns have one name, of which an object would lose one.
    """
    if len(set(table.column_names)) < table.num_columns:
        raise BenchError("two columns have one name: give each its own with AS")
    return json.dumps(_finite(table.to_pylist()), indent=2, ensure_ascii=False, default=str) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def as_csv(table: pa.Table) -> str:
    """Return rows as CSV below the names of the columns; nothing for NULL.

    Raises:
        BenchError: a column holds lists or structs.
    """
    from pyarrow import csv

    buffer = BytesIO()
    try:
        csv.write_csv(table, buffer, csv.WriteOptions(quoting_style="needed"))
    except pa.ArrowException as error:
        raise BenchError(f"CSV cannot hold these columns ({error}): use json or parquet") from error
    return buffer.getvalue().decode()
