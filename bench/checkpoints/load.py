"""Load checkpoint files strictly and without running code.

A checkpoint is untrusted data. ``.safetensors`` files hold nothing but tensors. All other files are
pickles, which may hold code: torch's restricted unpickler reads them and refuses it. A network
whose official file holds more than tensors names the harmless types around its call
(``torch.serialization.safe_globals``). Tensors stay mapped to the file until they are used, and
every name and shape must be the module's.
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

import numpy as np
import torch
from torch import Tensor, nn

from bench.errors import BenchError, MissingError, format_names

Module = TypeVar("Module", bound=nn.Module)

#: The first bytes of a zip archive, the format of ``torch.save`` since torch 1.6.
ZIP_MAGIC = b"PK\x03\x04"
#: In the message of the restricted unpickler: the callable that it refused to import.
REFUSED_CALL = re.compile(r"GLOBAL ([\w.]+)")
#: What torch raises, besides its own errors, for files with a few bytes changed. Found by fuzzing:
#: the unpickler runs the opcodes of a corrupt stream until some operation fails in its own way.
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
    """Return the tensors of a ``.safetensors`` file or of a pickle by name, on the CPU.

    ``key`` names the entry of the file that holds them, where they are not at the top. Of these,
    the tensors whose names begin with ``prefix`` are returned, without it. They are mapped to the
    file where its format allows (all but that of torch before 1.6) and read when used.

    Raises:
        MissingError: there is no such file.
        BenchError: the file is truncated, holds code, is no checkpoint, or has no such entry.
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

    The module may be on the meta device: it takes the tensors over without a copy. Names, shapes
    and types must be the module's. A name in ``optional`` may be in the file alone (it is left out)
    or in the module alone (it keeps its value). ``path`` is for the refusal.

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
    faults = {"missing": missing, "unexpected": unexpected, "of another shape or type": different}
    # All three together: a file of another network shows best by how many of each there are.
    if parts := [f"{len(n)} {what} ({format_names(n)})" for what, n in faults.items() if n]:
        raise BenchError(
            f"{path} does not fit {type(module).__name__}: of its tensors {'; '.join(parts)}"
        )
    shared = {name: tensor for name, tensor in state.items() if name in own}
    # Assigned, not copied: a mapped tensor is read when a forward pass uses it.
    module.load_state_dict(shared, strict=False, assign=True)
    # state_dict leaves out buffers that are not persistent, such as rotary tables: look at all.
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if empty := [name for name, tensor in tensors.items() if tensor.is_meta]:
        raise ValueError(f"no file provides {format_names(empty)}: compute it off the meta device")
    return module.eval().requires_grad_(False)


def numpy_types() -> list[Any]:
    """Return what pickled numbers and numeric arrays of NumPy refer to, for ``safe_globals``.

    Files that were saved while training hold some. The restricted unpickler rejects them as code
    unless they are named, under the module names of both NumPy 1 and 2.
    """
    rebuild_number, rebuild_array = np.float64(0).__reduce__()[0], np.empty(0).__reduce__()[0]
    return [
        *((rebuild_number, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
        *((rebuild_array, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")),
        np.ndarray,
        np.dtype,
        *(type(np.dtype(kind)) for kind in (np.float64, np.int64)),
    ]


def to_float32(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same tensors, those of half precision converted to single precision."""
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
    """Read a file of ``torch.save`` without running code that it holds."""
    if path.stat().st_size == 0:
        raise BenchError(f"{path} is empty; fetch it again")
    try:
        with path.open("rb") as file:
            is_mapped = file.read(4) == ZIP_MAGIC
        # A zip archive has its table of contents at the end: without it the file is cut short.
        if is_mapped and not zipfile.is_zipfile(path):
            raise BenchError(f"{path} is truncated: its end is missing; fetch it again")
        with warnings.catch_warnings():
            # A warning about pickles that torch did not write; unreadable ones are refused below.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True, mmap=is_mapped)
    except UnpicklingError as error:
        refused = REFUSED_CALL.search(str(error))
        if refused is None:
            raise BenchError(f"{path} is no checkpoint of torch: fetch it again") from error
        raise BenchError(
            f"{path} holds code, not tensors: it asks to call {refused[1]!r}, which was not done; "
            "get the official file with `bench weights fetch`"
        ) from error
    except DAMAGE as error:
        reason = str(error).partition("\n")[0] or "it ends too early"
        raise BenchError(f"{path} is truncated or damaged: {reason}; fetch it again") from error


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
