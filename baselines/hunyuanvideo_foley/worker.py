"""Runs in HunyuanVideo-Foley's environment: one call of ``infer.py`` for a chunk."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the script of the checkout."""

    def generate(chunk: dict[str, Any]) -> None:
        rows = Path(chunk["work"]) / "requests.csv"
        with rows.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            # Its help says "text", its code reads "prompt".
            writer.writerow(["video", "prompt"])
            writer.writerows([each["video"], each["prompt"]] for each in chunk["requests"])
        command = [sys.executable, "infer.py", "--model_path=weights", "--model_size=xxl"]
        command += [f"--csv_path={rows}", f"--output_dir={chunk['outputs']}"]
        command += ["--guidance_scale=4.5", "--num_inference_steps=50"]
        subprocess.run(command, cwd=settings["checkout"], check=True)

    return generate
