"""``bench leaderboard``: a static page of finished runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

    from bench.results import Results
    from bench.verification import Verification
    from reports.leaderboard import Entry


def leaderboard(
    runs: Annotated[list[Path], typer.Argument(help="Run directories, or folders of runs.")],
    out: Annotated[Path, typer.Option(help="The folder of the page and its data.")] = Path("board"),
    title: Annotated[str, typer.Option(help="The heading of the page.")] = "Leaderboard",
    verified: Annotated[
        Path | None,
        typer.Option(
            help="A folder of files of bench verify --json. Name your own: a submission may bring "
            "its own verify.json.",
            show_default="verify.json beside the scores",
        ),
    ] = None,
    ranks: Annotated[
        bool,
        typer.Option("--ranks", help="Also print ranks with intervals, by a bootstrap over clips."),
    ] = False,
    extras: Annotated[
        bool, typer.Option("--extras", help="Also print columns that the paper does not have.")
    ] = False,
    bounds: Annotated[
        bool,
        typer.Option(
            "--bounds/--no-bounds",
            help="Also print floor and ceiling, where they are computed; with --verified only "
            "those that are runs.",
        ),
    ] = True,
) -> None:
    """Write a page, board.json and board.csv of runs: one board per protocol, split and judge."""
    from bench.cli.console import notices
    from bench.io import atomic_path, require_folder, write_json
    from bench.verification import read_verifications
    from reports.leaderboard import as_board_csv, as_board_json, build_boards
    from reports.leaderboard_page import as_page

    known = read_verifications(verified) if verified else None
    entries = list(_read_entries(runs, known, with_rows=ranks))
    if bounds and known is None:  # nobody has checked those that a submission brings
        entries += _read_bounds(runs, entries)
    boards = build_boards(entries, extras=extras)
    require_folder(out)
    write_json(out / "board.json", as_board_json(boards))
    texts = {"board.csv": as_board_csv(boards), "index.html": as_page(boards, title)}
    for name, text in texts.items():
        with atomic_path(out / name) as temporary:
            # A name of a system may hold what is no UTF-8; it must not cost the page.
            temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    n_runs = sum(not entry.results.is_anchor for entry in entries)
    found = f"{n_runs} {'run' if n_runs == 1 else 'runs'}"
    found += f" on {len(boards)} {'board' if len(boards) == 1 else 'boards'}"
    notices().print(f"{out / 'index.html'}: {found}", markup=False)


def _read_entries(
    runs: list[Path], known: Mapping[str, Verification] | None, *, with_rows: bool
) -> Iterator[Entry]:
    """Every finished run in and below the folders, each once."""
    from bench.results import find_finished_runs, load_results
    from bench.verification import find_verification
    from reports.leaderboard import Entry

    seen: set[Path] = set()
    for root in runs:
        for directory in find_finished_runs(root):
            if (place := directory.resolve()) in seen:
                continue
            seen.add(place)
            relative = directory.relative_to(root).as_posix()
            results = load_results(directory)
            entry = Entry(
                results,
                directory.name if relative == "." else relative,
                _read_provenance(directory),
                find_verification(directory, known),
                _read_rows(directory, results) if with_rows else None,
            )
            _require_well_formed(entry, directory / "scores.json")
            yield entry


def _read_rows(directory: Path, results: Results) -> pd.DataFrame:
    """The scores per clip that ranks are of: one row for each scored clip.

    Raises:
        RunError: the table cannot be read, or has other rows.
    """
    from bench.errors import BenchError, RunError
    from bench.untrusted import read_table

    path = directory / "scores.parquet"
    try:
        table = read_table(path, results.scored)
        wanted = ["clip", "cluster", *(column.name for column in results.columns)]
        rows: pd.DataFrame = table.select(
            [name for name in wanted if name in table.column_names]
        ).to_pandas()
        if len(set(rows["clip"])) != results.scored or "cluster" not in rows:
            raise BenchError(f"it has other rows than one for each of {results.scored} clips")
    except (BenchError, LookupError, TypeError) as error:
        raise RunError(
            f"{path} is malformed: {error}; leave the run out, or run it again"
        ) from error
    return rows


def _require_well_formed(entry: Entry, path: Path) -> None:
    """Refuse results whose file holds other types than a run writes, before it is among others.

    Raises:
        RunError: it cannot be drawn.
    """
    from bench.errors import RunError
    from reports.leaderboard import as_board_csv, build_boards
    from reports.leaderboard_page import as_page

    try:
        boards = build_boards([entry], extras=True)
        as_page(boards)
        as_board_csv(boards)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path} is malformed ({type(error).__name__}: {error}): leave the run out, or run "
            "it again"
        ) from error


def _read_provenance(directory: Path) -> Mapping[str, Any]:
    from bench.untrusted import read_json_strictly

    path = directory / "provenance.json"
    found = read_json_strictly(path) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _read_bounds(runs: list[Path], entries: list[Entry]) -> list[Entry]:
    """Floor and ceiling of these runs, each once for the clips of a board."""
    from bench.results import find_finished_runs, load_bounds
    from reports.leaderboard import Entry
    from reports.tables import with_bounds

    results = [entry.results for entry in entries]
    below = []
    for directory in (each for root in runs for each in find_finished_runs(root)):
        for bound in load_bounds(directory):
            _require_well_formed(Entry(bound), directory / "bounds.json")
            below.append(bound)
    return [Entry(each) for each in with_bounds(results, below)[len(results) :]]
