"""Runs in ControlFoley's environment: one call of ``demo.py`` for each request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Callable


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the script of the checkout."""

    def generate(chunk: dict[str, Any]) -> None:
        for request in chunk["requests"]:
            # Its mode depends on what is given.
            command = [sys.executable, "demo.py", f"--video={request['video']}"]
            if request["reference"]:
                command += [f"--audio={request['reference']}"]
            if request["prompt"]:
                command += [f"--prompt={request['prompt']}"]
            # Named by the video alone: a folder for each request.
            folder = Path(chunk["outputs"]) / request["name"]
            command += [f"--output={folder}", f"--seed={request['seed']}"]
            command += [f"--duration={request['seconds']:g}", "--cfg_strength=4.5"]
            command += ["--num_steps=25", "--skip_video_composite"]
            subprocess.run(command, cwd=settings["checkout"], check=True)

    return generate
