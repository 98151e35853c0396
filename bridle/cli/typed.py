"""Flags of a training, made by tyro out of the dataclasses that hold them."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Generic, TypeVar

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from bridle import algorithms, envs
from bridle.api.asked import Asked, check_seeds
from bridle.core.config import integer
from bridle.run.options import Options

C = TypeVar("C")
EXAMPLES = """examples
  bridle train {name} --env SafetyCarCircle-v0 --cost-limit 10 --seed 1
  bridle train {name} --env SafetyCarCircle-v0 --seeds 0 1 2
  bridle train {name} --env my_envs:make_robot --cost-limit 5 --steps 3e5

Where a preset or a file is named, the defaults below are its own."""


READERS = ConstructorRegistry()


@READERS.primitive_rule
def _integers(told: PrimitiveTypeInfo) -> PrimitiveConstructorSpec | None:
    """How a field that holds an integer reads its word."""
    if told.type is not int:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="INT",
        instance_from_str=lambda words: integer(words[0]),
        is_instance=lambda value: type(value) is int,
        str_from_instance=lambda value: [str(value)],
    )


@dataclasses.dataclass(frozen=True)
class Settings(Generic[C]):
    """All that can be said of a training."""

    options: Annotated[Options, tyro.conf.arg(name="")]
    algorithm: Annotated[C, tyro.conf.arg(name="")]
    seeds: tuple[int, ...] = ()
    """Train each of these, in a run folder of its own; `--run` then names the folder of them all."""
    preset: str | None = None
    """Published settings by name (`bridle list presets`); files and flags win over it."""
    config: str | None = None
    """A TOML file of flags, or a run's folder or config.json; flags win over it."""


def parse(asked: Asked, words: list[str]) -> Asked:
    """`asked`, with what the flags say; tyro tells what is wrong with them, and leaves with 2."""
    said: Any = tyro.cli(
        Settings[type(asked.config)],
        prog=f"bridle train {asked.name}",
        description=f"{type(asked.config).__doc__}\n\n{EXAMPLES.format(name=asked.name)}",
        default=Settings(asked.options, asked.config, asked.seeds, asked.preset),
        args=words,
        registry=READERS,
    )
    envs.parse_args(said.options.env_args)
    algorithms.check_said(asked.name, said.algorithm, {word.removeprefix("--").partition(".")[0] for word in words})
    seeds = check_seeds(said.seeds) if said.seeds else ()
    return asked._replace(options=said.options, config=said.algorithm, seeds=seeds)
