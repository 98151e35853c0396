"""CMBPO's tasks, MuJoCo robots that keep away from a moving board or from walls: the table of tasks, and `make`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridle.core.names import nearest
from bridle.envs.safe_mujoco.tasks import HORIZON, KINDS, ROBOTS, named

if TYPE_CHECKING:
    from bridle.core.types import World

TASKS: dict[str, str] = {f"{name}Safe-v2": f"{task.told}; {HORIZON} steps" for name, task in ROBOTS.items()}
"""Id -> one line."""
RULES = ("exact", "published")


def make(id: str, num_envs: int = 1, horizon: int = HORIZON, walls: str | None = None, rules: str = "exact") -> World:
    """`num_envs` copies of one task, whose episodes are truncated after `horizon` env steps.

    `walls` of Ant and Humanoid are `drawn` (the default), or bodies that float freely, as in the original (`free`), three to
    five times as slow. `rules` is what `Spec.rules` holds: those of this world (`exact`), or those that the published code imagines by
    (`published`); the world is the same.
    """
    check(id)
    if not isinstance(num_envs, int) or num_envs < 1:
        raise ValueError(f"num_envs = {num_envs!r}; at least 1 copy is needed")
    if not isinstance(horizon, int) or horizon < 1:
        raise ValueError(f"horizon = {horizon!r}; at least 1 env step is needed")
    if rules not in RULES:
        raise ValueError(f"rules = {rules!r}; allowed: {', '.join(RULES)}, or module:name of your own")
    corridor = ROBOTS[named(id)].obstacle is None
    if walls not in ((None, *KINDS) if corridor else (None,)):
        allowed = " or ".join(KINDS) if corridor else "None, since this task has no walls that could be touched"
        raise ValueError(f"walls = {walls!r}; allowed: {allowed}")
    from bridle.envs.safe_mujoco.world import SafeWorld

    return SafeWorld(id, num_envs, horizon, (walls or "drawn") if corridor else None, rules)


def check(id: str) -> None:
    """Is there such a task? A ValueError says what is allowed."""
    if id not in TASKS:
        raise ValueError(f"no task {id!r}{nearest(id, TASKS)}")
