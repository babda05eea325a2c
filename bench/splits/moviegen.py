"""``moviegen``: the generated videos of Movie Gen Audio Bench, which have no true audio.

``bench data prepare moviegen --from PATH`` finds them. Only columns that compare a sample with the
video or the prompt, or with nothing, can be computed: ``ib``, ``desync``, ``clap``, ``is_*``. All
others are refused by name. There is no reference either.
"""

from __future__ import annotations

from pathlib import Path

from bench.datasets.moviegen import moviegen_directory
from bench.errors import MissingError
from bench.inputs.manifest import MANIFEST, read_manifest
from bench.splits.split import TARGET_SECONDS, Refusal, Split
from bench.types import Clip, Excerpt

PREPARATION = "bench data prepare moviegen --from PATH"
METRICS = ("ib", "desync")
NOTE = "the videos are generated and have no true audio: only columns without it are computed"


def open_moviegen() -> Split:
    """Return the split of all videos.

    Raises:
        MissingError: there is no manifest; the message has the command that writes it.
    """
    path = moviegen_directory() / MANIFEST
    if not path.is_file():
        raise MissingError(f"Movie Gen Audio Bench is not prepared: run `{PREPARATION}`")
    rows = read_manifest(path).rows
    clips = tuple(
        Clip(
            row.clip,
            None,
            TARGET_SECONDS,
            Excerpt(Path(row.path), 0.0, TARGET_SECONDS),
            prompt=row.label,
        )
        for row in rows
        if not row.problem
    )
    refused = tuple(Refusal(row.clip, row.problem) for row in rows if row.problem)
    return Split("moviegen", clips, METRICS, refused, notes=(NOTE,))
