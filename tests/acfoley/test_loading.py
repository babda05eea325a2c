"""Which networks are prepared for faster inference."""

from __future__ import annotations

import pytest

from acfoley import loading
from acfoley.loading import prepare_network
from acfoley.network.initialise import new_network
from tests.acfoley.seeded import NARROW


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr(loading, "has_slow_products", lambda: False)
    return new_network(NARROW, seed=0)


def test_a_network_is_prepared_where_its_transformed_weights_fit(network, caplog):
    assert network.transformed_bytes > 2**20
    prepare_network(network, network.transformed_bytes - 1)
    assert not network.is_prepared
    assert ["generating is slower" in each.message for each in caplog.records] == [True]
    prepare_network(network, network.transformed_bytes)
    assert network.is_prepared
    assert len(caplog.records) == 1


def test_the_transformed_weights_have_the_size_that_is_asked_for(network):
    network.prepare_inference()
    made = [
        each.transformed.nbytes
        for blocks in (network.joint_blocks, network.fused_blocks)
        for each in blocks.modules()
        if getattr(each, "transformed", None) is not None
    ]
    assert sum(made) == network.transformed_bytes


def test_other_types_and_processors_with_slow_products_are_left_alone(network, monkeypatch, caplog):
    prepare_network(network.bfloat16(), 2**40)
    assert not network.is_prepared
    monkeypatch.setattr(loading, "has_slow_products", lambda: True)
    prepare_network(network.float(), 2**40)
    assert not network.is_prepared
    prepare_network(network, 0)
    assert not caplog.records
