"""The ``bench`` command: thin commands that parse, make one library call, print, and exit.

Exit codes: 0 done; 1 done with failed clips, or a gate that did not hold; 2 refused; 130 stopped.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line; refusals, ours and the system's, become one line and exit code 2."""
    from bench.cli.app import app
    from bench.terminal import run_app

    run_app(app)
