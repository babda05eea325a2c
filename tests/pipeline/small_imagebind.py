"""A small ImageBind in the place of the official one: its checkpoint, its row, its loader.

``python -m tests.pipeline.small_imagebind ARGUMENTS`` runs ``bench`` with it, one clip at a time
and slowly, to be killed.
"""

from __future__ import annotations

import hashlib
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from bench.backbones import imagebind
from bench.backbones.imagebind import ImageBind, ImageBindParams, TrunkParams
from bench.checkpoints.registry import OFFICIAL_FILES, OfficialFile, weights_directory
from tests.backbones.seeded import drawn_state

SMALL = ImageBindParams(
    vision=TrunkParams(width=32, n_blocks=1, n_heads=2),
    audio=TrunkParams(width=32, n_blocks=1, n_heads=2),
    width=8,
)
load_small = partial(imagebind.load_imagebind, params=SMALL)


def write_small(folder: Path) -> OfficialFile:
    """Write the checkpoint of the small network; return the row that takes it for official."""
    row = OFFICIAL_FILES["imagebind"]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / row.file
    if not path.exists():
        torch.save(drawn_state(ImageBind(SMALL).state_dict()), path)
    content = path.read_bytes()
    return replace(
        row, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest(), md5=None
    )


def main() -> None:
    """Run the command line."""
    from bench.cli import main as run_command
    from bench.pipeline import ib_filter

    embed_video = imagebind.embed_video

    def embed_slowly(*arguments):
        time.sleep(0.5)
        return embed_video(*arguments)

    OFFICIAL_FILES["imagebind"] = write_small(weights_directory())
    imagebind.load_imagebind, imagebind.embed_video = load_small, embed_slowly
    ib_filter.CHUNK = 1
    sys.argv[0] = "bench"
    run_command()


if __name__ == "__main__":
    main()
