"""What the words after `bridle train` say: flags over a file over a preset. Loads neither JAX nor NumPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bridle import envs, flags
from bridle.algorithms import ALGORITHMS, check, preset
from bridle.flags import Flag
from bridle.run.folder import from_json, from_toml, open_run
from bridle.run.options import Options

HERE = Path(__file__).parent
TRAIN_FLAGS = [
    Flag(
        "preset", str | None, None, "Published settings by name (`bridle list presets`); flags and files win over it."
    ),
    Flag("config", str | None, None, "A TOML file of flags, or the config.json of a run; flags win over it."),
]


def train_settings(words: list[str]) -> tuple[str, dict[str, Any]]:
    """The algorithm and what is said of it: flags over the file over the preset. Loads no JAX."""
    name, words = algorithm_of(words)
    fields = [*option_flags(), *config_flags(name)]
    told = flags.parse([*TRAIN_FLAGS, *fields], words)
    chosen, file = told.pop("preset", None), told.pop("config", None)
    recorded = from_file(Path(file), name, fields) if file is not None else {}
    chosen = recorded.pop("preset", None) if chosen is None else chosen
    recorded.pop("preset", None)
    if chosen is not None:
        preset(chosen, name)
    told = {**recorded, **told}
    if "env" in told:
        envs.check(told["env"])
    envs.parse_args(told.get("env_args") or ())
    return name, {**told, "preset": chosen}


def algorithm_of(words: list[str]) -> tuple[str, list[str]]:
    """The algorithm's name and the other words."""
    words = [{"--from": "--from-run"}.get(word, word.replace("--from=", "--from-run=", 1)) for word in words]
    if not words or words[0].startswith("-"):
        raise ValueError(
            f"train which algorithm? There are {', '.join(ALGORITHMS)}: bridle train {next(iter(ALGORITHMS))} ..."
        )
    return check(words[0]), words[1:]


def option_flags() -> list[Flag]:
    """The flags of every run."""
    return flags.read(HERE / "run" / "options.py", "Options")


def config_flags(name: str) -> list[Flag]:
    """The flags of an algorithm, from the source of its Config."""
    module, _, kind = ALGORITHMS[name][0].partition(":")
    return flags.read(HERE.parent.joinpath(*module.split(".")).with_suffix(".py"), kind)


def from_file(path: Path, name: str, fields: list[Flag]) -> dict[str, Any]:
    """A TOML file (flags, or tables `options` and `config` of them), or a run's config.json, as settings."""
    if path.is_dir():
        path = path / "config.json"
    if path.suffix == ".json":
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise FileNotFoundError(f"no file {path}") from error
        except ValueError as error:
            raise ValueError(f"{path} is not valid JSON: {error}") from error
        options = {k: v for k, v in data.get("options", {}).items() if k not in ("run", "from_run")}
        data = {"algorithm": data.get("algorithm", name), **options, **data.get("config", {})}
    else:
        data = from_toml(path)
        data = (
            {k: v for k, v in data.items() if not isinstance(v, dict)}
            | data.get("options", {})
            | data.get("config", {})
        )
    if (other := data.pop("algorithm", name)) != name:
        raise ValueError(f"{path} is of algorithm {other!r}, not of {name!r}")
    known = [flag.name for flag in fields] + ["preset"]
    for key in data:
        if key.replace("-", "_") not in known:
            raise ValueError(f"{path}: no key {key!r}{flags.nearest(key, known)}")
    return {key.replace("-", "_"): value for key, value in data.items()}


def options_of(name: str, told: dict[str, Any]) -> Options:
    """The options of a run, checked; `api` puts them together again."""
    known = {flag.name for flag in option_flags()}
    values = {**(preset(told["preset"], name).options if told["preset"] else {}), **told}
    options = from_json(Options, {k: v for k, v in values.items() if k in known})
    if options.from_run is not None:
        open_run(options.from_run)
    return options
