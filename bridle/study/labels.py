"""What runs are called: by what tells them from the others that are looked at."""

from __future__ import annotations

from typing import Any

NO_METHOD = ("env", "cost_limit", "steps", "seed", "run", "eval_every", "eval_episodes", "log_every", "checkpoint_every",
             "keep", "device")  # fmt: skip
"""Options that make no other method of a run."""


def labels(configs: list[dict]) -> list[tuple[str, str]]:
    """(method, label) of each run: the algorithm and what differs among the runs; a label tells the limit too.

    That is the preset, and settings where they differ within one algorithm, preset and environment.
    """
    presets = {config.get("preset") for config in configs}
    limits = {tuple(config["options"]["cost_limit"]) for config in configs}
    bases = []
    for config in configs:
        base = [config["algorithm"].rpartition(":")[2]]
        bases.append((*base, config.get("preset") or "own settings") if len(presets) > 1 else tuple(base))
    settings = [_settings(config) for config in configs]
    worlds = [(base, config["options"]["env"]) for base, config in zip(bases, configs, strict=True)]
    differs: dict[tuple, set[str]] = {base: set() for base in bases}
    for world, mine in zip(worlds, settings, strict=True):
        others = [x for other, x in zip(worlds, settings, strict=True) if other == world]
        differs[world[0]] |= {name for name in mine if any(x.get(name) != mine[name] for x in others)}
    told = []
    for base, mine, config in zip(bases, settings, configs, strict=True):
        differing = [f"{name} {_said(mine[name])}" for name in mine if name in differs[base]]
        limit = "limit " + ", ".join(f"{x:g}" for x in config["options"]["cost_limit"])
        told.append((
            ", ".join([*base, *differing]),
            ", ".join([*base, *([limit] if len(limits) > 1 else []), *differing]),
        ))  # fmt: skip
    return told


def _settings(config: dict) -> dict[str, Any]:
    """What may tell one method from another; the dialect stands in the name of the environment."""
    options = {name: value for name, value in config["options"].items() if name not in NO_METHOD}
    if "env_args" in options:
        options["env_args"] = [word for word in options["env_args"] if not word.startswith("dialect=")]
    return {**config["config"], **options}


def _said(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
