"""The table of algorithms: name -> where its Config lives and what it is; imports nothing heavy."""

from __future__ import annotations

import importlib

from bridle.core.names import nearest

ALGORITHMS: dict[str, tuple[str, str]] = {
    "cvpo": (
        "bridle.algorithms.cvpo:Config",
        "Constrained variational policy optimisation (Liu et al. 2022), off-policy",
    ),
}


def check(name: str) -> str:
    """The name, if there is such an algorithm; else a `ValueError` with the nearest."""
    if name in ALGORITHMS:
        return name
    raise ValueError(f"no algorithm {name!r}{nearest(name, ALGORITHMS)}")


def config_class(name: str) -> type:
    """The Config of an algorithm; loads JAX."""
    module, _, kind = ALGORITHMS[check(name)][0].partition(":")
    return getattr(importlib.import_module(module), kind)


def preset(name: str, algorithm: str):
    """The `Preset` of that name, which must be one of this algorithm."""
    from bridle.algorithms.presets import PRESETS

    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}{nearest(name, PRESETS)}")
    if PRESETS[name].algorithm != algorithm:
        raise ValueError(f"preset {name!r} is one of {PRESETS[name].algorithm}, not of {algorithm}")
    return PRESETS[name]
