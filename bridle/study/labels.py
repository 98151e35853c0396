"""What runs are called: by what tells them from the others that are looked at."""

from __future__ import annotations

from typing import Any

from bridle.algorithms import WAYS

NO_METHOD = ("env", "cost_limit", "steps", "seed", "run", "eval_every", "eval_episodes", "log_every", "checkpoint_every",
             "keep", "device")  # fmt: skip
"""Options that make no other method of a run."""


def labels(configs: list[dict]) -> list[tuple[str, str]]:
    """(method, label) of each run: the algorithm and what differs among the runs of its environment; a label may tell the limit.

    That is the preset, and settings where they differ within one algorithm and preset: so what lies beside it on other
    environments changes no name. The limit is told where the environment has several.
    """
    worlds = [world_of(config) for config in configs]
    presets: dict[str, set] = {}
    limits: dict[str, set] = {}
    for world, config in zip(worlds, configs, strict=True):
        presets.setdefault(world, set()).add(config.get("preset"))
        limits.setdefault(world, set()).add(limit_of(config))
    bases = [_base(config, len(presets[world]) > 1) for world, config in zip(worlds, configs, strict=True)]
    settings = [_settings(config) for config in configs]
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for world, base, mine in zip(worlds, bases, settings, strict=True):
        groups.setdefault((world, base), []).append(mine)
    differing = {key: _differing(group) for key, group in groups.items()}
    told = []
    for world, base, mine, config in zip(worlds, bases, settings, configs, strict=True):
        words = [
            f"{name} {_said(mine[name])}"
            for name, silent in differing[world, base].items()
            if name in mine and repr(mine[name]) != silent
        ]
        method = ", ".join([*base, *words])
        told.append((method, under(method, limit_of(config)) if len(limits[world]) > 1 else method))
    return told


def world_of(config: dict) -> str:
    """The environment of a run with what must stand beside it, such as its dialect."""
    notes = [f"dialect {text}" for name, text in config.get("notes", {}).items() if name == "dialect"]
    return ", ".join([config["spec"]["name"].removeprefix("bridle/"), *notes])


def limit_of(config: dict) -> tuple[float, ...]:
    """The cost limit of each constraint."""
    limit, count = tuple(config["options"]["cost_limit"]), len(config["spec"]["constraints"])
    return limit * count if len(limit) == 1 else limit


def under(method: str, limit: tuple[float, ...]) -> str:
    """A method with the limit that it was held to."""
    return f"{method}, limit {', '.join(f'{x:g}' for x in limit)}"


def flat(table: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Leaves by their dotted name; the kind of a nested config stands under the name of its field."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= flat(value, f"{above}{name}.")
        else:
            found[above.removesuffix(".") if name == "kind" and above else above + name] = value
    return found


def _base(config: dict, presets: bool) -> tuple[str, ...]:
    name = config["algorithm"].rpartition(":")[2]
    return (name, config.get("preset") or "own settings") if presets else (name,)


def _settings(config: dict) -> dict[str, Any]:
    """What may tell one method from another; the dialect stands in the name of the environment.

    Not what belongs to a multiplier that is there but not chosen.
    """
    options = {name: value for name, value in config["options"].items() if name not in NO_METHOD}
    if "env_args" in options:
        options["env_args"] = [word for word in options["env_args"] if not word.startswith("dialect=")]
    chosen = config["config"].get("constraint")
    idle = [name for name, _ in WAYS.values() if chosen is not None and name != chosen]
    return flat({name: value for name, value in {**config["config"], **options}.items() if name not in idle})


def _differing(group: list[dict[str, Any]]) -> dict[str, str | None]:
    """Settings that differ within the group, by name, with the one value, as Python writes it, that needs no word.

    That is none, no or empty, where only one of them stands among the values. What belongs to a part of one kind is not held
    against runs whose part is of another kind.
    """
    found: dict[str, str | None] = {}
    for name in dict.fromkeys(name for mine in group for name in mine):
        values = {repr(mine.get(name)): mine.get(name) for mine in group if name in mine or not _of_another(name, mine)}
        if len(values) > 1:
            quiet = [text for text, value in values.items() if value is None or value is False or value == []]
            found[name] = quiet[0] if len(quiet) == 1 else None
    return found


def _of_another(name: str, settings: dict[str, Any]) -> bool:
    """Does the setting belong to a multiplier that is not chosen, or to a part of a kind that has no such setting?"""
    parts = name.split(".")
    idle = parts[0] in (kind for kind, _ in WAYS.values()) and settings.get("constraint") not in (None, parts[0])
    return idle or any(".".join(parts[:i]) in settings for i in range(1, len(parts)))


def _said(value: Any) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
