"""Checkpoint files to tensors, and tensors to modules: nothing runs, nothing is guessed.

A checkpoint is data from a stranger. ``.safetensors`` files hold nothing but tensors; ``.pt`` and
``.pth`` files are pickles, which may hold code, and are read by torch's restricted unpickler, which
refuses it; a network whose official file holds more than tensors names the harmless types around
its call (``torch.serialization.safe_globals``). Tensors stay mapped to the file until they are
used, and every name and shape must be the module's.
"""

from __future__ import annotations

import re
import struct
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from bench.errors import BenchError, MissingError, format_names

Module = TypeVar("Module", bound=nn.Module)

#: How many names a refusal cites of each kind.
#: What the restricted unpickler met and would not call, in its own words.
REFUSED_CALL = re.compile(r"GLOBAL ([\w.]+)")
#: What torch raises, besides its own errors, for files with a few bytes changed (found by fuzzing).
DAMAGE = (
    EOFError,
    RuntimeError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    struct.error,
    zipfile.BadZipFile,
)


def load_state(path: Path, *, key: str | None = None, prefix: str = "") -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors``, ``.pt`` or ``.pth`` file by name, on the CPU.

    ``key`` names the entry of the file that holds them, where they are not at the top. Of these,
    the tensors whose names begin with ``prefix`` are returned, without it. They are mapped to the
    file where its format allows (all but the format of torch before 1.6) and read when used.

    Raises:
        MissingError: there is no such file.
        BenchError: the file is truncated, holds code, is no checkpoint, or lacks what is asked for.
    """
    if not path.is_file():
        raise MissingError(f"there is no checkpoint {path}: `bench weights fetch` gets it")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    state = _entry(content, key, path)
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise BenchError(
                f"the entry {name!r} of {path} is a {type(value).__name__}, expected a tensor"
            )
    wanted = {
        name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)
    }
    if not wanted:
        raise BenchError(
            f"{path} has no tensor whose name begins with {prefix!r}: "
            f"{format_names(state) or 'nothing'}"
        )
    return wanted


def assign_state(
    module: Module, state: Mapping[str, Tensor], path: Path, *, optional: Collection[str] = ()
) -> Module:
    """Make these tensors the module's own, frozen, and return it ready for inference.

    The module may lie on the meta device: tensors are taken over, not copied. Names, shapes and
    types must be the module's; names in ``optional`` may be in the file alone, where they are left
    out, or in the module alone, where they keep their value. ``path`` is for the refusal.

    Raises:
        BenchError: a tensor is missing, unexpected, or of another shape or type.
        ValueError: a tensor that no file provides is still on the meta device.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state and name not in optional]
    unexpected = [name for name in state if name not in own and name not in optional]
    different = [
        f"{name} is {_kind(state[name])} instead of {_kind(tensor)}"
        for name, tensor in own.items()
        if name in state and _kind(state[name]) != _kind(tensor)
    ]
    if missing or unexpected or different:
        raise BenchError(_mismatch(type(module).__name__, path, missing, unexpected, different))
    shared = {name: tensor for name, tensor in state.items() if name in own}
    module.load_state_dict(shared, strict=False, assign=True)
    if homeless := [name for name, tensor in _all_tensors(module).items() if tensor.is_meta]:
        raise ValueError(
            f"no file provides {format_names(homeless)}: compute it off the meta device"
        )
    return module.eval().requires_grad_(False)


def to_float32(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, those of half precision in single precision."""
    halves = torch.float16, torch.bfloat16
    return {name: v.float() if v.dtype in halves else v for name, v in state.items()}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise BenchError(
            f"{path} is truncated or no safetensors file ({error}); fetch it again"
        ) from error


def _read_pickle(path: Path) -> Any:
    """Read a file of ``torch.save`` without running anything in it."""
    if path.stat().st_size == 0:
        raise BenchError(f"{path} is empty; fetch it again")
    try:
        is_mapped = _begins_like_zip(path)
        if is_mapped and not zipfile.is_zipfile(path):
            raise BenchError(f"{path} is truncated: its end is missing; fetch it again")
        with warnings.catch_warnings():
            # said of pickles that torch did not write; what cannot be read is refused below
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_mapped)
    except UnpicklingError as error:
        raise BenchError(_why_not_unpickled(path, str(error))) from error
    except DAMAGE as error:
        reason = str(error).partition("\n")[0] or "it ends too early"
        raise BenchError(f"{path} is truncated or damaged: {reason}; fetch it again") from error


def _begins_like_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _why_not_unpickled(path: Path, message: str) -> str:
    if refused := REFUSED_CALL.search(message):
        return (
            f"{path} holds code, not tensors: it asks to call {refused[1]!r}, which was not done; "
            "get the official file with `bench weights fetch`"
        )
    return f"{path} is no checkpoint of torch: fetch it again"


def _entry(content: Any, key: str | None, path: Path) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise BenchError(f"{path} holds a {type(content).__name__}, expected tensors by name")
    if key is None:
        return content
    if key not in content:
        raise BenchError(
            f"{path} has no entry {key!r}; it has {format_names(content) or 'nothing'}"
        )
    return _entry(content[key], None, path)


def _kind(tensor: Tensor) -> str:
    return f"{list(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _all_tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _mismatch(
    name: str, path: Path, missing: list[str], unexpected: list[str], different: list[str]
) -> str:
    parts = [
        f"{len(names)} {what} ({format_names(names)})"
        for what, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape or type", different),
        )
        if names
    ]
    return f"{path} does not fit {name}: of its tensors {'; '.join(parts)}"
