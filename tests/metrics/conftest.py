"""Reference arrays and waveforms for the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

Load = Callable[[Path], npt.NDArray[np.float32]]
Arrays = Mapping[str, npt.NDArray]


def load_22050(path: Path) -> npt.NDArray[np.float32]:
    """A file as ``librosa.load`` reads it: mean of channels, 22,050 Hz, float32."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return soxr.resample(samples.mean(axis=1), rate_hz, 22_050, quality="soxr_hq")


@pytest.fixture(scope="session")
def waveforms() -> dict[str, npt.NDArray[np.float32]]:
    """The synthetic waveforms of the onset goldens by name, 8 s at 22,050 Hz."""
    return {path.stem: load_22050(path) for path in (GOLDEN / "onset_audio").glob("*.flac")}


@pytest.fixture(scope="session")
def real_waveforms(shared: Path) -> dict[str, npt.NDArray[np.float32]]:
    """All waveforms of the onset goldens by name, real ones included, 8 s at 22,050 Hz."""
    folder = shared / "golden/media"
    names = [path for path in sorted(folder.glob("*.flac")) if "stereo" not in path.stem]
    return {path.stem: load_22050(path)[: 8 * 22_050] for path in names}


@pytest.fixture(scope="session")
def onset_golden() -> Arrays:
    with np.load(GOLDEN / "m9_onsets.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def mcd_golden() -> Arrays:
    with np.load(GOLDEN / "m10_mcd.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def package_golden() -> Arrays:
    with np.load(GOLDEN / "reference_packages.npz") as arrays:
        return dict(arrays)
