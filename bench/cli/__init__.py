"""The ``bench`` command: thin commands that parse, make one library call, print, and exit.

Exit codes: 0 done; 1 done with failed clips, or a gate that did not hold; 2 refused; 130 stopped.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; refusals, ours and the system's, become one line and exit code 2."""
    import typer

    from bench.cli.app import app
    from bench.errors import BenchError

    try:
        app()
    except (BenchError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
