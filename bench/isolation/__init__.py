"""Systems that need another Python, another torch or another licence: each in its environment.

    adapter.py     what a system declares: one row of facts, and a worker script beside it
    state.py       what is known of it on this machine
    setup.py       environment from the lock, requirements, checkout, weights
    staging.py     inputs in the form that it wants, outputs compared with what was asked for
    process.py     one process: start, call within a time limit, kill with all that it started
    session.py     the process of an adapter, started anew after a failure
    host.py        the other end, run by the environment's own interpreter
    generate.py    chunks of requests to samples

Adapters are in ``baselines``, and ``bench systems`` sets them up.
"""

from bench.isolation.adapter import Adapter, IsolatedSystem, Requirement, VideoInput, Weight

__all__ = ["Adapter", "IsolatedSystem", "Requirement", "VideoInput", "Weight"]
