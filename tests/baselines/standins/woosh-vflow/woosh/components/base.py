"""Where a component of Woosh is loaded from."""

from __future__ import annotations

from pathlib import Path


class LoadConfig:
    """The folder of a checkpoint."""

    def __init__(self, path: str) -> None:
        assert (Path(path) / "config.yaml").is_file()
        self.path = path
