from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backbones import vggish
from bench.backbones.vggish import build_network, front_end, load_vggish
from bench.errors import BenchError, MediaError
from tests.backbones.seeded import (
    NAMES,
    drawn_state,
    noise_and_expected,
    open_row,
    prepare_files,
    prepare_waveforms,
    relative_errors,
    seeded_state,
    waveforms,
)


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "m3_vggish.npz"))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for checkpoints, deleted at the end because they are large."""
    path = tmp_path_factory.mktemp("vggish") / "vggish-10086976.pth"
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def embed(path: Path):
    """Random weights, from a file like the official one: tensors by name, nothing else."""
    return through_file(drawn_state(build_network().state_dict()), path)


@pytest.fixture
def embed_seeded(shared: Path, path: Path):
    """The weights of the reference arrays, from such a file; large, so kept for one test."""
    return through_file(seeded_state(shared, "m3_vggish_state.json"), path)


def through_file(state: dict[str, torch.Tensor], path: Path):
    torch.save(state, path, _use_new_zipfile_serialization=False)  # as torch wrote in 2019
    return open_row("vggish", path.parent)


@pytest.fixture(scope="module")
def clips(shared: Path) -> torch.Tensor:
    return waveforms(shared, NAMES, vggish.SAMPLE_RATE_HZ)


def test_embeddings_of_files_are_those_of_the_reference(embed_seeded, shared, golden):
    features = embed_seeded(prepare_files("vggish", shared, NAMES))
    assert features["embedding"].dtype == torch.float32
    assert features["embedding"].shape == (4, 8, vggish.WIDTH)
    assert relative_errors(features["embedding"], golden["emb"]).max() < 1e-5

    clip = prepare_files("vggish", shared, ["v2_10s"], seconds=10.0)
    ten = embed_seeded(clip)["embedding"]
    assert relative_errors(ten, golden["v2_10s_emb"][np.newaxis]).max() < 1e-5


def test_features_of_noise_and_silence_are_those_of_the_package(embed):
    noise, expected = noise_and_expected("vggish")
    np.testing.assert_allclose(front_end(noise)[0, :, ::4].numpy(), expected["input"], atol=1e-6)
    embedding = embed(prepare_waveforms(front_end, noise))["embedding"]
    assert relative_errors(embedding, expected["embedding"]).max() < 1e-5


def test_patches_of_files_are_those_of_the_reference(clips, golden):
    patches = front_end(clips)
    examples = patches[:, [0, 7]][:, :, [0, 1, 48, 94, 95]].numpy()
    np.testing.assert_allclose(examples, golden["logmel_examples"], atol=1e-3)
    means = patches.mean(dim=(1, 2)).numpy()
    np.testing.assert_allclose(means, golden["logmel_mean"], atol=1e-5)


def test_an_embedding_does_not_depend_on_its_batch(embed, rng):
    noise = torch.from_numpy(rng.normal(0, 0.1, (3, 32_000)).astype(np.float32))
    prepared = prepare_waveforms(front_end, noise)
    alone = torch.cat([embed([clip])["embedding"] for clip in prepared])
    assert relative_errors(embed(prepared)["embedding"], alone.numpy()).max() < 1e-5


@pytest.mark.parametrize(
    ("n_samples", "n_patches"),
    [(15_600, 1), (30_959, 1), (30_960, 2), (32_000, 2), (64_000, 4), (128_000, 8), (160_000, 10)],
)
def test_every_full_patch_counts_and_the_remainder_is_dropped(n_samples, n_patches):
    assert front_end(torch.zeros(1, n_samples)).shape == (1, n_patches, 96, 64)


def test_silence_is_the_logarithm_of_the_offset():
    assert front_end(torch.zeros(1, 16_000)).numpy() == pytest.approx(np.log(0.01))


@pytest.mark.parametrize("n_samples", [0, 15_360, 15_599])
def test_audio_shorter_than_a_patch_is_refused(n_samples):
    with pytest.raises(MediaError, match=r"VGGish needs .* 15,600 samples \(0.975 s"):
        front_end(torch.zeros(1, n_samples))


def test_the_network_is_frozen_and_ready(embed, path):
    model = load_vggish(path)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_file_of_other_tensors_is_refused(tmp_path):
    path = tmp_path / "vggish.pth"
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, path)
    with pytest.raises(BenchError, match=r"does not fit VGG: .*features.0.bias.* \[64, 3, 3, 3\]"):
        load_vggish(path)
