"""The tables of the Bullet tasks: step sizes and horizons of each dialect, and which agent meets which task.

Source: Bullet-Safety-Gym (Gronauer 2022), its fork by Liu et al. (behind FSRL and DSRL), and the CVPO code
(Liu et al. 2022); the three register the same ids with other step sizes. Nothing heavy is imported here.
"""

from __future__ import annotations

from typing import NamedTuple

DIALECTS = ("fsrl", "cvpo", "upstream")


class Timing(NamedTuple):
    """How one env step is cut."""

    substep: float
    """Seconds of one sub-step of Bullet."""
    substeps: int
    """Sub-steps in one env step; an action is held over all of them."""

    @property
    def dt(self) -> float:
        """Seconds of one env step."""
        return self.substep * self.substeps


TIMING = {
    ("fsrl", "Circle"): Timing(1 / 60, 6),
    ("fsrl", "Run"): Timing(1 / 120, 4),
    ("cvpo", "Circle"): Timing(1 / 60, 6),
    ("cvpo", "Run"): Timing(1 / 40, 4),
    ("upstream", "Circle"): Timing(1 / 240, 4),
    ("upstream", "Run"): Timing(1 / 240, 4),
}

OWN_TIMING = {("fsrl", "DroneRun"): Timing(1 / 120, 2)}
"""Pairs that differ from their goal's: the fork's drone runs with half the step of the others."""

AGENTS = {
    "Ball": "bridle.envs.bullet.ball:Ball",
    "Car": "bridle.envs.bullet.car:Car",
    "Drone": "bridle.envs.bullet.drone:Drone",
    "Ant": "bridle.envs.bullet.ant:Ant",
}
GOALS = {"Circle": "bridle.envs.bullet.circle", "Run": "bridle.envs.bullet.run"}

HORIZON = {
    "fsrl": {
        "BallCircle": 200,
        "CarCircle": 300,
        "DroneCircle": 300,
        "AntCircle": 500,
        "BallRun": 100,
        "CarRun": 200,
        "DroneRun": 200,
        "AntRun": 200,
    },
    # The CVPO runner stops Circle at 300 whatever is registered.
    "cvpo": {
        "BallCircle": 300,
        "CarCircle": 300,
        "DroneCircle": 300,
        "AntCircle": 300,
        "BallRun": 250,
        "CarRun": 500,
        "DroneRun": 500,
        "AntRun": 1000,
    },
    "upstream": {
        "BallCircle": 250,
        "CarCircle": 500,
        "DroneCircle": 500,
        "AntCircle": 1000,
        "BallRun": 250,
        "CarRun": 500,
        "DroneRun": 500,
        "AntRun": 1000,
    },
}


class Row(NamedTuple):
    """One task in one dialect."""

    agent: str
    goal: str
    timing: Timing
    horizon: int
    clips: bool
    """Is the action clipped to [-1, 1] before it acts? Only the fork clips the car's."""


def row(task: str, dialect: str) -> Row:
    """The row of `SafetyCarCircle-v0` and its like; both names are known to be right."""
    pair = task.removeprefix("Safety").removesuffix("-v0")
    goal = next(name for name in GOALS if pair.endswith(name))
    agent = pair.removesuffix(goal)
    clips = dialect == "fsrl" or agent != "Car"
    timing = OWN_TIMING.get((dialect, pair), TIMING[dialect, goal])
    return Row(agent, goal, timing, HORIZON[dialect][pair], clips)
