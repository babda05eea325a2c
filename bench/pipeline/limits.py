"""How long one clip may take in a stage before its worker is killed."""

from __future__ import annotations

from bench.pipeline.roles import Scoring

#: Guesses of the seconds per clip on one core of a laptop, without the judge's networks.
EXTRACT_SECONDS = 1.2
SCORE_SECONDS = 0.05

#: Rates are per clip of this length.
RATE_CLIP_SECONDS = 8.0

#: A limit is for what hangs, not for what is slow: other machines, a full disk or the first clip,
#: for which kernels are compiled, take many times what was expected.
SHORTEST_TIMEOUT_S = 120.0
EXPECTED_TIMES = 20.0

#: On a busy machine the first clip of a worker alone can take minutes: libraries load, and kernels
#: are compiled. A limit that the user sets counts for it too.
FIRST_TIMEOUT_S = 600.0

TIMEOUT_OPTION = "--timeout"


def default_timeout_s(seconds_per_clip: float, clip_seconds: float) -> float:
    """Return the limit for clips of this length, from the expected time per clip of 8 s."""
    expected_s = seconds_per_clip * clip_seconds / RATE_CLIP_SECONDS
    return max(SHORTEST_TIMEOUT_S, EXPECTED_TIMES * expected_s)


def extract_timeout_s(scoring: Scoring, clip_seconds: float) -> float:
    """Return the default limit for extraction; the networks of the judge are what takes long."""
    networks_s = scoring.judge.network_seconds if scoring.networks() else 0.0
    return default_timeout_s(EXTRACT_SECONDS + networks_s, clip_seconds)


#: Metrics are functions of arrays that are in memory, and take far less than the shortest limit.
SCORE_TIMEOUT_S = default_timeout_s(SCORE_SECONDS, RATE_CLIP_SECONDS)
