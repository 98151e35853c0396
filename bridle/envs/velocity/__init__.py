"""Gymnasium's MuJoCo robots under a limit of speed, as Safety-Gymnasium has them: the table of tasks, and `make`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridle.core.names import nearest
from bridle.envs.velocity.robots import HORIZON, ROBOTS

if TYPE_CHECKING:
    from bridle.core.types import World


def _lines() -> dict[str, str]:
    told = {}
    for name, robot in ROBOTS.items():
        where = "" if robot.place else " along x"
        cost = f"cost 1 per step faster than {robot.threshold:g} m/s{where}"
        told[f"Safety{name}Velocity-v1"] = f"{robot.told} along x; {cost}; {HORIZON} steps"
    return told


TASKS: dict[str, str] = _lines()
"""Id -> one line."""


def make(id: str, num_envs: int = 1, horizon: int = HORIZON) -> World:
    """`num_envs` copies of one task, whose episodes are truncated after `horizon` env steps."""
    check(id)
    if not isinstance(num_envs, int) or num_envs < 1:
        raise ValueError(f"num_envs = {num_envs!r}; at least 1 copy is needed")
    if not isinstance(horizon, int) or horizon < 1:
        raise ValueError(f"horizon = {horizon!r}; at least 1 env step is needed")
    from bridle.envs.velocity.world import VelocityWorld

    return VelocityWorld(id, num_envs, horizon)


def check(id: str) -> None:
    """Is there such a task? A ValueError says what is allowed."""
    if id not in TASKS:
        raise ValueError(f"no task {id!r}{nearest(id, TASKS)}")
