"""The simulation of large runs, where the right time is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.scale_simulation import Rates, simulate

SECOND = Rates(clip_s=1.0)


@pytest.mark.parametrize(
    ("rates", "n_workers", "wall_s"),
    [
        (SECOND, 1, 100.0),
        (SECOND, 4, 25.0),
        (SECOND, 512, 1.0),
        (replace(SECOND, start_s=7.0), 4, 32.0),
        # One clip after the other: the last one is given out after 100 of these.
        (replace(SECOND, books_s=0.5), 512, 51.0),
        (replace(SECOND, clip_bytes=10.0, shared_bytes_per_s=5.0), 512, 200.0),
        # 100 clips are 13 chunks, four for the last worker to start one.
        (replace(SECOND, chunk=8), 4, 28.0),
    ],
)
def test_time_is_that_of_the_work_or_of_what_all_workers_share(rates, n_workers, wall_s):
    assert simulate(rates, 100, n_workers).wall_s == pytest.approx(wall_s)


def test_a_clip_that_kills_its_worker_costs_a_start():
    rates = replace(SECOND, start_s=2.0)
    assert simulate(rates, 3, 1, [1.0, -1.0, 1.0]).wall_s == pytest.approx(2 + 1 + 2 + 1)
    # Two start side by side on two cores. On one core the first does both clips meanwhile.
    killed = [-1.0, -1.0, 1.0, 1.0]
    assert simulate(replace(rates, start_cores=2), 4, 2, killed).wall_s == pytest.approx(5.0)
    assert simulate(replace(rates, start_cores=1), 4, 2, killed).wall_s == pytest.approx(6.0)


def test_failures_cost_the_work_that_is_lost_and_no_clip():
    rates = replace(SECOND, failure_s=50.0, start_s=1.0, chunk=4)
    found, calm = simulate(rates, 1_000, 4), simulate(replace(rates, failure_s=1e9), 1_000, 4)
    assert (calm.failures, calm.lost_s) == (0, 0.0)
    assert found.failures > 10
    # All workers together did the work, and what was lost.
    spent_s = 4 * (found.wall_s - rates.start_s)
    assert 1_000 + found.lost_s <= spent_s <= 1_000 + found.lost_s + 4 * rates.chunk
