"""What the words after `bridle train` say: flags over a file over a preset. Names are looked up before JAX is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridle import algorithms, envs
from bridle.core.names import field_names, nearest
from bridle.run import records
from bridle.run.folder import open_run

if TYPE_CHECKING:
    from bridle.api.asked import Asked

OPTIONS = "bridle.run.options:Options"


def asked_for(words: list[str]) -> Asked:
    """The run that the words ask for; wrong names are told before JAX is loaded."""
    name, words = algorithm_of(words)
    settings = named_settings(name, words)
    from bridle.api import asked
    from bridle.cli import typed

    preset = settings.pop("preset")
    return typed.parse(asked.resolve(name, settings.pop("env", None), preset, settings), words)


def named_settings(name: str, words: list[str]) -> dict[str, Any]:
    """What is said by name before any flag is read: a preset, a file's settings, an environment. Loads no JAX."""
    known = known_flags(name)
    check_flags(words, known)
    preset, file, env = (value_of(words, flag) for flag in ("--preset", "--config", "--env"))
    found = from_file(Path(file), name, known) if file is not None else {}
    found["preset"] = preset or found.get("preset")
    if env is not None:
        found["env"] = env
    seed, seeds = (value_of(words, flag) for flag in ("--seed", "--seeds"))
    if seed is not None and seeds is not None:
        raise ValueError("--seed is for one run, --seeds for several: leave one of them out")
    if seed is not None or seeds is not None:  # a flag wins over what the file says of either
        found = {key: value for key, value in found.items() if key not in ("seed", "seeds")}
    if found["preset"] is not None:
        algorithms.preset(found["preset"], name)
    if "env" in found:
        envs.check(found["env"])
        envs.check_elsewhere(found["env"])
    if (other := value_of(words, "--from-run")) is not None:
        open_run(other)
    return found


def algorithm_of(words: list[str]) -> tuple[str, list[str]]:
    """The algorithm's name and the other words."""
    words = [{"--from": "--from-run"}.get(word, word.replace("--from=", "--from-run=", 1)) for word in words]
    if not words or words[0].startswith("-"):
        known = ", ".join(algorithms.lines())
        raise ValueError(f"train which algorithm? There are {known}: bridle train {known.partition(',')[0]} ...")
    return algorithms.check(words[0]), words[1:]


def known_flags(name: str) -> list[str]:
    """What can be said of a training with this algorithm, as names of fields."""
    return [
        *field_names(OPTIONS),
        *field_names(algorithms.ALGORITHMS[algorithms.base_of(name)[0]][0]),
        "seeds",
        "preset",
        "config",
    ]


def check_flags(words: list[str], known: list[str]) -> None:
    """Is every `--flag` one of `known` (or of a record that one of them holds)?"""
    for word in words:
        flag = word.partition("=")[0]
        name = flag[2:].replace("-", "_").partition(".")[0]
        if flag.startswith("--") and name not in [*known, "help"] and name.removeprefix("no_") not in known:
            raise ValueError(f"no option {flag}{nearest(flag, ['--' + one.replace('_', '-') for one in known])}")


def value_of(words: list[str], flag: str) -> str | None:
    """What follows `flag`, where it is said."""
    for i, word in enumerate(words):
        if word.startswith(flag + "="):
            return word.partition("=")[2]
        if word == flag:
            if i + 1 == len(words) or words[i + 1].startswith("--"):
                raise ValueError(f"{flag} needs a value")
            return words[i + 1]
    return None


def from_file(path: Path, name: str, known: list[str]) -> dict[str, Any]:
    """A TOML file (flags, or tables `options` and `config` of them), or a run's config.json, as settings."""
    if path.is_dir() or path.suffix == ".json":
        recorded = open_run(path if path.is_dir() else path.parent).config
        options = {k: v for k, v in recorded["options"].items() if k not in ("run", "from_run")}
        kinds = [kind for kind, _ in algorithms.WAYS.values()]
        unused = [kind for kind in kinds if kind != recorded["config"].get("constraint")]
        config = {k: v for k, v in recorded["config"].items() if k not in unused}
        data = {"algorithm": recorded["algorithm"], **options, **config}
    else:
        data = records.from_toml(path)
        for table in ("options", "config"):
            found = data.pop(table, {})
            if not isinstance(found, dict):
                raise ValueError(f"{path}: {table} = {found!r}; allowed: a table [{table}] of flags")
            data |= found
    if (other := data.pop("algorithm", name)) != name:
        raise ValueError(f"{path} is of algorithm {other!r}, not of {name!r}")
    for key in data:
        if key.replace("-", "_") not in known:
            raise ValueError(f"{path}: no key {key!r}{nearest(key, known)}")
    return {key.replace("-", "_"): value for key, value in data.items()}
