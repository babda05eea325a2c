from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.io import wavfile
from scipy.spatial.distance import cdist

from bench.metrics.dtw import dtw_path, fastdtw_path

CASES = [
    "noise", "walks", "stretched_walk", "one_to_four", "radius_2", "radius_7", "integers",
    "binary_grid", "silence", "silence_in_part", "one_frame", "two_frames", "just_long_enough",
]  # fmt: skip

frames = arrays(
    np.float64,
    st.tuples(st.integers(1, 30), st.just(2)),
    elements=st.integers(-3, 3).map(float),
)


def summed_along(path, true, generated) -> float:
    return float(np.linalg.norm(true[path[:, 0]] - generated[path[:, 1]], axis=1).sum())


def accumulated_costs(true, generated) -> np.ndarray:
    """The textbook recursion, cell by cell."""
    costs = np.pad(cdist(true, generated), ((1, 0), (1, 0)), constant_values=np.inf)
    costs[0, 0] = 0.0
    for i in range(1, costs.shape[0]):
        for j in range(1, costs.shape[1]):
            costs[i, j] += min(costs[i - 1, j], costs[i, j - 1], costs[i - 1, j - 1])
    return costs


def slow_path(true, generated, cells) -> list[list[int]]:
    """The cheapest path through a set of cells, with the preference in ties written out."""
    costs = {(-1, -1): 0.0}
    previous = {}
    for i, j in sorted(cells):
        distance = np.sqrt(np.square(true[i] - generated[j]).sum())
        moves = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
        sums = [costs.get(cell, np.inf) + distance for cell in moves]
        costs[i, j] = min(sums)
        previous[i, j] = moves[sums.index(min(sums))]
    path = [(len(true) - 1, len(generated) - 1)]
    while path[-1] != (0, 0):
        path.append(previous[path[-1]])
    return [list(cell) for cell in reversed(path)]


def slow_fastdtw(true, generated, radius: int) -> list[list[int]]:
    """FastDTW as its paper describes it: sets of cells instead of a corridor with two edges."""
    n, m = len(true), len(generated)
    cells = {(i, j) for i in range(n) for j in range(m)}
    if min(n, m) >= radius + 2:
        halves = [
            x[: len(x) // 2 * 2].reshape(-1, 2, x.shape[1]).mean(axis=1) for x in (true, generated)
        ]
        around = range(-radius, radius + 1)
        near = {
            (i + a, j + b) for i, j in slow_fastdtw(*halves, radius) for a in around for b in around
        }
        cells &= {(2 * i + a, 2 * j + b) for i, j in near for a in (0, 1) for b in (0, 1)}
    return slow_path(true, generated, cells)


@settings(deadline=None, max_examples=60)
@given(frames, frames)
def test_the_compiled_kernel_finds_the_path_of_the_plain_recursion_ties_included(true, generated):
    cells = {(i, j) for i in range(len(true)) for j in range(len(generated))}
    assert dtw_path(true, generated).path.tolist() == slow_path(true, generated, cells)


@settings(deadline=None, max_examples=60)
@given(frames, frames, st.integers(1, 3))
def test_the_corridor_is_the_set_of_cells_of_the_paper(true, generated, radius):
    path = fastdtw_path(true, generated, radius).path
    assert path.tolist() == slow_fastdtw(true, generated, radius)


@pytest.mark.parametrize("case", CASES)
def test_fastdtw_repeats_path_and_cost_of_the_package(case, package_golden):
    true, generated = package_golden[f"{case}.true"], package_golden[f"{case}.generated"]
    found = fastdtw_path(true, generated, radius=int(package_golden[f"{case}.radius"]))
    assert np.array_equal(found.path, package_golden[f"{case}.path"])
    assert found.cost == pytest.approx(float(package_golden[f"{case}.cost"]), rel=1e-12)


def test_the_shortest_paths_can_be_drawn_by_hand():
    path, cost = dtw_path([[1.0]], [[4.0]])
    assert path.tolist() == [[0, 0]]
    assert cost == 3.0
    path, cost = dtw_path([[0.0], [5.0]], [[0.0], [0.0], [5.0]])
    assert path.tolist() == [[0, 0], [0, 1], [1, 2]]
    assert cost == 0.0


def test_of_equal_moves_advancing_the_true_side_alone_comes_first():
    # In silence every path costs 0, so the order of preference alone decides, from the end back.
    path, cost = dtw_path(np.zeros((3, 1)), np.zeros((2, 1)))
    assert path.tolist() == [[0, 0], [0, 1], [1, 1], [2, 1]]
    assert cost == 0.0


def test_exact_costs_agree_with_librosa_on_long_sequences(rng):
    import librosa

    true, generated = rng.normal(size=(400, 24)), rng.normal(size=(333, 24))
    costs, path = librosa.sequence.dtw(C=cdist(true, generated))
    found = dtw_path(true, generated)
    assert found.cost == pytest.approx(costs[-1, -1], rel=1e-12)
    assert np.array_equal(found.path, path[::-1])


def test_the_golden_path_of_real_cepstra_is_found(mcd_golden):
    true, generated = (
        mcd_golden[f"{name}.mcep16000.every4"][::2, 1:].astype(np.float64)
        for name in ("v1_gt", "v1_predA")
    )
    found = dtw_path(true, generated)
    assert np.array_equal(found.path, mcd_golden["path_every8_first_pair"])
    _, _, cost = mcd_golden["f64_mcd_every8_first_pair_plain_dtw_cost"]
    assert found.cost == pytest.approx(cost, abs=1e-3)


@settings(deadline=None, max_examples=60)
@given(frames, frames)
def test_the_exact_cost_is_the_least_and_the_path_pays_it(true, generated):
    found = dtw_path(true, generated)
    assert found.cost == pytest.approx(accumulated_costs(true, generated)[-1, -1], abs=1e-9)
    assert found.cost == pytest.approx(summed_along(found.path, true, generated), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(frames, frames, st.integers(1, 3))
def test_a_fast_path_is_a_path_and_never_cheaper_than_the_exact_one(true, generated, radius):
    path, cost = fastdtw_path(true, generated, radius)
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [len(true) - 1, len(generated) - 1]
    moves = {tuple(move) for move in np.diff(path, axis=0).tolist()}
    assert moves <= {(0, 1), (1, 0), (1, 1)}
    assert cost == pytest.approx(summed_along(path, true, generated), abs=1e-9)
    assert cost >= dtw_path(true, generated).cost - 1e-9


@settings(deadline=None, max_examples=30)
@given(frames, frames)
def test_a_corridor_as_wide_as_the_sequence_gives_the_exact_cost(true, generated):
    widest = max(len(true), len(generated))
    assert fastdtw_path(true, generated, widest).cost == dtw_path(true, generated).cost


def test_a_sequence_aligns_with_itself_along_the_diagonal(rng):
    audio = rng.normal(size=(100, 3))
    path, cost = fastdtw_path(audio, audio)
    assert cost == 0.0
    assert np.array_equal(path[:, 0], path[:, 1])


def test_swapping_the_sides_leaves_the_exact_cost(rng):
    true, generated = rng.normal(size=(60, 2)), rng.normal(size=(45, 2))
    assert dtw_path(true, generated).cost == pytest.approx(dtw_path(generated, true).cost)


def test_published_mel_distances_follow_from_the_paths_of_fastdtw(shared):
    """Published values of the package mel-cepstral-distance: its front end, our alignment."""
    folder = shared / "media/fixtures/mcd"
    table = json.loads((folder / "mel_cepstral_distance_pkl_expected.json").read_text())
    rows = [row for row in table["test_compare_audio_files_other.pkl"] if is_reproducible(row)]
    assert len(rows) > 30
    for row in rows:
        distance, penalty = mel_distance(folder, row)
        assert distance == pytest.approx(row[-2], rel=1e-9, abs=1e-12)
        assert penalty == pytest.approx(row[-1], abs=1e-12)


def is_reproducible(row: list) -> bool:
    rate_hz, fft_ms, window_ms, _, window, *_ = row
    return rate_hz in (None, 22_050) and fft_ms == window_ms and window == "hanning" and row[7] > 2


def mel_distance(folder, row: list) -> tuple[float, float]:
    """Mean distance of MFCCs s..D-1 along the path of the mel spectra, and the share of repeats."""
    _, fft_ms, _, hop_ms, _, low_hz, high_hz, n_bands, first, end, is_normed, radius, *_ = row
    n_fft, hop = (int(milliseconds / 1000 * 22_050) for milliseconds in (fft_ms, hop_ms))
    filters = mel_triangles(n_fft, low_hz, high_hz or 11_025, n_bands)
    true, generated = (
        np.log10(power_spectrum(path, n_fft, hop, is_normed) @ filters.T + np.finfo(float).eps)
        for path in (folder / "A.wav", folder / "B.wav")
    )
    align = dtw_path if radius is None else lambda a, b: fastdtw_path(a, b, radius)
    path = align(true, generated).path
    order = np.arange(1, n_bands + 1)
    cosines = np.cos(np.outer(order[first:end], order - 0.5) * np.pi / n_bands)
    gaps = (true[path[:, 0]] - generated[path[:, 1]]) @ cosines.T
    return np.linalg.norm(gaps, axis=1).mean(), 2 - (len(true) + len(generated)) / len(path)


def power_spectrum(path, n_fft: int, hop: int, is_normed: bool) -> np.ndarray:
    _, samples = wavfile.read(path)
    scaled = samples / np.abs(samples.astype(float)).max() if is_normed else samples.astype(float)
    starts = np.arange(0, len(scaled) - n_fft, hop)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, n_fft)[starts]
    return np.abs(np.fft.rfft(windows * np.hanning(n_fft))) ** 2


def mel_triangles(n_fft: int, low_hz: float, high_hz: float, n_bands: int) -> np.ndarray:
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (low_hz, high_hz))
    edges_hz = 700 * (10 ** (np.linspace(low, high, n_bands + 2) / 2595) - 1)
    edges = np.floor((n_fft + 1) * edges_hz / 22_050).astype(int)
    filters = np.zeros((n_bands, n_fft // 2 + 1))
    for band, (left, centre, right) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        filters[band, left:centre] = np.linspace(0, 1, centre - left, endpoint=False)
        filters[band, centre:right] = 1 - np.linspace(0, 1, right - centre, endpoint=False)
    return filters


def test_frames_of_unequal_width_are_refused(rng):
    with pytest.raises(ValueError, match="got 3 and 2 values per frame"):
        dtw_path(rng.normal(size=(5, 3)), rng.normal(size=(5, 2)))


def test_sequences_without_a_frame_are_refused():
    with pytest.raises(
        ValueError, match=r"generated must be frames \[N, D\], got float64 \[0, 2\]"
    ):
        fastdtw_path(np.zeros((4, 2)), np.zeros((0, 2)))


def test_frames_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="true has 1 values that are NaN or infinite"):
        dtw_path([[np.nan], [0.0]], [[0.0]])


def test_a_corridor_without_width_is_refused():
    with pytest.raises(ValueError, match="at least 1 frame, got 0"):
        fastdtw_path([[0.0]], [[0.0]], radius=0)
