"""The two pages of figures are legible images of moderate size."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from bench.synthetic.figures import plot_contact_sheet, plot_spectrogram_page


@pytest.mark.slow
@pytest.mark.parametrize("page", [plot_contact_sheet, plot_spectrogram_page])
def test_a_page_is_a_legible_image_under_400_kilobytes(page, tmp_path: Path) -> None:
    destination = tmp_path / "page.png"
    page(destination)
    assert destination.stat().st_size < 400_000
    with Image.open(destination) as image:
        assert min(image.size) > 900
        assert len(image.getcolors(256) or []) > 64
