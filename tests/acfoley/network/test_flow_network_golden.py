"""The flow network through checkpoint files gives the numbers of the published one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from acfoley.network.conditions import COMPONENTS, Features, concatenate
from acfoley.network.flow_network import FlowNetwork
from acfoley.network.layers import time_frequencies
from acfoley.network.weights import open_flow
from acfoley.params import PRESETS, sequence_lengths
from acfoley.sampling import classifier_free_guidance, euler
from bench.types import Condition, parse_condition
from tests.acfoley.seeded import (
    ACFOLEY_GAIN,
    GOLDEN,
    MMAUDIO_GAIN,
    NARROW,
    draw,
    drawn_features,
    relative_error,
    write_checkpoint,
)

MASKS = {
    "flow": "",
    "flow_empty": "audio,sync,video,text",
    "flow_no_audio": "audio",
    "flow_no_sync": "sync",
    "flow_no_video": "video",
    "flow_no_text": "text",
}
EVERYTHING = Condition(frozenset(COMPONENTS))


@pytest.fixture(scope="module", params=[False, True], ids=["as opened", "prepared"])
def acfoley(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FlowNetwork]:
    path = tmp_path_factory.mktemp("flow") / "narrow.pth"
    network = open_flow(write_checkpoint(path, NARROW, ACFOLEY_GAIN), NARROW)
    if request.param:
        network.prepare_inference()
    yield network
    path.unlink()


@torch.inference_mode()
def velocity_errors(
    network: FlowNetwork, golden: dict[str, np.ndarray], tag: str, seconds: float, time: float
) -> dict[str, float]:
    """Relative errors of the velocities under every mask, and of five guided steps."""
    n_clips, lengths = len(golden["flow"]), sequence_lengths(seconds)
    features = drawn_features(tag, n_clips, lengths)
    noise, times = draw(f"{tag}.x", (n_clips, lengths.latents, 40)), torch.full((n_clips,), time)
    errors = {}
    for name, mask in MASKS.items():
        conditions = network.conditions(features, lengths, parse_condition(mask))
        errors[name] = relative_error(network(noise, times, conditions), golden[name])
    known = network.conditions(features, lengths)
    empty = network.conditions(Features(), lengths)
    sample = euler(classifier_free_guidance(network, known, empty, 4.5), noise, 5)
    errors["euler5_cfg4.5"] = relative_error(sample, golden["euler5_cfg4.5"])
    return errors


def test_two_seconds_with_every_component_masked_are_those_of_the_release(acfoley):
    golden = dict(np.load(GOLDEN / "acfoley_flow_2s.npz"))
    errors = velocity_errors(acfoley, golden, "acfoley_2s", 2.0, 0.6)
    assert max(errors.values()) < 1e-5, errors


def test_eight_seconds_of_two_clips_are_those_of_the_release(acfoley, shared):
    golden = dict(np.load(shared / "golden" / "acfoley_flow_small.npz"))
    errors = velocity_errors(acfoley, golden, "acfoley_small", 8.0, 0.37)
    assert max(errors.values()) < 1e-5, errors


@pytest.mark.parametrize(
    ("device", "dtype", "limit"),
    [
        ("cpu", torch.bfloat16, 0.05),
        pytest.param("cuda", torch.float32, 1e-3, marks=pytest.mark.gpu),
        pytest.param("cuda", torch.bfloat16, 0.05, marks=pytest.mark.gpu),
    ],
)
@torch.inference_mode()
def test_other_devices_and_types_are_close(device, dtype, limit, tmp_path):
    path = write_checkpoint(tmp_path / "narrow.pth", NARROW, ACFOLEY_GAIN)
    network = open_flow(path, NARROW, device=device, dtype=dtype)
    lengths, tag = sequence_lengths(2.0), "acfoley_2s"
    known = network.conditions(drawn_features(tag, 1, lengths).to(device), lengths)
    empty = network.conditions(Features(), lengths)
    noise = draw(f"{tag}.x", (1, lengths.latents, 40)).to(device)
    sample = euler(classifier_free_guidance(network, known, empty, 4.5), noise, 5).cpu()
    assert sample.dtype == torch.float32
    golden = np.load(GOLDEN / "acfoley_flow_2s.npz")["euler5_cfg4.5"]
    assert relative_error(sample, golden) < limit


@pytest.mark.parametrize("is_prepared", [False, True])
@pytest.mark.parametrize("version", [1, 2])
@torch.inference_mode()
def test_both_versions_of_mmaudio_are_those_of_the_reference(
    version, is_prepared, shared, tmp_path
):
    golden = np.load(shared / "golden" / f"flow_small_v{version}.npz")
    params = replace(NARROW, version=version, reference=None)
    network = open_flow(write_checkpoint(tmp_path / "narrow.pth", params, MMAUDIO_GAIN), params)
    (tmp_path / "narrow.pth").unlink()
    if is_prepared:
        network.prepare_inference()
    lengths, features = sequence_lengths(8.0), mmaudio_features("", 8.0, 2)
    known = network.conditions(features, lengths)
    empty = network.conditions(features, lengths, EVERYTHING)
    latents, times = draw("flow/latent", (2, 345, 40)), torch.full((2,), 0.37)
    velocity = classifier_free_guidance(network, known, empty, 4.5)
    found = {
        "flow": network(latents, times, known),
        "flow_mixed_t": network(latents, torch.tensor([0.11, 0.93]), known),
        "flow_uncond": network(latents, times, empty),
        "euler5": euler(velocity, draw("flow/x0", (2, 345, 40)), 5),
    }
    four = network.conditions(mmaudio_features("_4s", 4.0, 2), sequence_lengths(4.0))
    found["flow_4s"] = network(draw("flow/latent_4s", (2, 173, 40)), times, four)
    for name, ours in found.items():
        limit = 5e-4 if name == "euler5" else 1e-4
        np.testing.assert_allclose(ours.numpy(), golden[name], atol=limit, err_msg=name)


@torch.inference_mode()
def test_a_prepared_network_keeps_its_state_and_its_velocities_but_for_rounding(tmp_path):
    network = open_flow(write_checkpoint(tmp_path / "narrow.pth", NARROW, ACFOLEY_GAIN), NARROW)
    lengths = sequence_lengths(2.0)
    conditions = network.conditions(drawn_features("acfoley_2s", 1, lengths), lengths)
    noise, times = draw("acfoley_2s.x", (1, lengths.latents, 40)), torch.full((1,), 0.6)
    before, names = network(noise, times, conditions), list(network.state_dict())
    network.prepare_inference()
    after = network(noise, times, conditions)
    assert 0 < relative_error(after, before.numpy()) < 1e-5
    assert list(network.state_dict()) == names


@torch.inference_mode()
def test_latents_of_one_clip_have_a_velocity_under_each_of_its_conditions(acfoley):
    network, lengths = acfoley, sequence_lengths(2.0)
    known = network.conditions(drawn_features("acfoley_2s", 2, lengths), lengths)
    empty = network.conditions(Features(), lengths).repeat(2)
    noise, times = draw("two.x", (2, lengths.latents, 40)), torch.tensor([0.2, 0.6])
    both = network(noise, times, concatenate([known, empty])).chunk(2)
    for found, conditions in zip(both, (known, empty), strict=True):
        alone = network(noise, times, conditions)
        assert relative_error(found, alone.numpy()) < 1e-5


def mmaudio_features(suffix: str, seconds: float, n_clips: int, tag: str = "flow") -> Features:
    """The inputs of MMAudio's arrays."""
    lengths = sequence_lengths(seconds)
    return Features(
        sync=draw(f"{tag}/sync{suffix}", (n_clips, lengths.sync_tokens, 768)),
        video=draw(f"{tag}/clip{suffix}", (n_clips, lengths.clip_frames, 1024)),
        text=draw(f"{tag}/text{suffix}", (n_clips, 77, 1024)),
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
@torch.inference_mode()
def test_the_full_size_is_that_of_the_reference(shared, tmp_path):
    golden = np.load(shared / "golden" / "flow_large_44k_v2.npz")
    params = PRESETS["large_44k_v2"]
    network = open_flow(write_checkpoint(tmp_path / "large.pth", params, MMAUDIO_GAIN), params)
    features = mmaudio_features("", 8.0, 1, tag="flow_large")
    conditions = network.conditions(features, sequence_lengths(8.0))
    latents = draw("flow_large/latent", (1, 345, 40))
    ours = network(latents, torch.tensor([0.5]), conditions)
    np.testing.assert_allclose(ours.numpy(), golden["flow"], atol=1e-4)
    (tmp_path / "large.pth").unlink()


@pytest.mark.parametrize(
    ("file", "width", "highest"),
    [("flow_small_v1", 256, 1.0), ("flow_small_v2", 128, 1e4), ("flow_large_44k_v2", 896, 1e4)],
)
def test_frequencies_of_time_are_those_of_the_reference_to_the_bit(file, width, highest, shared):
    expected = np.load(shared / "golden" / f"{file}.npz")["time_frequencies"]
    found = time_frequencies(width, highest).numpy()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("preset", ["small_44k", "large_44k_v2"])
def test_tensors_of_mmaudio_have_the_official_names_and_shapes(preset):
    table = json.loads((GOLDEN / f"state_flow_{preset}.json").read_text())
    expected = {
        name: shape for pattern, shape in table["entries"].items() for name in expanded(pattern)
    }
    assert shapes_of(preset) == expected
    assert len(expected) == table["tensors"]
    assert n_values(preset) == table["values"]


def test_tensors_of_acfoley_have_the_official_names_and_shapes():
    table = json.loads((GOLDEN / "acfoley_keys.json").read_text())
    counted: dict[str, tuple[list[int], int]] = {}
    for name, shape in shapes_of("acfoley").items():
        # The table shows the first of the blocks that share a name, and how many they are.
        pattern = re.sub(r"_blocks\.\d+\.", "_blocks.*.", name)
        first, count = counted.get(pattern, (shape, 0))
        counted[pattern] = first, count + 1
    assert counted == {name: (shape, count) for name, (shape, count) in table["entries"].items()}
    assert n_values("acfoley") == table["total_parameters"] == 1_083_814_176
    assert n_values("medium_44k") == 621_805_944
    assert n_values("large_44k") == 1_030_002_168


def expanded(pattern: str) -> list[str]:
    """Expand ``blocks.{0..3}.x`` and ``mlp.{0,2}.bias`` to several names each."""
    groups = re.findall(r"\{([^}]*)\}", pattern)
    choices = []
    for group in groups:
        first, _, last = group.partition("..")
        choices.append(range(int(first), int(last) + 1) if last else group.split(","))
    template = re.sub(r"\{[^}]*\}", "{}", pattern)
    return [template.format(*chosen) for chosen in product(*choices)]


def shapes_of(preset: str) -> dict[str, list[int]]:
    with torch.device("meta"):
        state = FlowNetwork(PRESETS[preset]).state_dict()
    return {name: list(tensor.shape) for name, tensor in state.items()}


def n_values(preset: str) -> int:
    return sum(int(np.prod(shape)) for shape in shapes_of(preset).values())


def test_the_files_of_the_tests_are_those_of_the_reference(shared: Path):
    for name in ("acfoley_flow_2s.npz", "acfoley_keys.json", "state_flow_small_44k.json"):
        assert (GOLDEN / name).read_bytes() == (shared / "golden" / name).read_bytes()
