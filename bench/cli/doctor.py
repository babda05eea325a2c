"""``bench doctor``."""

from __future__ import annotations

import typer


def doctor() -> None:
    """Check versions, devices, memory, disk and data; exit 1 if the main job cannot run."""
    from rich.text import Text

    from bench.cli.console import console
    from bench.pipeline.machine import examine_machine

    checks = list(examine_machine())
    out = console()
    for check in checks:
        bad = Text("no", style="red") if check.is_fatal else Text("--", style="yellow")
        mark = Text("ok", style="green") if check.is_good else bad
        line = Text.assemble(mark, f"  {check.name:<12} {check.found}")
        out.print(line, soft_wrap=True)  # so that commands and paths can be copied unbroken
        if check.advice and not check.is_good:
            out.print(f"      {check.advice}", soft_wrap=True)
    broken = [check.name for check in checks if check.is_fatal and not check.is_good]
    reason = f"cannot run: {', '.join(dict.fromkeys(broken))}" if broken else "can run"
    out.print(f"The main job {reason}.", style="bold")
    raise typer.Exit(1 if broken else 0)
