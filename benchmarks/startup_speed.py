"""How long a command takes until it answers, and how much memory: list, plan, doctor, help.

python benchmarks/startup_speed.py [--before DIR] [--rounds 5]

Every command is a fresh process of ``python -m bench``, with a home of its own that has the files
of two mini clips. ``--before`` names another checkout: both take turns, so that whatever else the
machine does meets both, and the ratio of each pair of times is printed. Targets are of an idle
machine; 1 if a minimum exceeds its target.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parents[1]
#: The commands, and the seconds that each may take.
COMMANDS = {
    "--help": 0.4,
    "list models": 0.5,
    "list splits": 0.5,
    "run --model silence --split mini --limit 2 --dry-run": 0.5,
    "run --model acfoley-mini --split mini --limit 2 --dry-run": 0.5,
    "doctor": 1.2,
}


class Call(NamedTuple):
    """What one call took: wall time, and the most memory at once."""

    seconds: float
    mebibytes: float


def main() -> int:
    """Print a line per command and checkout; 1 if a command is slower than its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="another checkout, to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    checkouts = [HERE, *([options.before.resolve()] if options.before else [])]
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        clips = Path(folder) / "data" / "mini"
        clips.mkdir(parents=True)
        for number in range(2):
            (clips / f"mini_{number:06d}.mp4").touch()  # a plan counts files and opens none
        for command, target_s in COMMANDS.items():
            rounds = [
                [time_command(root, command, folder) for root in checkouts]
                for _ in range(options.rounds)
            ]
            now, *before = zip(*rounds, strict=True)
            print(f"{command}\n  {describe(now)}, at most {target_s} s")
            for calls in before:
                ratios = [each.seconds / own.seconds for each, own in zip(calls, now, strict=True)]
                print(f"  {describe(calls)} before, {describe_range(ratios)} times as long")
            if min(each.seconds for each in now) > target_s:
                missed.append(command)
    print(f"TARGETS MISSED: {', '.join(missed)}" if missed else "targets met")
    return 1 if missed else 0


def time_command(root: Path, command: str, home: str) -> Call:
    """Run a command of a checkout in a fresh process; its exit code may be that of a finding."""
    environment = {**os.environ, "BENCH_HOME": home, "PYTHONPATH": str(root)}
    arguments = [sys.executable, "-m", "bench", *command.split()]
    started = time.perf_counter()
    process = subprocess.Popen(
        arguments, cwd=home, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    error = process.stderr.read() if process.stderr else b""
    # Unlike subprocess, wait4 returns the memory of this one child.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    # 1 is a finding, such as missing clips, unless Python itself ended so.
    if process.returncode not in (0, 1) or b"Traceback" in error:
        raise SystemExit(f"{root}: bench {command} failed: {error.decode()}")
    return Call(seconds, usage.ru_maxrss / 1024)


def describe(calls: tuple[Call, ...]) -> str:
    """Seconds as minimum, median and maximum, and the most memory of any call."""
    memory = max(each.mebibytes for each in calls)
    return f"{describe_range([each.seconds for each in calls])} s, {memory:.0f} MiB"


def describe_range(values: list[float]) -> str:
    """Minimum, median and maximum."""
    return f"{min(values):.2f} / {statistics.median(values):.2f} / {max(values):.2f}"


if __name__ == "__main__":
    raise SystemExit(main())
