"""A system in an environment of its own, whose worker does what its options say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.isolation import Adapter
from bench.isolation.setup import set_up
from bench.media import write_video
from bench.types import Audio, Excerpt, Request

WORKER = """
import json, os, signal, struct, subprocess, sys, time, wave
from pathlib import Path

def write(path, value, seconds=2.0, rate=8_000):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes(struct.pack("<h", value) * int(seconds * rate))

def open_worker(settings):
    options = settings["options"]
    print("opened", flush=True)
    def generate(chunk):
        print("a line of the checkout", chunk["requests"][0]["prompt"], flush=True)
        (Path(settings["checkout"]) / "seen.json").write_text(json.dumps(chunk))
        (Path(settings["checkout"]) / "environment.json").write_text(json.dumps(dict(os.environ)))
        out = Path(chunk["outputs"])
        exec(options["do"])
        return locals().get("answer")
    return generate
"""
EACH = "for r in chunk['requests']: write(out / (r['name'] + '.wav'), 1000 + r['seed'])"

MakeAdapter = Callable[..., Adapter]


@pytest.fixture
def make_adapter(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Adapter]:
    """An adapter whose worker runs the given statements for each chunk; it is set up."""

    def make(do: str = EACH, **fields: Any) -> Adapter:
        package = tmp_path / "packages" / "toy_adapter"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text("")
        (package / "worker.py").write_text(WORKER)
        (package / "requirements.lock").write_text("")
        monkeypatch.syspath_prepend(str(package.parent))
        checkout = tmp_path / "checkout"
        checkout.mkdir(exist_ok=True)
        (checkout / "main.py").write_text("")
        defaults: dict[str, Any] = {
            "repository": "https://example.org/toy",
            "commit": "abc",
            "licence": "MIT",
            "terms": "MIT.",
            "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
            "uses": frozenset({"video", "prompt"}),
            "entry": ("main.py",),
            "outputs": ("{name}.wav",),
            "options": {"do": do},
        }
        adapter = Adapter("toy_adapter", "toy", "a toy", **(defaults | fields))
        set_up(adapter, checkout, Path(sys.executable), print)
        return adapter

    return make


@pytest.fixture
def make_requests(tmp_path: Path) -> Callable[..., list[Request]]:
    """Requests for one video with an audio track; they differ by prompt and seed."""
    video = tmp_path / "truth.mp4"
    tone = np.sin(np.arange(3 * 44_100) * 0.05).astype(np.float32)[None]
    frames = (np.full((48, 64, 3), 3 * index % 256, np.uint8) for index in range(75))
    write_video(video, frames, 25, Audio(0.5 * tone, 44_100))

    def make(n: int = 3, **fields: Any) -> list[Request]:
        return [
            Request(
                f"-clip_{index}",
                2.0,
                seed=index,
                **({"video": Excerpt(video, 0.0, 2.0), "prompt": f"prompt {index}"} | fields),
            )
            for index in range(n)
        ]

    return make
