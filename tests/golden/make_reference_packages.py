"""Make reference_packages.npz: alignments of the package fastdtw, distortions of the package pymcd.

Run in an environment that has both (``pip install fastdtw==0.3.4 pymcd==0.2.1``), from anywhere:

    python tests/golden/make_reference_packages.py

Arrays: ``<case>.true``, ``.generated``, ``.radius``, ``.path``, ``.cost``; ``<a>|<b>.pymcd_dtw``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from fastdtw import fastdtw
from pymcd.mcd import Calculate_MCD
from scipy.spatial.distance import euclidean

HERE = Path(__file__).parent
PAIRS = [("c_gt", "c_pred"), ("c_gt", "c_few"), ("c_gt", "c_silence"), ("c_dense", "c_start")]


def sequences(rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    """Sequences to align, by name: unlike and alike, long and short, and full of ties."""
    walk = rng.normal(size=(301, 2)).cumsum(axis=0)
    return {
        "noise": (rng.normal(size=(40, 3)), rng.normal(size=(57, 3)), 1),
        "walks": (walk, rng.normal(size=(280, 2)).cumsum(axis=0), 1),
        "stretched_walk": (walk, walk[np.sort(rng.integers(0, 301, 200))], 1),
        "one_to_four": (rng.normal(size=(50, 4)), rng.normal(size=(201, 4)), 1),
        "radius_2": (walk[:150], -walk[150:], 2),
        "radius_7": (walk[:150], -walk[150:], 7),
        "integers": (rng.integers(0, 3, (64, 1)) * 1.0, rng.integers(0, 3, (77, 1)) * 1.0, 1),
        "binary_grid": (rng.integers(0, 2, (95, 2)) * 1.0, rng.integers(0, 2, (95, 2)) * 1.0, 1),
        "silence": (np.zeros((33, 2)), np.zeros((20, 2)), 1),
        "silence_in_part": (np.repeat([[0.0], [1.0], [0.0]], 9, axis=0), np.zeros((31, 1)), 1),
        "one_frame": (np.array([[0.5]]), rng.normal(size=(5, 1)), 1),
        "two_frames": (rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), 1),
        "just_long_enough": (rng.normal(size=(3, 1)), rng.normal(size=(9, 1)), 1),
    }


def main() -> None:
    arrays: dict[str, object] = {}
    for name, (true, generated, radius) in sequences(np.random.default_rng(4)).items():
        cost, path = fastdtw(true, generated, radius=radius, dist=euclidean)
        arrays |= {f"{name}.true": true, f"{name}.generated": generated, f"{name}.radius": radius}
        arrays |= {f"{name}.path": np.array(path, dtype=np.int64), f"{name}.cost": cost}
    toolbox = Calculate_MCD("dtw")
    for true_name, generated_name in PAIRS:
        files = [str(HERE / f"onset_audio/{name}.flac") for name in (true_name, generated_name)]
        arrays[f"{true_name}|{generated_name}.pymcd_dtw"] = toolbox.calculate_mcd(*files)
    np.savez_compressed(HERE / "reference_packages.npz", **arrays)


if __name__ == "__main__":
    main()
