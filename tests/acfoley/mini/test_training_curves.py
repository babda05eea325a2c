"""The figure of the training curves, from the files of a run."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from acfoley.mini.training_curves import Line, main, plot_training, read_line, smooth
from acfoley.mini.variants import variant_recipe
from acfoley.train.log import TRAINING_COLUMNS, VALIDATION_COLUMNS, CsvLog
from bench.errors import RunError


@pytest.fixture
def trained(tmp_path):
    """The curves of a run of a variant, as training writes them."""

    def call(variant: str):
        run = tmp_path / f"{variant}-{variant_recipe(variant).digest()[:8]}"
        run.mkdir()
        training = CsvLog(run / "log.csv", TRAINING_COLUMNS, 0)
        held_out = CsvLog(run / "validation.csv", VALIDATION_COLUMNS, 0)
        for step in range(20, 1001, 20):
            about = {"step": step, "stage": "overlap" if step <= 400 else "non-overlap"}
            others = dict.fromkeys(TRAINING_COLUMNS[3:], 1.0)
            training.add(**about, loss=1.0 + 100 / step, **others)
            held_out.add(**about, loss=1.1 + 100 / step, n_clips=9)
        return run

    return call


def test_a_curve_has_the_first_steps_of_its_stages(trained):
    line = read_line(trained("two-stage") / "log.csv")
    assert line.stage_starts == [(0.0, "overlap"), (400.0, "non-overlap")]
    assert line.losses[0] == 6.0


def test_losses_are_averaged_over_the_steps_around():
    line = Line(np.array([0.0, 100.0, 200.0, 1_000.0]), np.array([1.0, 2.0, 6.0, 9.0]), ("a",) * 4)
    np.testing.assert_allclose(smooth(line), [1.5, 3.0, 4.0, 9.0])


def test_trained_variants_are_drawn_and_others_named(trained, tmp_path, capsys):
    trained("two-stage")
    trained("clap-encoder")
    main(["--runs", str(tmp_path), "--out", str(tmp_path / "curves.png")])
    assert "without overlap-only, non-overlap-only, attention-pooling" in capsys.readouterr().err
    with Image.open(tmp_path / "curves.png") as image:
        assert image.width > image.height > 200


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(RunError, match="holds no training run"):
        main(["--runs", str(tmp_path)])
    with pytest.raises(RunError, match="there is no curve"):
        plot_training({"two-stage": tmp_path}, tmp_path / "curves.png")
