"""The estimate of a model's memory, and the refusal if less is free."""

from __future__ import annotations

import pytest
import torch

import acfoley.memory
from acfoley.memory import GIBIBYTE, estimate_need, require_memory
from acfoley.params import PRESETS
from bench.backbones.requirements import usable_device
from bench.errors import BenchError

CPU = torch.device("cpu")


def test_the_network_is_counted_to_the_byte_in_its_type():
    full = estimate_need(PRESETS["acfoley"], torch.float32, 8.0)
    short = estimate_need(PRESETS["acfoley"], torch.bfloat16, 8.0)
    assert full.network == 4 * 1_083_814_176
    assert short.network == 2 * 1_083_814_176
    assert full.total - short.total == 2 * 1_083_814_176


def test_a_preset_with_clap_needs_the_memory_of_its_audio_encoder_as_well():
    plain, clap = (
        estimate_need(PRESETS[preset], torch.float32, 8.0) for preset in ("acfoley", "mmaudio_clap")
    )
    assert clap.encoders - plain.encoders == 4 * 68_611_864


def test_more_seconds_and_more_clips_need_more():
    needs = [
        estimate_need(PRESETS["mini"], torch.float32, seconds, n_clips=n_clips).total
        for seconds, n_clips in ((2.0, 1), (8.0, 1), (8.0, 4))
    ]
    assert needs == sorted(set(needs))


def test_with_low_memory_only_the_largest_part_counts():
    together = estimate_need(PRESETS["acfoley"], torch.bfloat16, 8.0)
    turns = estimate_need(PRESETS["acfoley"], torch.bfloat16, 8.0, low_memory=True)
    assert turns.total == together.encoders + together.work
    assert "one at a time" in str(turns)


def test_a_model_that_does_not_fit_is_refused_with_the_options_that_help(monkeypatch):
    need = estimate_need(PRESETS["acfoley"], torch.float32, 8.0)
    monkeypatch.setattr(acfoley.memory, "free_bytes", lambda device: need.total)
    require_memory(need, CPU)
    monkeypatch.setattr(acfoley.memory, "free_bytes", lambda device: need.total - 1)
    with pytest.raises(BenchError, match=r"needs about 1\d\.\d GiB .*cpu has .*smaller --preset"):
        require_memory(need, CPU)
    with pytest.raises(BenchError, match="use --low-memory or --dtype bfloat16"):
        require_memory(need, torch.device("cuda"))


def test_this_machine_has_free_memory():
    assert acfoley.memory.free_bytes(CPU) > GIBIBYTE / 64


def test_missing_devices_are_refused():
    assert usable_device("cpu") == CPU
    for name in ("meta", "toaster", "cuda:x"):
        with pytest.raises(BenchError, match="use cpu, cuda or cuda:N"):
            usable_device(name)
