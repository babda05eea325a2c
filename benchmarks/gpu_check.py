"""Check a GPU in at most 8 minutes: the same numbers as a CPU, and how fast it is.

    python -m benchmarks.gpu_check [--device cuda] [--out build/gpu-check.json] [--packages DIR]
    python -m benchmarks.gpu_check --device cpu --small     the same steps on a CPU, tiny networks

It needs torch, NumPy, SciPy and safetensors, and downloads nothing: weights are drawn, arrays take
the place of media. What else is missing is a row of its own; ``--packages`` names a folder of pure
Python packages that were carried along (docs/gpu.md). Each part runs in a process of its own under
a time limit, writes its rows as they are found, and is killed when its time is up; for what does
not fit into the whole time there is a row as well. Exits with 1 if a row failed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.gpu_machine import Row

ROOT = Path(__file__).resolve().parents[1]
#: All parts together, with what it takes to write the table.
LIMIT_S = 470.0
#: A process that has less is not started: it would be killed while torch loads.
SHORTEST_PART_S = 15.0
#: With ``--small``, on a CPU that may be busy, everything may take so many times as long.
SMALL_TIMES = 10.0
VERSION = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, write the JSON, print the table; return the exit code."""
    options = parsed(arguments)
    # Before torch or a network is imported.
    sys.path[:0] = [str(each.resolve()) for each in options.packages]
    if options.worker:
        return work(options)
    started = time.monotonic()
    rows = list(run_parts(options))
    result = {
        "version": VERSION,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **describe_machine(options.device),
        "small": options.small,
        "seconds": round(time.monotonic() - started, 1),
        "rows": [asdict(row) for row in rows],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    temporary = options.out.with_suffix(".tmp")
    temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    temporary.replace(options.out)
    print("\n".join(table_lines(rows)))
    counts = {
        status: sum(row.status == status for row in rows)
        for status in ("ok", "failed", "missing", "skipped")
    }
    described = ", ".join(f"{count} {status}" for status, count in counts.items())
    print(
        f"{result['card']}, torch {result['torch']}: {described}; {result['seconds']} s; "
        f"written to {options.out}"
    )
    return int(counts["failed"] > 0)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line."""
    from benchmarks.gpu_parts import PARTS

    parser = argparse.ArgumentParser(description="Check and time a GPU.")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="Tiny networks, for a CPU.")
    parser.add_argument("--out", type=Path, default=Path("build/gpu-check.json"))
    parser.add_argument("--seconds", type=float, default=LIMIT_S, help="Of all parts together.")
    parser.add_argument("--parts", default=",".join(PARTS), help="Separated by commas.")
    parser.add_argument("--packages", type=Path, action="append", default=[], metavar="DIR")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parts.split(",") if name not in PARTS]:
        parser.error(f"no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    if not options.worker and options.device != "cpu":
        require_device(parser, options.device)
    return options


def require_device(parser: argparse.ArgumentParser, name: str) -> None:
    """Refuse a device that is not here, before minutes are spent on rows that fail."""
    from bench.backbones.requirements import usable_device
    from bench.errors import BenchError

    try:
        usable_device(name)
    except BenchError as error:
        parser.error(f"{error}; on a CPU: --device cpu --small")


def run_parts(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the rows of all parts, one part after another, within the whole time."""
    from benchmarks.gpu_machine import Row
    from benchmarks.gpu_parts import PARTS

    times = SMALL_TIMES if options.small else 1.0
    deadline = time.monotonic() + times * options.seconds
    for name in options.parts.split(","):
        limit_s = min(times * PARTS[name][1], deadline - time.monotonic())
        if limit_s < SHORTEST_PART_S:
            yield Row(name, name, "skipped", note="no time was left for it")
            continue
        print(f"{name}: at most {limit_s:.0f} s", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.jsonl"
            problem = run_worker(options, name, path, limit_s)
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        # A process that is killed may leave its last line unfinished.
        yield from (Row(**json.loads(line)) for line in lines if line.endswith("}"))
        if problem:
            yield Row(name, name, "failed", note=problem)


def run_worker(options: argparse.Namespace, part: str, rows: Path, limit_s: float) -> str:
    """Run a part in a process of its own; return why it did not end by itself, or ""."""
    command = [sys.executable, "-m", "benchmarks.gpu_check", "--worker", part, "--rows", str(rows)]
    command += ["--device", options.device, *(["--small"] if options.small else [])]
    for folder in options.packages:
        command += ["--packages", str(folder)]
    # With its children, such as compilers, in a group that can be killed as a whole.
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return f"stopped after {limit_s:.0f} s, rows above are what it had found"
    finally:
        _kill_group(process)
    return "" if code == 0 else f"its process ended with {code}"


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # Without it, it has ended and left nothing behind.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def work(options: argparse.Namespace) -> int:
    """Write the rows of one part as they are found."""
    from benchmarks.gpu_machine import Machine, Row
    from benchmarks.gpu_packages import replace_missing
    from benchmarks.gpu_parts import run_part

    machine = Machine(options.device, options.small)
    notes = [Row(options.worker, "replaced", note=note) for note in replace_missing()]
    with options.rows.open("a", encoding="utf-8") as file:
        for row in itertools.chain(run_part(options.worker, machine), notes):
            file.write(json.dumps(asdict(row)) + "\n")
            file.flush()
    return 0


def describe_machine(device: str) -> dict[str, str | int]:
    """Name the card, and what decides its numbers."""
    import torch

    is_gpu = device != "cpu"
    return {
        "device": device,
        "card": torch.cuda.get_device_name(device) if is_gpu else platform.processor() or "CPU",
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
        "python": platform.python_version(),
        "cores": os.cpu_count() or 0,
    }


def table_lines(rows: Sequence[Row]) -> list[str]:
    """The table, one line for each row."""
    width = max((len(row.name) for row in rows), default=0)
    lines = []
    for row in rows:
        value = "" if row.value is None else f"{row.value:.3g} {row.unit}"
        limit = "" if row.limit is None else f"at most {row.limit:g}"
        text = "; ".join(each for each in (limit, row.note) if each)
        lines.append(f"{row.part:<10} {row.name:<{width}} {row.status:<7} {value:<26} {text}")
    return lines


if __name__ == "__main__":
    sys.exit(main())
