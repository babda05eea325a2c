"""Layers with a separate CPU kernel: equal outputs, also under autocast and the compiler."""

import warnings

import pytest
import torch

from acfoley.network.attention import Heads
from acfoley.network.layers import Projection


@pytest.fixture
def tokens():
    return torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))


def test_a_projection_is_the_linear_layer_that_it_is_named_after(tokens):
    layer = Projection(8, 6)
    expected = torch.nn.functional.linear(tokens, layer.weight, layer.bias)
    assert torch.allclose(layer(tokens), expected, atol=1e-6)


def test_autocast_reaches_a_projection(tokens):
    layer = Projection(8, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = layer(tokens)
    assert mixed.dtype == torch.bfloat16
    assert torch.allclose(mixed.float(), layer(tokens), atol=0.05)


def test_the_compiler_can_trace_a_projection(tokens):
    layer = Projection(8, 6)
    traced = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert torch.allclose(traced(tokens), layer(tokens), atol=1e-6)


def test_heads_are_normalised_in_the_precision_of_their_weights_without_a_warning(tokens):
    heads = Heads(8, 2)
    with warnings.catch_warnings(), torch.autocast("cpu", dtype=torch.bfloat16):
        warnings.simplefilter("error")
        query, key, value = heads(tokens, None)
    assert (query.dtype, key.dtype, value.dtype) == (torch.float32, torch.float32, torch.bfloat16)
    assert query.detach().square().mean(-1).numpy() == pytest.approx(1.0, abs=1e-2)
