"""The ``bench`` command: thin commands that parse, make one library call, print, and exit.

Exit codes: 0 done; 1 done with failed clips, or a gate that did not hold; 2 refused; 130 stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Run the command line; refusals of ours become one line and exit code 2."""
    from bench.cli.app import app
    from bench.errors import BenchError

    sys.path.append(str(Path.cwd()))  # so that --model module:NAME finds a system of yours
    try:
        app()
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
