"""``bench crosscheck``: the columns of a run by the published evaluator too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import Device


def crosscheck(
    run: Annotated[Path, typer.Argument(help="A finished run, scored by the judge paper.")],
    device: Device = "cuda",
) -> None:
    """Score a run by av-benchmark too, from your checkout, and print both numbers side by side."""
    from rich.table import Table

    from bench.cli.console import console, notices
    from bench.pipeline.columns import require_devices
    from bench.pipeline.compare import find_run_folder
    from bench.pipeline.crosscheck import crosscheck as compare
    from bench.results import load_results

    results = load_results(run)
    require_devices(device)
    notices().print(f"Running av-benchmark on {results.scored} clips ...")
    rows = compare(run, find_run_folder(run) / "samples", results, device)
    table = Table("column", "bench", "av-benchmark", "difference", box=None, pad_edge=False)
    for row in rows:
        numbers = (row.ours, row.theirs, row.difference)
        cells = ["-" if each is None else f"{each:.{row.decimals + 2}f}" for each in numbers]
        table.add_row(row.label, *cells)
    console().print(table)
    console().print(
        f"{results.scored} clips of {results.split}, {results.system}. What the evaluator does "
        "otherwise is in docs/protocol.md."
    )
