"""Weights of isolated systems: found by name or by pattern, and compared with what is published."""

from __future__ import annotations

from bench.isolation import Weight
from bench.isolation.setup import list_weight_faults
from bench.isolation.state import describe_missing, weight_files


def test_a_pattern_stands_for_checkpoints_whose_names_nobody_states(make_adapter, tmp_path) -> None:
    adapter = make_adapter(weights=(Weight("logs/*.ckpt", "their site"),))
    assert "logs/*.ckpt (their site)" in describe_missing(adapter)
    assert list_weight_faults(adapter) == ["logs/*.ckpt is missing: get it from their site"]
    found = tmp_path / "checkout" / "logs" / "epoch=3.ckpt"
    found.parent.mkdir()
    found.write_bytes(b"weights")
    assert describe_missing(adapter) == ""
    assert list_weight_faults(adapter) == []
    assert weight_files(adapter) == (found,)


def test_another_file_than_the_published_one_is_named(make_adapter, tmp_path) -> None:
    adapter = make_adapter(weights=(Weight("a.pth", "their site", size_bytes=9, sha256="0" * 64),))
    path = tmp_path / "checkout" / "a.pth"
    path.write_bytes(b"12345678")
    assert list_weight_faults(adapter) == ["a.pth has 8 bytes, the published file 9"]
    path.write_bytes(b"123456789")
    assert list_weight_faults(adapter) == ["a.pth is not the published file: its checksum differs"]
