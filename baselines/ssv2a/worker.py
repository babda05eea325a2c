"""Runs in SSV2A's environment: one call of ``infer_v2a.py`` for a chunk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Callable


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the script of the checkout."""

    def generate(chunk: dict[str, Any]) -> None:
        requests = chunk["requests"]
        command = [sys.executable, "infer_v2a.py", "--cfg=ssv2a.json", "--ckpt=ssv2a.pth"]
        command += ["--agg_ckpt=agg.pth", f"--vid_dir={Path(requests[0]['video']).parent}"]
        command += [f"--out_dir={chunk['outputs']}", "--frames=64", "--bs=64"]
        command += ["--var_samples=64", "--cycle_its=64", "--cycle_samples=64"]
        # Another multiple of 2.5 s would do; 8 s has no whole number of blocks in AudioLDM.
        command += ["--duration=10", f"--seed={requests[0]['seed']}"]
        command += [f"--device={settings['device']}"]
        subprocess.run(command, cwd=settings["checkout"], check=True)

    return generate
