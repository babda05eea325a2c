from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backbones import passt
from bench.backbones.passt import build_network, front_end, load_passt
from bench.checkpoints.load import assign_state
from bench.errors import BenchError, MediaError
from bench.judges import Prepared
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

FILE = "passt-s-f128-p16-s10-ap.476-swa.pt"
Embed = Callable[[Sequence[Prepared]], dict[str, torch.Tensor]]
FRAMES = [0, 1, 2, 400, 798, 800, 999]
SILENCE = -1.40259  # (ln 1e-5 + 4.5) / 5


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "m4_passt.npz"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("passt")


@pytest.fixture(scope="module")
def embed(folder: Path) -> Iterator[Embed]:
    """Random weights, from a file like the official one: tensors by name, nothing else."""
    unused = {name: torch.zeros(1) for name in passt.UNUSED}
    path = folder / FILE
    torch.save(drawn_state({**build_network().state_dict(), **unused}), path)
    yield open_row("passt", folder)
    path.unlink()


@pytest.fixture
def embed_seeded(shared: Path, tmp_path: Path) -> Iterator[Embed]:
    """The weights of the reference arrays, from such a file."""
    torch.save(seeded_state(shared, "m4_passt_state.json"), tmp_path / FILE)
    yield open_row("passt", tmp_path)
    (tmp_path / FILE).unlink()


@pytest.fixture(scope="module")
def clips(shared: Path) -> torch.Tensor:
    return waveforms(shared, NAMES, passt.SAMPLE_RATE_HZ)


def test_features_of_noise_and_silence_are_those_of_the_package(embed):
    noise, expected = noise_and_expected("passt")
    np.testing.assert_allclose(front_end(noise)[0, :, ::8].numpy(), expected["input"], atol=1e-4)
    for name, feature in embed(prepare_waveforms(front_end, noise)).items():
        assert feature.dtype == torch.float32
        assert relative_errors(feature, expected[name]).max() < 1e-5


@pytest.mark.slow
def test_features_of_files_are_those_of_the_reference(embed_seeded, shared, golden):
    features = embed_seeded(prepare_files("passt", shared, NAMES))
    assert relative_errors(features["embedding"], golden["features"]).max() < 1e-5
    assert relative_errors(features["logits"], golden["logits"]).max() < 1e-5


@pytest.mark.slow
def test_features_do_not_depend_on_their_batch(embed, rng):
    noise = torch.from_numpy(rng.normal(0, 0.1, (2, 32_000)).astype(np.float32))
    alone = embed(prepare_waveforms(front_end, noise[:1]))
    for name, together in embed(prepare_waveforms(front_end, noise)).items():
        assert relative_errors(together[:1], alone[name].numpy()).max() < 1e-5


def test_log_mels_of_files_are_those_of_the_reference(clips, golden):
    images = front_end(clips).numpy()
    np.testing.assert_allclose(images[:, :, FRAMES], golden["mel_frames"], atol=1e-3)
    covered = images[:, :, :790]
    np.testing.assert_allclose(covered.mean(axis=2), golden["mel_mean"], atol=1e-4)
    np.testing.assert_allclose(covered.std(axis=2, ddof=1), golden["mel_std"], atol=1e-4)


@pytest.mark.parametrize("seconds", [2, 4, 10])
def test_audio_is_padded_with_silence_to_ten_seconds(rng, seconds):
    noise = rng.normal(0, 0.1, (1, 32_000 * seconds)).astype(np.float32)
    padded = np.pad(noise, ((0, 0), (0, 320_000 - noise.shape[1])))
    assert torch.equal(front_end(torch.from_numpy(noise)), front_end(torch.from_numpy(padded)))


@pytest.mark.parametrize("n_samples", [1, 32_000, 256_000, 320_000])
def test_spectrograms_cover_ten_seconds_and_silence_has_the_same_value_everywhere(n_samples):
    image = front_end(torch.zeros(1, n_samples))
    assert image.shape == (1, 128, 1000)
    assert image.numpy() == pytest.approx(SILENCE, abs=1e-5)


def test_the_front_end_draws_no_random_numbers():
    before = torch.get_rng_state()
    front_end(torch.zeros(1, 32_000))
    assert torch.equal(torch.get_rng_state(), before)


def test_more_than_ten_seconds_are_refused():
    with pytest.raises(MediaError, match=r"PaSST takes at most 320,000 samples \(10 s"):
        front_end(torch.zeros(1, 320_001))


def test_audio_without_samples_is_refused():
    with pytest.raises(MediaError, match="PaSST needs"):
        front_end(torch.zeros(1, 0))


def test_weights_for_other_lengths_are_refused(tmp_path):
    path = tmp_path / "passt.pt"
    torch.save({"time_new_pos_embed": torch.zeros(1, 768, 1, 199)}, path)
    with pytest.raises(BenchError, match=r"does not fit PaSST: .*\[1, 768, 1, 199\]"):
        load_passt(path)


@pytest.mark.slow
def test_fused_attention_equals_the_attention_of_the_package(rng):
    states = drawn_state(build_network().state_dict())
    images = torch.from_numpy(rng.normal(-1, 0.5, (1, 1, 128, 1000)).astype(np.float32))
    outputs = []
    for is_fused in (True, False):
        network = assign_state(build_network(is_fused=is_fused), states, Path("drawn"))
        with torch.inference_mode():
            outputs.append(network(images))
    for fused, plain in zip(*outputs, strict=True):
        assert relative_errors(fused, plain.numpy()).max() < 1e-6


def test_one_block_with_fused_attention_equals_the_block_of_the_package(rng):
    tokens = torch.from_numpy(rng.normal(size=(2, 60, passt.WIDTH)).astype(np.float32))
    blocks = [build_network(is_fused=is_fused).blocks[0] for is_fused in (True, False)]
    state = drawn_state(blocks[0].state_dict())
    fused, plain = (assign_state(block, state, Path("drawn")) for block in blocks)
    assert type(fused.attn) is not type(plain.attn)
    with torch.inference_mode():
        assert relative_errors(fused(tokens), plain(tokens).numpy()).max() < 1e-6


def test_neither_building_nor_running_the_network_prints_or_draws_random_numbers(capfd):
    before = torch.get_rng_state()
    network = build_network()
    # On the meta device a forward pass costs nothing, and prints as any other would.
    network(torch.empty(1, 1, 128, 1000, device="meta"))
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")
