"""How a robot's copies move, and what they tell beside their state: by one native call, or by one call a copy.

Gymnasium's ant and humanoid also look at what MuJoCo computes on the way (contact forces, inertias, where a body is), which
`mujoco.rollout` does not return: see `bridle.envs.telling`.
"""

from __future__ import annotations

import numpy as np

from bridle.envs import models
from bridle.envs.copies import Copies
from bridle.envs.telling import Told
from bridle.envs.velocity.robots import Robot


def load(robot: Robot):
    """Gymnasium's model of `robot`."""
    return models.compiled(*models.text_of(robot.model))


def bodies(robot: Robot, model, num_envs: int):
    """The copies of `robot`."""
    if robot.place is None:
        return Rolled(robot, model, num_envs)
    return Told(model, num_envs, robot.repeat, robot.place, robot.tells)


class Rolled:
    """Copies that tell where they are: their root's x, and the position after it."""

    def __init__(self, robot: Robot, model, num_envs: int):
        self._copies = Copies(model, num_envs, robot.repeat)
        self.size, self.physics, self.close = self._copies.size, self._copies.physics, self._copies.close

    def begin(self, state: np.ndarray) -> np.ndarray:
        """What is told at the states `[n S]` before the first step: `[n 2]`."""
        return state[:, 1:3].copy()

    def advance(self, state: np.ndarray, control: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The states `[n S]` one env step later under `control [n U]`, and what is told there."""
        after = self._copies.advance(state, control)
        return after, after[:, 1:3]
