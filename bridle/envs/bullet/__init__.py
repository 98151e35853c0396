"""Circle and Run of Bullet-Safety-Gym, re-made and calibrated against PyBullet: the table of tasks, and `make`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridle.envs.bullet.table import DIALECTS, HORIZON

if TYPE_CHECKING:
    from bridle.core.types import World


def _lines() -> dict[str, str]:
    circle = "round a circle of radius 7 m; cost 1 per step beyond |x| = 6 m"
    run = "as fast as it can along x; cost 1 per step beyond |y| = 2 m or {limit} m/s"
    told = {
        "SafetyBallCircle-v0": f"a ball rolls clockwise {circle}",
        "SafetyCarCircle-v0": f"a race car drives clockwise {circle}",
        "SafetyDroneCircle-v0": f"a drone flies clockwise {circle}",
        "SafetyAntCircle-v0": f"an ant walks clockwise {circle}",
        "SafetyBallRun-v0": f"a ball rolls {run.format(limit=2.5)}",
        "SafetyCarRun-v0": f"a race car drives {run.format(limit=1.5)}",
        "SafetyDroneRun-v0": f"a drone flies {run.format(limit=1.5)}",
        "SafetyAntRun-v0": f"an ant walks {run.format(limit=1.5)}",
    }
    steps = HORIZON["fsrl"]
    return {task: f"{line}; {steps[task[6:-3]]} steps" for task, line in told.items()}


TASKS: dict[str, str] = _lines()
"""Id -> one line, with the horizon of the default dialect."""


def make(id: str, num_envs: int = 1, dialect: str = "fsrl", horizon: int | None = None) -> World:
    """`num_envs` copies of one task. `dialect` sets step size, horizon and clipping; `horizon` overrides its own."""
    check(id, dialect)
    if num_envs < 1:
        raise ValueError(f"num_envs = {num_envs}; at least 1 copy is needed")
    if horizon is not None and (not isinstance(horizon, int) or horizon < 1):
        raise ValueError(f"horizon = {horizon!r}; at least 1 env step is needed, or None for the dialect's own")
    from bridle.envs.bullet.world import BulletWorld

    return BulletWorld(id, num_envs, dialect, horizon)


def check(id: str, dialect: str) -> None:
    """Are both names right? A ValueError says what is allowed."""
    if dialect not in DIALECTS:
        allowed = ", ".join(repr(name) for name in DIALECTS)
        raise ValueError(f"dialect = {dialect!r}; allowed: {allowed}")
    if id not in TASKS:
        import difflib

        near = difflib.get_close_matches(id, TASKS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(TASKS)}"
        raise ValueError(f"no task {id!r}{hint}")
