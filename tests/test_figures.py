"""Figures in every format: the same bytes again, fonts embedded, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from bench.errors import BenchError
from bench.figures import figure_format, write_figure


def draw() -> Figure:
    figure = Figure(figsize=(2, 1))
    panel = figure.subplots()
    panel.plot([0, 1], [0, 1])
    panel.set_title("Onset Acc.")
    return figure


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf", "a"])
def test_the_same_figure_has_the_same_bytes(tmp_path, name):
    for folder in ("one", "two"):
        write_figure(draw(), tmp_path / folder / name, dots_per_inch=80)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_fonts_are_embedded_in_pdf_as_truetype_and_text_in_svg_is_paths(tmp_path):
    write_figure(draw(), tmp_path / "a.pdf", dots_per_inch=80)
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    write_figure(draw(), tmp_path / "a.svg", dots_per_inch=80)
    svg = (tmp_path / "a.svg").read_text()
    assert "<text" not in svg
    assert "<path" in svg


@pytest.mark.parametrize("n_colours", [None, 16])
def test_a_png_has_the_dots_that_are_asked_for(tmp_path, n_colours):
    write_figure(draw(), tmp_path / "a.png", dots_per_inch=80, n_colours=n_colours)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (160, 80)
        assert (image.mode == "P") == (n_colours is not None)


def test_a_suffix_of_no_figure_is_refused_before_anything_is_written(tmp_path):
    assert figure_format(Path("a.SVG")) == "svg"
    with pytest.raises(BenchError, match=r"a.jpg is no figure: its suffix can be png, svg, pdf"):
        write_figure(draw(), tmp_path / "a.jpg", dots_per_inch=80)
    assert not [*tmp_path.iterdir()]
