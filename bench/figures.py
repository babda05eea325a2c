"""Write matplotlib figures as PNG files that are small enough for a repository."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from bench.io import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_png(figure: Figure, destination: Path, n_colours: int) -> None:
    """Write ``figure`` as a PNG with a palette of ``n_colours``, whole or not at all.

    A palette has one byte per pixel instead of three. No dithering: its noise would not compress.
    """
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    page = Image.open(buffer).convert("RGB").quantize(n_colours, dither=Image.Dither.NONE)
    with atomic_path(destination) as temporary:
        page.save(temporary, format="PNG", optimize=True)
