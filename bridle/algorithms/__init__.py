"""The table of algorithms: name -> where its Config lives and what it is; imports nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from bridle.core.names import nearest

ALGORITHMS: dict[str, tuple[str, str]] = {
    "cvpo": (
        "bridle.algorithms.cvpo:Config",
        "Constrained variational policy optimisation (Liu et al. 2022), off-policy",
    ),
    "sac": (
        "bridle.algorithms.sac:Config",
        "Soft actor-critic (Haarnoja et al. 2018), off-policy; REDQ and DroQ by its settings",
    ),
    "td3": (
        "bridle.algorithms.td3:Config",
        "Twin delayed deterministic policy gradient (Fujimoto et al. 2018), off-policy",
    ),
    "ddpg": (
        "bridle.algorithms.ddpg:Config",
        "Deep deterministic policy gradient (Lillicrap et al. 2016), off-policy",
    ),
    "ppo": (
        "bridle.algorithms.ppo:Config",
        "Proximal policy optimisation (Schulman et al. 2017), on-policy",
    ),
    "trpo": (
        "bridle.algorithms.trpo:Config",
        "Trust region policy optimisation (Schulman et al. 2015), on-policy",
    ),
    "cpo": (
        "bridle.algorithms.cpo:Config",
        "Constrained policy optimisation (Achiam et al. 2017), on-policy",
    ),
    "focops": (
        "bridle.algorithms.focops:Config",
        "First order constrained optimisation in policy space (Zhang et al. 2020), on-policy",
    ),
    "cmbpo": (
        "bridle.algorithms.cmbpo:Config",
        "Constrained model-based policy optimisation (Zanger et al. 2021): CPO on imagination that knows when to stop",
    ),
    "mbpo": (
        "bridle.algorithms.mbpo:Config",
        "Model-based policy optimisation (Janner et al. 2019): soft actor-critic on short imagined paths",
    ),
}
WAYS = {"lag": ("lagrange", "dual ascent"), "pid": ("pid", "PID control")}
FORMS: dict[str, tuple[str, dict[str, str], str]] = {
    f"{base}-{short}": (base, {"constraint": kind}, f"{base} under a multiplier by {words}: --constraint {kind}")
    for base in ("sac", "td3", "ddpg", "ppo", "trpo", "mbpo")
    for short, (kind, words) in WAYS.items()
}
"""Other names that people know: name -> algorithm, what it sets, and one line."""


def check(name: str) -> str:
    """The name, if there is such an algorithm; else a `ValueError` with the nearest."""
    if name in ALGORITHMS or name in FORMS:
        return name
    raise ValueError(f"no algorithm {name!r}{nearest(name, [*ALGORITHMS, *FORMS])}")


def base_of(name: str) -> tuple[str, dict[str, str]]:
    """The algorithm behind a name, and the settings that the name says."""
    return FORMS[name][:2] if check(name) in FORMS else (name, {})


def check_said(name: str, config: Any, said: Iterable[str]) -> None:
    """`ValueError` if the settings `said` by name contradict the algorithm's name, or mean nothing under its constraint."""
    base, told = base_of(name)
    for key, value in told.items():
        if (found := getattr(config, key)) != value:
            raise ValueError(
                f"{name} is {base} with --{key} {value}, and {key} = {found!r} is asked for too: say {base} instead"
            )
    kinds = [kind for kind, _ in WAYS.values()]
    for kind in kinds:
        if kind in said and (found := getattr(config, "constraint", kind)) != kind:
            raise ValueError(
                f"settings of {kind} mean nothing under --constraint {found}: leave them out, or say --constraint {kind}"
            )


def lines() -> dict[str, str]:
    """Every name, with one line."""
    return {name: line for name, (_, line) in ALGORITHMS.items()} | {name: form[2] for name, form in FORMS.items()}


def config_class(name: str) -> type:
    """The Config of an algorithm; loads JAX."""
    module, _, kind = ALGORITHMS[base_of(name)[0]][0].partition(":")
    return getattr(importlib.import_module(module), kind)


def preset(name: str, algorithm: str):
    """The `Preset` of that name, which must be one of this algorithm."""
    from bridle.algorithms.presets import PRESETS

    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}{nearest(name, PRESETS)}")
    if not is_of(name, algorithm):
        own = PRESETS[name].algorithm
        raise ValueError(f"preset {name!r} is one of {own}, not of {algorithm}: bridle train {own} --preset {name}")
    return PRESETS[name]


def is_of(preset: str, algorithm: str) -> bool:
    """Is this known preset one of the algorithm, with the multiplier that the algorithm's name says, if it says one?"""
    from bridle.algorithms.presets import PRESETS

    base, told = base_of(algorithm)
    own, its = base_of(PRESETS[preset].algorithm)
    config = its | PRESETS[preset].config
    return own == base and all(config.get(key, value) == value for key, value in told.items())
