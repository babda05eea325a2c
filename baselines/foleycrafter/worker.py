"""Runs in FoleyCrafter's environment: one call of ``inference.py`` for each prompt of a chunk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the script of the checkout."""

    def generate(chunk: dict[str, Any]) -> None:
        by_prompt: dict[str, list[dict[str, Any]]] = {}
        for request in chunk["requests"]:
            by_prompt.setdefault(request["prompt"], []).append(request)
        for index, (prompt, requests) in enumerate(by_prompt.items()):
            folder = Path(chunk["work"]) / str(index)
            folder.mkdir()
            for request in requests:
                os.link(request["video"], folder / Path(request["video"]).name)
            command = [sys.executable, "inference.py", "--input", str(folder)]
            command += ["--save_dir", str(Path(chunk["outputs"]) / str(index))]
            command += [f"--prompt={prompt}", f"--seed={requests[0]['seed']}"]
            command += ["--semantic_scale=1.0", "--temporal_scale=0.2", "--ckpt=checkpoints/"]
            command += [f"--device={settings['device']}"]
            subprocess.run(command, cwd=settings["checkout"], check=True)

    return generate
