"""Safety Gym and Safety-Gymnasium's navigation tasks, re-made on current MuJoCo: the table of tasks, and `make`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridle.core.names import nearest
from bridle.envs.safety_gym.table import COSTS, DIALECTS, LAYOUT, LAYOUTS, ROBOTS, VISIONS, row
from bridle.envs.safety_gym.table import TASKS as KINDS

if TYPE_CHECKING:
    from bridle.core.types import World

_DO = {
    "Goal": "goes to one goal after another",
    "Button": "presses the button that is asked for",
    "Push": "pushes a box to one goal after another",
    "Circle": "circles at 1.5 m",
    "Run": "runs as far as it can along -y",
}
_AMID = {
    "Goal": ("", " between 8 hazards", " between 10 hazards and 10 vases"),
    "Button": (
        "",
        " between 4 hazards, 4 gremlins and wrong buttons",
        " between 8 hazards, 6 gremlins and wrong buttons",
    ),
    "Push": ("", " between 2 hazards", " between 4 hazards and 4 pillars"),
    "Circle": ("", " within |x| = 1.125 m", " within |x|, |y| = 1.125 m"),
    "Run": (" within |x| = 0.5 m",),
}


def _lines() -> dict[str, str]:
    found = {}
    for robot in ROBOTS:
        for task, (_, levels) in KINDS.items():
            for level in range(levels):
                id = f"Safety{robot}{task}{level}-v0"
                found[id] = f"{robot.lower()}: {_DO[task]}{_AMID[task][level]}; {row(id).scene.horizon} steps"
    return found


TASKS: dict[str, str] = _lines()
"""Id -> one line."""


def make(
    id: str,
    num_envs: int = 1,
    dialect: str = "safety-gymnasium",
    layout: str | None = None,
    cost: str = "indicator",
    vision: str | None = None,
    horizon: int | None = None,
) -> World:
    """`num_envs` copies of one task.

    `dialect`: the tasks as Safety-Gymnasium has them, as Safety Gym had them, or as the code of CVPO changed those. `layout`: objects stand elsewhere in every episode (`random`), in one place for ever (`fixed`; the default of `cvpo`), or as they never do in a
    training with `random` (`held-out`). `cost`: 1 a step for any mistake (`indicator`), how grave all are together (`sum`), or
    one constraint for each kind (`each`). `vision`: obs are a dict of what the robot sees, uint8 [64 64 3] (`rgb`) or [64 64 1] of 0
    and 255 (`binary`), and what it feels of itself, float32; there are no lidars then. `horizon` overrides the task's own.
    """
    check(id, dialect)
    layout = LAYOUT[dialect] if layout is None else layout
    for name, value, allowed in (("layout", layout, LAYOUTS), ("cost", cost, COSTS), ("vision", vision, VISIONS)):
        if value not in allowed:
            raise ValueError(f"{name} = {value!r}; allowed: {', '.join(map(repr, allowed))}")
    if num_envs < 1:
        raise ValueError(f"num_envs = {num_envs}; at least 1 copy is needed")
    if horizon is not None and (not isinstance(horizon, int) or horizon < 1):
        raise ValueError(f"horizon = {horizon!r}; at least 1 env step is needed, or None for the task's own")
    from bridle.envs.safety_gym.world import NavigationWorld

    return NavigationWorld(id, num_envs, dialect, layout, cost, vision, horizon)


def check(id: str, dialect: str) -> None:
    """Are both names right? A ValueError says what is allowed."""
    if dialect not in DIALECTS:
        raise ValueError(f"dialect = {dialect!r}; allowed: {', '.join(map(repr, DIALECTS))}")
    if id not in TASKS:
        raise ValueError(f"no task {id!r}{nearest(id, TASKS)}")
    row(id, dialect)
