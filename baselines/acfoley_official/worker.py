"""Runs in AC-Foley's environment: one call of ``inf.py`` for each request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

NEEDS_GPU = "its reference path runs on a GPU only (--device cuda)"


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return the function that generates a chunk with the script of the checkout."""

    def generate(chunk: dict[str, Any]) -> dict[str, Any]:
        errors = {}
        for request in chunk["requests"]:
            if request["reference"] and settings["device"] == "cpu":
                errors[request["id"]] = NEEDS_GPU
                continue
            # Names hold 40 letters of reference and prompt: a folder for each request.
            folder = Path(chunk["outputs"]) / request["name"]
            command = [sys.executable, "inf.py", f"--video={request['video']}"]
            if request["reference"]:
                command += [f"--audio={request['reference']}"]
            command += [f"--prompt={request['prompt']}", f"--seed={request['seed']}"]
            command += [f"--duration={request['seconds']:g}", f"--output={folder}"]
            command += ["--cfg_strength=4.5", "--num_steps=25", "--skip_video_composite"]
            subprocess.run(command, cwd=settings["checkout"], check=True)
        return {"errors": errors}

    return generate
