"""Write matplotlib figures as PNG, SVG or PDF: small for a repository, or fit for a paper.

In PDF, fonts are embedded as TrueType (type 42), which journals ask for; in SVG, text is drawn as
paths, which look alike wherever they are opened. The same figure has the same bytes.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.io import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
#: Without the version of matplotlib or the time, so that neither changes bytes by itself.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
#: Of images inside of an SVG or PDF, such as spectrograms.
PRINT_DOTS_PER_INCH = 200


def figure_format(destination: Path) -> str:
    """Return the format of a figure by the suffix of its file; PNG where it has none.

    Raises:
        BenchError: figures are not written in this format.
    """
    name = destination.suffix.removeprefix(".").lower() or "png"
    if name not in FORMATS:
        raise BenchError(f"{destination} is no figure: its suffix can be {', '.join(FORMATS)}")
    return name


def write_figure(
    figure: Figure, destination: Path, *, dots_per_inch: int, n_colours: int | None = None
) -> None:
    """Write ``figure``, whole or not at all, in the format of the suffix of ``destination``.

    A PNG has ``dots_per_inch`` and, where given, a palette of ``n_colours``.

    Raises:
        BenchError: figures are not written in this format.
    """
    from matplotlib import rc_context, rcParams

    name = figure_format(destination)
    if name == "png" and n_colours:
        write_png(figure, destination, n_colours, dots_per_inch)
        return
    dpi = dots_per_inch if name == "png" else PRINT_DOTS_PER_INCH
    with rc_context(), atomic_path(destination) as temporary:
        rcParams.update({"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "foley-bench"})
        figure.savefig(temporary, format=name, dpi=dpi, metadata=METADATA[name])


def write_png(
    figure: Figure, destination: Path, n_colours: int, dots_per_inch: int | None = None
) -> None:
    """Write ``figure`` as a PNG with a palette of ``n_colours``, whole or not at all.

    It has ``dots_per_inch``, those of the figure where none are given. A palette has one byte per
    pixel instead of three. No dithering: its noise would not compress.
    """
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch or "figure")
    page = Image.open(buffer).convert("RGB").quantize(n_colours, dither=Image.Dither.NONE)
    with atomic_path(destination) as temporary:
        page.save(temporary, format="PNG", optimize=True)
