"""The official files that each preset needs, by their names in ``bench.checkpoints.registry``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.checkpoints.registry import OFFICIAL_FILES, OfficialFile
from bench.checkpoints.verify import no_progress, require_weights, with_folder
from bench.digests import OnBytes
from bench.errors import BenchError

#: The flow network of every preset that has been published.
FLOW_FILES: Mapping[str, str] = {
    "acfoley": "acfoley-flow",
    "small_44k": "small_44k-flow",
    "medium_44k": "medium_44k-flow",
    "large_44k": "large_44k-flow",
    "large_44k_v2": "large_44k_v2-flow",
}
PUBLISHED = tuple(FLOW_FILES)
#: The other files that every preset needs, in the order of ``Paths``.
COMMON_FILES = ("autoencoder", "vocoder", "clip", "synchformer")
#: Presets that need no official file: their variant of ``acfoley.mini`` comes with the package.
SHIPPED: Mapping[str, str] = {
    "mini": "two-stage",
    "mini_attention": "attention-pooling",
    "mini_clap": "clap-encoder",
}


@dataclass(frozen=True)
class Paths:
    """The files of a preset."""

    flow: Path
    autoencoder: Path
    vocoder: Path
    clip: Path
    synchformer: Path


def needed_files(preset: str, *, has_flow: bool = True) -> tuple[OfficialFile, ...]:
    """The official files that a preset needs, the flow network first.

    Without ``has_flow`` the flow network is a checkpoint of the user's own.

    Raises:
        BenchError: no weights of this preset are published, or they come with the package.
    """
    common = tuple(OFFICIAL_FILES[name] for name in COMMON_FILES)
    if not has_flow:
        return common
    if preset in SHIPPED:
        raise BenchError(f"the preset {preset!r} comes with the package: it needs no official file")
    if preset not in FLOW_FILES:
        raise BenchError(
            f"the preset {preset!r} has no published weights: give its --checkpoint, "
            f"or use one of {', '.join(PUBLISHED)}"
        )
    return OFFICIAL_FILES[FLOW_FILES[preset]], *common


def require_official(
    preset: str, directory: Path, *, flow: Path | None = None, progress: OnBytes = no_progress
) -> Paths:
    """Return the verified files of ``preset`` in ``directory``; the flow network may be ``flow``.

    Checksums are read once and remembered until a file changes.

    Raises:
        MissingError: files are missing; the message names them and the command that fetches them.
        BenchError: a file is not the official one, or no weights of the preset are published.
    """
    rows = needed_files(preset, has_flow=flow is None)
    found = require_weights(
        [row.name for row in rows],
        directory,
        progress,
        consequence=f"{preset} cannot generate",
        command=fetch_command(preset, directory),
    )
    return Paths(
        flow or found[FLOW_FILES[preset]],
        found["autoencoder"],
        found["vocoder"],
        found["clip"],
        found["synchformer"],
    )


def require_clap(directory: Path, progress: OnBytes = no_progress) -> Path:
    """Return the file of CLAP in ``directory``, which the preset ``mmaudio_clap`` needs as well.

    Raises:
        MissingError: it or the package that has its network is missing; the message names the
            command that fixes it.
        BenchError: the file is not the official one.
    """
    from bench.backbones.clap import require_transformers

    require_transformers()
    return require_weights(["clap"], directory, progress)["clap"]


def fetch_command(preset: str, directory: Path) -> str:
    """The command that fetches what a preset needs; all share the files but one."""
    published = preset if preset in FLOW_FILES else PUBLISHED[0]
    return with_folder(f"acfoley fetch --preset {published}", directory)
