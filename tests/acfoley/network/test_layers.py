"""Layers with CPU kernels of their own: equal outputs, also under autocast and the compiler."""

import warnings

import pytest
import torch
from torch.nn import functional

from acfoley.network import layers
from acfoley.network.attention import Heads
from acfoley.network.layers import Projection, TimeConvolution, has_slow_products


@pytest.fixture
def tokens():
    return torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[False, True], ids=["oneDNN", "prepared"])
def projection(request):
    layer = Projection(8, 6)
    layer.is_prepared = request.param
    return layer


def test_a_projection_is_the_linear_layer_that_it_is_named_after(projection, tokens):
    expected = functional.linear(tokens, projection.weight, projection.bias)
    assert torch.allclose(projection(tokens), expected, atol=1e-6)


def test_autocast_reaches_a_projection(projection, tokens):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = projection(tokens)
    assert mixed.dtype == torch.bfloat16
    assert torch.allclose(mixed.float(), projection(tokens), atol=0.05)


def test_the_compiler_can_trace_a_projection(projection, tokens):
    traced = torch.compile(projection, backend="aot_eager", fullgraph=True)
    assert torch.allclose(traced(tokens), projection(tokens), atol=1e-6)


@pytest.mark.parametrize(("maker", "is_slow"), [("GenuineIntel", False), ("AuthenticAMD", True)])
def test_products_of_torch_are_slow_on_processors_that_are_not_of_intel(
    maker, is_slow, tmp_path, monkeypatch
):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nvendor_id : {maker}\n")
    monkeypatch.setattr(layers, "PROCESSOR", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    monkeypatch.setattr(layers, "HAS_ONEDNN", True)
    assert has_slow_products.__wrapped__() is is_slow


def test_products_of_torch_are_trusted_on_an_unknown_processor(tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "PROCESSOR", tmp_path / "none")
    assert has_slow_products.__wrapped__() is False


def prepared(width_in, width_out, *, bias):
    torch.manual_seed(0)
    layer = TimeConvolution(width_in, width_out, 3, bias=bias)
    layer.prepare()
    return layer


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("n_tokens", [1, 2, 3, 4, 5, 8, 64, 345])
@torch.inference_mode()
def test_a_prepared_convolution_rounds_as_single_precision_does(n_tokens, bias):
    layer = prepared(96, 40, bias=bias)
    tokens = torch.randn(2, n_tokens, 96, generator=torch.Generator().manual_seed(1))
    bias64 = None if layer.bias is None else layer.bias.double()
    exact = functional.conv1d(
        tokens.double().transpose(1, 2), layer.weight.double(), bias64, padding=1
    )
    # Strides as after a convolution, too: channels first in memory.
    for given in (tokens, tokens.transpose(1, 2).contiguous().transpose(1, 2)):
        found = layer(given).double()
        assert found.shape == (2, n_tokens, 40)
        assert (found - exact.transpose(1, 2)).norm() < 3e-6 * exact.norm()


@torch.inference_mode()
def test_a_prepared_kernel_of_three_numbers_gives_the_known_sums():
    layer = TimeConvolution(1, 1, 3, bias=False)
    layer.weight.copy_(torch.tensor([[[1.0, 10.0, 100.0]]]))
    layer.prepare()
    tokens = torch.tensor([1.0, 2, 3, 4, 5])[None, :, None]
    assert layer(tokens).flatten().tolist() == pytest.approx([210, 321, 432, 543, 54], rel=1e-5)


def test_a_prepared_convolution_still_trains():
    layer = prepared(4, 3, bias=True)
    tokens = torch.ones(1, 6, 4)
    layer(tokens).sum().backward()
    assert layer.weight.grad.abs().min() > 0
    with torch.no_grad():
        layer.weight.zero_()
    # With gradients the weight itself counts, not what was prepared from it.
    assert torch.equal(layer(tokens), layer.bias.expand(1, 6, 3))


@torch.inference_mode()
def test_a_prepared_convolution_can_be_cast():
    layer = prepared(8, 6, bias=True)
    tokens = torch.ones(1, 6, 8)
    full = layer(tokens)
    half = layer.bfloat16()(tokens.bfloat16())
    assert half.dtype == torch.bfloat16
    assert torch.allclose(half.float(), full, atol=0.05)


@torch.no_grad()
def test_the_compiler_can_trace_a_prepared_convolution(tokens):
    layer = prepared(8, 6, bias=True)
    traced = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert torch.allclose(traced(tokens), layer(tokens), atol=1e-6)


def test_heads_are_normalised_in_the_precision_of_their_weights_without_a_warning(tokens):
    heads = Heads(8, 2)
    with warnings.catch_warnings(), torch.autocast("cpu", dtype=torch.bfloat16):
        warnings.simplefilter("error")
        query, key, value = heads(tokens, None)
    assert (query.dtype, key.dtype, value.dtype) == (torch.float32, torch.float32, torch.bfloat16)
    assert query.detach().square().mean(-1).numpy() == pytest.approx(1.0, abs=1e-2)
