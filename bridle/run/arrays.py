"""Pytrees of arrays as safetensors files: named leaves, exact bits, a checksum of every file."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import safetensors

from bridle.run.disk import Damaged, Seal, check, write_bytes

CODES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16,
    "I64": np.int64, "I32": np.int32, "I16": np.int16, "I8": np.int8,
    "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8,
    "BOOL": np.bool_, "C64": np.complex64,
}  # fmt: skip
"""safetensors' name of each dtype that can be saved."""
NAMES = {np.dtype(dtype): code for code, dtype in CODES.items()}


def flatten(tree: Any) -> dict[str, np.ndarray]:
    """The leaves by name (`critic/layers/0/weight`), copied to the host, so that a later donation cannot touch them."""
    out = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(jax.device_get(tree))[0]:
        name = _name(path)
        value = np.array(leaf, order="C") if isinstance(leaf, np.ndarray | np.generic | bool | int | float) else None
        if value is None or value.dtype.newbyteorder("=") not in NAMES:
            what = type(leaf).__name__ if value is None else f"of dtype {value.dtype}"
            raise ValueError(f"leaf {name} is {what}; a checkpoint holds arrays of {', '.join(map(str, NAMES))} alone")
        if name in out:
            raise ValueError(f"two leaves are called {name}; rename one of the dictionary keys")
        out[name] = value.astype(value.dtype.newbyteorder("="), copy=False)
    return out


def restore(like: Any, arrays: Mapping[str, np.ndarray], exact: bool = True) -> Any:
    """The tree `like` (arrays or `jax.ShapeDtypeStruct`) with the named arrays as leaves.

    An error names the first leaf that is missing or of another shape or dtype and, if `exact`, one that is left over.
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(like)
    names = [_name(path) for path, _ in leaves]
    for name, (_, leaf) in zip(names, leaves, strict=True):
        expected = _kind(leaf)
        if name not in arrays:
            raise ValueError(f"leaf {name} ({expected}) is not in what was saved: it was made by another configuration")
        if (found := _kind(arrays[name])) != expected:
            raise ValueError(f"leaf {name} was saved as {found}, but {expected} is expected: another configuration")
    if exact and (extra := [name for name in arrays if name not in set(names)]):
        raise ValueError(f"leaf {extra[0]} ({_kind(arrays[extra[0]])}) was saved, but is not expected")
    return structure.unflatten(_like(leaf, arrays[name]) for name, (_, leaf) in zip(names, leaves, strict=True))


def names(tree: Any) -> Any:
    """The same tree with the name of each leaf in its place."""
    return jax.tree_util.tree_map_with_path(lambda path, _: _name(path), tree)


def picked(wanted: Any, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that the leaves of `wanted` name, by the names that those leaves have there themselves."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(wanted)
    return {_name(path): arrays[name] for path, name in leaves if name in arrays}


def below(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The part of named arrays that lies under `prefix` (`state/actor`), named from there."""
    if prefix in arrays:
        return {"value": arrays[prefix]}
    return {k[len(prefix) + 1 :]: v for k, v in arrays.items() if k.startswith(prefix + "/")}


def write(path: Path, arrays: Mapping[str, np.ndarray]) -> Seal:
    """Write a safetensors file, synced to disk. Our own writer: it hashes in the same pass and reports a full disk."""
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))  # keeps every array aligned
    header, end = {}, 0
    for name in order:
        begin, end = end, end + arrays[name].nbytes
        code = NAMES[arrays[name].dtype]
        header[name] = {"dtype": code, "shape": list(arrays[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    parts = [struct.pack("<Q", len(text)), text]
    parts += [np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8) for name in order if arrays[name].nbytes]
    return write_bytes(path, *parts)


def read(path: Path, seal: Seal | None = None) -> dict[str, np.ndarray]:
    """The named arrays of a safetensors file, checked against its seal if there is one."""
    if seal is not None:
        check(path, seal)
    try:
        views = safetensors.deserialize(path.read_bytes())
        return {k: np.array(np.frombuffer(v["data"], CODES[v["dtype"]]).reshape(v["shape"])) for k, v in views}
    except (OSError, safetensors.SafetensorError, KeyError, ValueError) as error:
        raise Damaged(f"{path} cannot be read as safetensors ({error})") from error


def _name(path) -> str:
    parts = []
    for key in path:
        part = next(getattr(key, x) for x in ("name", "key", "idx") if hasattr(key, x))
        parts.append(str(part).replace("%", "%25").replace("/", "%2F"))
    return "/".join(parts) or "value"


def _kind(leaf) -> str:
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    return f"{getattr(dtype, 'name', dtype)}{list(np.shape(leaf))}"


def _like(leaf, value: np.ndarray):
    """The saved value as the kind of array that `leaf` is; a jax leaf stays numpy where jax would narrow its dtype."""
    if isinstance(leaf, np.generic):
        return value[()]
    if isinstance(leaf, bool | int | float):
        return type(leaf)(value[()])
    if isinstance(leaf, np.ndarray) or jax.dtypes.canonicalize_dtype(value.dtype) != value.dtype:
        return value
    if getattr(leaf, "weak_type", False):  # else resuming would compile every update anew, with other promotions
        return jnp.full(leaf.shape, leaf.dtype.type(0).item()).at[...].set(value)
    return jnp.array(value)


def plain(facts: dict) -> dict:
    """A copy of facts as JSON gives them back."""
    try:
        return json.loads(json.dumps(facts, default=lambda x: x.item() if isinstance(x, np.generic) else x.tolist()))
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"the facts of a checkpoint must be JSON (numbers, text, lists, dictionaries): {error}"
        ) from error
