from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from acfoley.codec import snake, snake_cpu
from acfoley.codec.snake import lowpass_taps
from acfoley.codec.vocoder import (
    PAIRS,
    VOCODER_44K,
    Vocoder,
    VocoderParams,
    context_frames,
    load_vocoder,
    synthesise,
)
from bench.errors import BenchError
from tests.acfoley.official import official_state, seed_weights

TABLE = "state_bigvgan_v2_44k.json"
SMALL = VocoderParams(
    n_mels=8, width=64, rates=(8, 4, 2, 2), block_kernels=(3, 7, 11), dilations=(1, 3, 5)
)


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "bigvgan_v2_44k.npz"))


@pytest.fixture(scope="module")
def checkpoint(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Seeded weights in a file like the official one."""
    state = official_state(shared, TABLE, gain={r"convs.*weight_g$": 0.5})
    taps = np.load(shared / "golden" / "bigvgan_v2_44k.npz")["antialias_filter"]
    for name in state:
        if name.endswith(".filter"):
            state[name] = torch.from_numpy(taps).reshape(1, 1, 12)
    path = tmp_path_factory.mktemp("vocoder") / "bigvgan_generator.pt"
    torch.save({"generator": state}, path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Vocoder:
    return load_vocoder(checkpoint)


@pytest.fixture(scope="module")
def mel(shared: Path) -> Tensor:
    return seed_weights(shared).draw("vocoder/mel", (1, 128, 32))


@pytest.fixture(scope="module")
def small() -> Vocoder:
    """A narrow vocoder under weights that keep its output within full scale."""
    generator = torch.Generator().manual_seed(3)
    model = Vocoder(SMALL)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
            parameter.normal_(std=fan_in**-0.5, generator=generator)
        model.conv_post.weight *= 0.2
    return model.eval()


def test_the_filter_is_the_published_one(golden: dict[str, np.ndarray]) -> None:
    assert lowpass_taps() == pytest.approx(golden["antialias_filter"].tolist(), abs=1e-7)


@pytest.mark.parametrize("length", [1, 2, 3, 7, 1023, 1024, 1027, 5000])
def test_the_activation_equals_its_definition(length: int) -> None:
    generator = torch.Generator().manual_seed(0)
    signal = 5 * torch.randn(2, 6, length, generator=generator)
    module = snake.AntialiasedSnake(6)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    with torch.inference_mode():
        compiled, plain = module(signal), module.double()(signal.double())
        frequency, strength = (each.exp()[:, None] for each in module.act.values())
        expected = snake.activate_by_definition(signal.double(), frequency, 1 / (strength + 1e-9))
    assert compiled.numpy() == pytest.approx(expected.numpy(), abs=2e-5)
    assert plain.numpy() == pytest.approx(expected.numpy(), abs=1e-6)


def test_the_activation_does_not_depend_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snake_cpu, "VALUES_PER_THREAD", 1)
    module = snake.AntialiasedSnake(7)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    signal = torch.randn(1, 7, 300, generator=torch.Generator().manual_seed(1))
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 2, 20):
            torch.set_num_threads(n_threads)
            with torch.inference_mode():
                found.append(module(signal))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(each, found[0]) for each in found)


def test_the_plain_weights_are_those_of_the_published_network() -> None:
    with torch.device("meta"):
        state = Vocoder().state_dict()
    n_filters = 218
    assert len(state) == 667 - n_filters
    assert sum(tensor.numel() for tensor in state.values()) == 122_155_368 - 12 * n_filters


def test_the_waveform_equals_the_reference(
    golden: dict[str, np.ndarray], model: Vocoder, mel: Tensor
) -> None:
    waveform = synthesise(model, mel, None)
    assert waveform.shape == (1, 16_384)
    assert waveform.numpy() == pytest.approx(golden["waveform"][0], abs=1e-5)  # the limit is 1e-4


@pytest.mark.slow
def test_chunks_equal_one_pass_at_full_size(model: Vocoder, mel: Tensor) -> None:
    longer = torch.cat([mel, mel.flip(-1)], dim=-1)
    whole, pieces = synthesise(model, longer, None), synthesise(model, longer, 20)
    assert pieces.numpy() == pytest.approx(whole.numpy(), abs=1e-5)


@pytest.mark.parametrize("chunk_frames", [5, 21, 49, 100])
def test_chunks_of_any_length_equal_one_pass(small: Vocoder, chunk_frames: int) -> None:
    mel = torch.randn(2, 8, 50, generator=torch.Generator().manual_seed(1))
    whole = synthesise(small, mel, None)
    assert whole.shape == (2, 50 * SMALL.hop_samples)
    assert 0.05 < whole.abs().mean() < 0.5
    pieces = synthesise(small, mel, chunk_frames)
    assert pieces.numpy() == pytest.approx(whole.numpy(), abs=1e-5)


def test_a_sample_depends_on_its_context_and_on_nothing_else(small: Vocoder) -> None:
    reach = context_frames(small.params)
    mel = torch.randn(1, 8, 100, generator=torch.Generator().manual_seed(2))
    other = mel.clone()
    other[..., :20] = 0
    same = synthesise(small, mel, None).isclose(synthesise(small, other, None), atol=1e-7)
    assert same[:, (20 + reach) * SMALL.hop_samples :].all()
    assert not same[:, : 20 * SMALL.hop_samples].all()


def test_the_published_network_reaches_21_frames() -> None:
    assert context_frames(VOCODER_44K) == 21


def test_plain_weights_and_both_kinds_of_weight_norm_load_alike(
    small: Vocoder, tmp_path: Path
) -> None:
    plain = small.state_dict()
    plain["conv_pre.filter"] = torch.tensor(lowpass_taps()).reshape(1, 1, 12)
    waveforms = []
    mel = torch.randn(1, 8, 5, generator=torch.Generator().manual_seed(4))
    for pair in (None, *PAIRS):
        state = {}
        for name, tensor in plain.items():
            if pair is None or not name.endswith(".weight"):
                state[name] = tensor
                continue
            norm = tensor.flatten(1).norm(dim=1).reshape(-1, *[1] * (tensor.ndim - 1))
            stem = name.removesuffix(".weight")
            state |= {stem + pair[0]: norm, stem + pair[1]: 3 * tensor}
        torch.save({"generator": state}, tmp_path / "generator.pt")
        loaded = load_vocoder(tmp_path / "generator.pt", params=SMALL)
        waveforms.append(synthesise(loaded, mel))
    for waveform in waveforms:
        assert waveform.numpy() == pytest.approx(waveforms[0].numpy(), abs=2e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_post.weight_g": None}, "without a conv_post.weight_g"),
        ({"conv_post.weight_v": None}, "half a checkpoint"),
        ({"conv_post.filter": torch.ones(1, 1, 12)}, "not the low-pass of BigVGAN v2"),
        ({"conv_pre.bias": None}, "1 missing .conv_pre.bias"),
        ({"conv_pre.another": torch.ones(1)}, "1 unexpected .conv_pre.another"),
    ],
)
def test_other_checkpoints_are_refused(
    small: Vocoder, tmp_path: Path, change: dict[str, Tensor | None], message: str
) -> None:
    state: dict[str, Tensor | None] = dict(small.state_dict())
    state["conv_post.weight_v"] = state.pop("conv_post.weight")
    state["conv_post.weight_g"] = torch.ones(1, 1, 1)
    state |= change
    present = {name: tensor for name, tensor in state.items() if tensor is not None}
    torch.save({"generator": present}, tmp_path / "generator.pt")
    with pytest.raises(BenchError, match=message):
        load_vocoder(tmp_path / "generator.pt", params=SMALL)
