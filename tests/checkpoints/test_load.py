"""Checkpoints are untrusted data: the formats that are read, and the reasons for a refusal."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bench.checkpoints.load import assign_state, load_state
from bench.errors import BenchError, MissingError


class Network(nn.Module):
    """Two layers, so that names have dots."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)


class RunsACommand:
    """Pickles to a call of ``os.mkdir``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def state():
    return Network().state_dict()


def save(path: Path, content: object, *, is_zip: bool = True) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=is_zip)
    return path


def same(one, other) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("is_zip", [True, False])
def test_both_formats_of_torch_are_read(tmp_path, state, is_zip):
    assert same(load_state(save(tmp_path / "a.pth", state, is_zip=is_zip)), state)


def test_safetensors_are_read(tmp_path, state):
    save_file(state, tmp_path / "a.safetensors")
    assert same(
        dict(sorted(load_state(tmp_path / "a.safetensors").items())), dict(sorted(state.items()))
    )


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's list of maps")
def test_a_zip_checkpoint_is_mapped_not_copied(tmp_path):
    path = save(tmp_path / "a.pth", {"x": torch.zeros(10_000)})
    state = load_state(path)
    assert str(path) in Path("/proc/self/maps").read_text()
    assert not state["x"].any()


def test_a_key_opens_the_entry_that_holds_the_tensors(tmp_path, state):
    path = save(tmp_path / "a.pth", {"model": state, "iteration": 7})
    assert same(load_state(path, key="model"), state)


def test_a_prefix_selects_tensors_and_is_cut_off(tmp_path, state):
    path = save(tmp_path / "a.pth", state)
    assert list(load_state(path, prefix="first.")) == ["weight", "bias"]


def test_types_that_a_caller_names_as_harmless_are_accepted(tmp_path, state):
    path = save(tmp_path / "a.pth", {"model": state, "accuracy": Fraction(1, 2)})
    with pytest.raises(BenchError, match="holds code, not tensors: .*'fractions.Fraction'"):
        load_state(path, key="model")
    with torch.serialization.safe_globals([Fraction]):
        assert same(load_state(path, key="model"), state)


@pytest.mark.parametrize("is_zip", [True, False])
def test_code_is_refused_by_name_and_not_run(tmp_path, is_zip):
    content = {"x": RunsACommand(tmp_path / "ran")}
    path = save(tmp_path / "a.pth", content, is_zip=is_zip)
    with pytest.raises(BenchError, match=r"holds code, not tensors: it asks to call '\w+\.mkdir'"):
        load_state(path)
    assert not (tmp_path / "ran").exists()


def test_a_pickled_module_is_refused_as_code(tmp_path):
    with pytest.raises(BenchError, match="holds code, not tensors: .*Network"):
        load_state(save(tmp_path / "a.pth", Network()))


def test_a_plain_pickle_is_refused_without_a_warning(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps({"x": RunsACommand(tmp_path / "ran")}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(BenchError, match="is no checkpoint of torch"):
            load_state(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused_as_truncated(tmp_path, state, is_zip, share):
    path = save(tmp_path / "a.pth", {**state, "big": torch.zeros(10_000)}, is_zip=is_zip)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(BenchError, match="truncated"):
        load_state(path)


def test_a_truncated_safetensors_file_is_refused_as_truncated(tmp_path, state):
    path = tmp_path / "a.safetensors"
    save_file(state, path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(BenchError, match="is truncated or no safetensors file"):
        load_state(path)


def test_any_bytes_changed_in_a_pickle_give_a_refusal_or_tensors(tmp_path, state, rng):
    whole = save(tmp_path / "a.pth", state, is_zip=False).read_bytes()
    path, refused = tmp_path / "b.pth", 0
    for _ in range(150):
        damaged = bytearray(whole)
        for position in rng.integers(0, 600, size=3):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            load_state(path)
        except BenchError:
            refused += 1
    assert refused > 50


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    with pytest.raises(MissingError, match="there is no checkpoint .*bench weights fetch"):
        load_state(path)
    path.write_bytes(b"")
    with pytest.raises(BenchError, match="is empty"):
        load_state(path)
    path.write_text("<!DOCTYPE html><html>Not found</html>")
    with pytest.raises(BenchError, match="is no checkpoint of torch"):
        load_state(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(BenchError, match="truncated or damaged"):
        load_state(path)


def test_content_that_is_not_tensors_by_name_is_refused(tmp_path, state):
    path = save(tmp_path / "a.pth", [torch.zeros(1)])
    with pytest.raises(BenchError, match="holds a list, expected tensors by name"):
        load_state(path)
    save(path, {"model": state})
    with pytest.raises(BenchError, match="has no entry 'weights'; it has model"):
        load_state(path, key="weights")
    with pytest.raises(BenchError, match="the entry 'model' of .* expected a tensor"):
        load_state(path)
    save(path, state)
    with pytest.raises(BenchError, match="no tensor whose name begins with 'second.'"):
        load_state(path, prefix="second.")


def on_meta() -> Network:
    with torch.device("meta"):
        return Network()


def test_a_module_on_the_meta_device_takes_the_tensors_over(tmp_path, state):
    path = save(tmp_path / "a.pth", state)
    loaded = load_state(path)
    module = assign_state(on_meta(), loaded, path)
    assert same(module.state_dict(), state)
    assert module.first.weight.data_ptr() == loaded["first.weight"].data_ptr()
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_tensors_that_do_not_fit_are_counted_and_the_first_are_named(state):
    wrong = {**state, "first.weight": torch.zeros(4, 2), "first.bias": torch.zeros(4).half()}
    del wrong["norm.running_mean"]
    wrong |= {f"head.{index}": torch.zeros(1) for index in range(5)}
    with pytest.raises(BenchError) as caught:
        assign_state(on_meta(), wrong, Path("a.pth"))
    assert str(caught.value) == (
        "a.pth does not fit Network: of its tensors 1 missing (norm.running_mean); "
        "5 unexpected (head.0, head.1, head.2 and 2 more); 2 of another shape or type "
        "(first.weight is [4, 2] float32 instead of [4, 3] float32, "
        "first.bias is [4] float16 instead of [4] float32)"
    )


def test_optional_tensors_may_be_in_the_file_alone_or_in_the_module_alone(state):
    state["sampler"] = torch.zeros(2)
    del state["norm.num_batches_tracked"]
    optional = {"sampler", "norm.num_batches_tracked"}
    module = assign_state(Network(), state, Path("a.pth"), optional=optional)
    assert torch.equal(module.first.weight, state["first.weight"])
    assert module.norm.num_batches_tracked == 0


def test_a_tensor_that_no_file_provides_is_a_programming_error(state):
    module = on_meta()
    module.register_buffer("window", torch.ones(3, device="meta"), persistent=False)
    with pytest.raises(ValueError, match="no file provides window: compute it off the meta device"):
        assign_state(module, state, Path("a.pth"))
