"""Runs in ThinkSound's environment: features of a chunk, then its audio, by two scripts."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

CONFIGURATIONS = "ThinkSound/configs"


def open_worker(settings: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return the function that generates a chunk with the scripts of the checkout."""

    def generate(chunk: dict[str, Any]) -> None:
        requests, work = chunk["requests"], Path(chunk["work"])
        # More than is asked for: the latents of 8 s are 7.988 s of audio.
        seconds = int(requests[0]["seconds"]) + 1
        # Every file of this folder is generated from, so it is a new one.
        features = work / "features"
        with (work / "captions.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "caption", "caption_cot"])
            # Without chain of thought: the label is both captions.
            rows.writerows([each["name"], each["prompt"], each["prompt"]] for each in requests)
        command = [sys.executable, "extract_latents.py", f"--root={chunk['inputs']}/video"]
        command += [f"--tsv_path={work / 'captions.csv'}", f"--save-dir={features}"]
        command += [f"--duration_sec={seconds}"]
        subprocess.run(command, cwd=settings["checkout"], check=True)
        command = [sys.executable, "eval_batch.py", f"--duration-sec={seconds}"]
        command += [f"--dataset-config={CONFIGURATIONS}/multimodal_dataset_demo.json"]
        command += [f"--model-config={CONFIGURATIONS}/model_configs/thinksound.json"]
        command += [f"--results-dir={features}", f"--save-dir={chunk['outputs']}"]
        command += [f"--seed={requests[0]['seed']}", "--num-workers=1"]
        subprocess.run(command, cwd=settings["checkout"], check=True)

    return generate
