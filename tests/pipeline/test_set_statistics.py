"""Gaussians of true sets on disk: the same numbers, found again, and made again where damaged."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from bench.metrics import Gaussian, frechet_distance, frechet_estimate
from bench.pipeline import set_statistics
from bench.pipeline.set_statistics import find_gaussian, gaussian_path


@pytest.fixture
def rows(home: Path, rng: np.random.Generator) -> np.ndarray:
    """More samples than dimensions, of just enough dimensions to be kept."""
    return rng.normal(size=(400, 256)).astype(np.float32)


@pytest.fixture
def made(rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=(300, 256)).astype(np.float32) + np.float32(0.1)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every Gaussian that is computed: its number of rows."""
    calls: list[int] = []

    class Counted(Gaussian):
        @classmethod
        def of(cls, side, name="the set"):
            calls.append(len(side))
            return Gaussian.of(side, name)

    monkeypatch.setattr(set_statistics, "Gaussian", Counted)
    return calls


@pytest.mark.parametrize("dead", [False, True])
def test_a_kept_gaussian_gives_every_bit_of_a_computed_one(rows, made, computed, dead):
    if dead:  # singular: a pivoted factor instead of a Cholesky factor
        rows[:, 7] = rows[:, 8]
    first, again = find_gaussian(rows), find_gaussian(rows)
    assert computed == [400]
    assert again.is_regular is not dead
    assert (again.n, again.total_variance) == (first.n, first.total_variance)
    assert frechet_distance(again, made) == frechet_distance(first, made)
    assert frechet_distance(again, made) == frechet_distance(rows, made)
    found, expected = (frechet_estimate(rows, made, known=known) for known in (again, None))
    assert found.value == expected.value
    assert np.array_equal(found.true, expected.true)
    assert np.array_equal(found.generated, expected.generated)


@pytest.mark.parametrize("change", ["value", "order", "dtype", "one row less"])
def test_other_rows_are_another_set(rows, computed, change):
    find_gaussian(rows)
    other = rows.copy()
    if change == "value":
        other[5, 5] = np.nextafter(other[5, 5], np.float32(9))
    elif change == "order":
        other = other[::-1]
    elif change == "dtype":
        other = other.astype(np.float64)
    else:
        other = other[:-1]
    found = find_gaussian(other)
    assert computed == [400, len(other)]
    assert frechet_distance(found, Gaussian.of(other)) == pytest.approx(0.0, abs=1e-9)


def truncate(path: Path, _: np.ndarray) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path: Path, _: np.ndarray) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def change_a_digit_of_the_variance(path: Path, _: np.ndarray) -> None:
    content = bytearray(path.read_bytes())
    point = content.index(b".", content.index(b"total_variance"))
    content[point + 1] ^= 1
    path.write_bytes(content)


def replace_by_text(path: Path, _: np.ndarray) -> None:
    path.write_text("not a file of tensors")


def replace_by_foreign_tensors(path: Path, _: np.ndarray) -> None:
    from safetensors.numpy import save_file

    save_file({"embedding": np.ones(3)}, path)


def replace_by_another_set(path: Path, rows: np.ndarray) -> None:
    other = rows[:-1]
    find_gaussian(other)
    gaussian_path(other).replace(path)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_a_bit,
        change_a_digit_of_the_variance,
        replace_by_text,
        replace_by_foreign_tensors,
        replace_by_another_set,
    ],
)
def test_a_file_that_is_damaged_or_foreign_is_made_again_with_a_warning(
    rows, computed, caplog, damage
):
    expected = find_gaussian(rows)
    damage(gaussian_path(rows), rows)
    computed.clear()
    with caplog.at_level(logging.WARNING):
        found = find_gaussian(rows)
    assert np.array_equal(found.root, expected.root)
    assert computed == [400]
    assert "computed again" in caplog.text
    find_gaussian(rows)
    assert computed == [400]


def test_small_sets_are_not_kept(home, computed, rng):
    for shape in ((200, 256), (256, 256), (400, 255)):
        find_gaussian(rng.normal(size=shape).astype(np.float32))
    assert len(computed) == 3
    assert not list(home.rglob("*.safetensors"))


def test_a_folder_that_cannot_be_written_costs_a_warning_only(home, rows, made, caplog):
    (home / "features").mkdir(parents=True, exist_ok=True)
    (home / "features" / "gaussians").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        found = find_gaussian(rows)
    assert frechet_distance(found, made) == frechet_distance(rows, made)
    assert "cannot keep the statistics" in caplog.text
