"""Runs in av-benchmark's environment: its two scripts on folders, its numbers as they are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

#: A line of the evaluator's log: "FD-VGG    : 1.2345678901".
LINE = re.compile(r"([A-Za-z][\w-]*)\s*:\s*(-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*$")


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, float]]:
    """Return the function that evaluates a folder of generated audio against a true one."""

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=settings["checkout"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        sys.stdout.write(done.stdout)  # to the log of this call
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, [sys.executable, *command])
        return done.stdout

    def evaluate(call: dict[str, Any]) -> dict[str, float]:
        work = Path(call["work"])
        caches = [f"--gt_cache={work / 'true'}", f"--pred_cache={work / 'generated'}"]
        length = f"--audio_length={call['seconds']:g}"
        videos = [f"--video_path={call['videos']}", caches[0], length]
        run("extract_video.py", *videos)
        folders = [f"--gt_audio={call['true']}", f"--pred_audio={call['generated']}"]
        output = work / "metrics"
        printed = run(
            "evaluate.py",
            *folders,
            *caches,
            length,
            "--skip_clap",
            f"--output_metrics_dir={output}",
        )
        for path in sorted(output.rglob("*.json")):
            found = json.loads(path.read_text())
            if isinstance(found, dict) and "FD-VGG" in found:
                return {name: float(value) for name, value in found.items()}
        matches = (LINE.search(line) for line in printed.splitlines())
        return {match.group(1): float(match.group(2)) for match in matches if match}

    return evaluate
