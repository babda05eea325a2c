"""How the server of a study answers many raters at once, and what survives when it is killed.

python -m benchmarks.study_load [--raters 200] [--pause 5] [--kills 10]

Each rater has a connection of its own, fetches every video in ranges, and answers each of 8 trials
after a pause of ``--pause`` seconds on average: people take 15 s or more. The first run is not
disturbed: 99 of 100 answers should take less than 200 ms. In the second run the server gets
``kill -9`` again and again: no confirmed vote may be lost or doubled, and no rater may have two
sessions. Clients and server share the cores, so that the times include what the clients compute.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.study.store import open_store
from tests.study.load import answer_under_load, compare_with_store
from tests.study.served import write_served_study

TARGET_MS = 200.0


def main() -> int:
    """Print times by kind of request; 1 if anything was lost or doubled, or the target missed."""
    parser = argparse.ArgumentParser(description="The server of a study under load.")
    parser.add_argument("--raters", type=int, default=200)
    parser.add_argument("--pause", type=float, default=5.0)
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    is_slow = is_damaged = False
    with tempfile.TemporaryDirectory() as folder:
        for n_kills in sorted({0, options.kills}):
            study = write_served_study(Path(folder) / f"study-{n_kills}", has_video=True)
            start = time.perf_counter()
            load, n_done = answer_under_load(study, options.raters, n_kills, options.pause)
            seconds = time.perf_counter() - start
            lost, twice = compare_with_store(study, load)
            store = open_store(study)
            n_sessions = len(store.read_sessions())
            store.close()
            n_requests = sum(map(len, load.milliseconds.values()))
            print(
                f"\n{options.raters} raters, {n_done} kills, {os.cpu_count()} cores, load "
                f"{os.getloadavg()[0]:.1f}: {n_requests} answers in {seconds:.0f} s "
                f"({n_requests / seconds:.0f}/s), {len(load.retries)} retries; "
                f"{len(load.confirmed)} votes confirmed ({len(load.repeated)} after a lost reply), "
                f"{lost} lost, {twice} doubled; {n_sessions} sessions"
            )
            if not n_kills:
                print(f"server: {1000 * load.server_cpu_s / n_requests:.2f} ms of CPU per answer")
            every = np.concatenate(list(map(np.array, load.milliseconds.values())))
            for kind, values in [*load.milliseconds.items(), ("all", every)]:
                p50, p95, p99 = np.percentile(values, (50, 95, 99))
                print(
                    f"{kind:8} n {len(values):6}  p50 {p50:6.1f}  p95 {p95:6.1f}  p99 {p99:6.1f} ms"
                )
            is_damaged |= bool(lost or twice or n_sessions != options.raters)
            is_slow |= n_kills == 0 and float(np.percentile(every, 99)) > TARGET_MS
    return int(is_damaged or is_slow)


if __name__ == "__main__":
    sys.exit(main())
