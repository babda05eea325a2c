"""Runs in SelVA's environment: one call of ``demo.py`` for each request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Callable


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the script of the checkout."""

    def generate(chunk: dict[str, Any]) -> None:
        for request in chunk["requests"]:
            command = [sys.executable, "demo.py", f"--variant={settings['options']['variant']}"]
            command += [f"--video={request['video']}", f"--prompt={request['prompt']}"]
            command += [f"--duration={request['seconds']:g}", f"--seed={request['seed']}"]
            command += ["--cfg_strength=4.5", "--num_steps=25", "--skip_video_composite"]
            command += [f"--output={Path(chunk['outputs']) / request['name']}"]
            subprocess.run(command, cwd=settings["checkout"], check=True)

    return generate
