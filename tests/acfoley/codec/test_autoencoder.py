from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from acfoley.codec.autoencoder import Autoencoder, load_autoencoder
from acfoley.codec.mel import log_mel
from tests.acfoley.official import official_shapes, official_state

TABLE = "state_vae_44k.json"


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "vae_44k.npz"))


@pytest.fixture(scope="module")
def model(
    shared: Path, golden: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Autoencoder]:
    """Seeded weights, loaded from a file like the official one."""
    state = official_state(shared, TABLE)
    for name in ("data_mean", "data_std"):
        state[name] = torch.from_numpy(golden[name])[None, :, None]
    path = tmp_path_factory.mktemp("autoencoder") / "v1-44.pth"
    torch.save(state, path)
    yield load_autoencoder(path)
    path.unlink()


def test_the_tensors_are_those_of_the_official_file(shared: Path) -> None:
    with torch.device("meta"):
        own = {name: list(tensor.shape) for name, tensor in Autoencoder().state_dict().items()}
    assert own == official_shapes(shared, TABLE)
    assert sum(np.prod(shape, dtype=int) for shape in own.values()) == 305_479_938


def test_log_mel_equals_the_reference(golden: dict[str, np.ndarray]) -> None:
    waveform = torch.from_numpy(golden["waveform_int16"].astype(np.float32) / 32_768)
    mel = log_mel(waveform)
    assert mel.numpy() == pytest.approx(golden["log_mel"], abs=1e-3)


def test_the_posterior_equals_the_reference(
    golden: dict[str, np.ndarray], model: Autoencoder
) -> None:
    with torch.inference_mode():
        mean, std = model.encode(torch.from_numpy(golden["log_mel"]))
    assert mean.numpy() == pytest.approx(golden["posterior_mean"], abs=2e-5)  # the limit is 1e-4
    assert std.numpy() == pytest.approx(golden["posterior_std"], abs=2e-5)


def test_decoding_equals_the_reference(golden: dict[str, np.ndarray], model: Autoencoder) -> None:
    with torch.inference_mode():
        mel = model.decode(torch.from_numpy(golden["posterior_mean"]))
    assert mel.numpy() == pytest.approx(golden["decoded"], abs=5e-5)  # the limit is 2e-4
