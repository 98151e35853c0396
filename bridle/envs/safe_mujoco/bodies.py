"""How the copies of each robot move, what of their state it observes, and what no state tells.

`own` is how many positions and velocities, the first ones, are those with noise at the start: all but the walls'. `begin` tells from where along x the first step counts, [n]; `advance` the states one env step later, where along x that is,
and the contact forces that are paid for, [n M] (None where they are free). States are MuJoCo's: time, qpos, qvel.
"""

from __future__ import annotations

import numpy as np

from bridle.envs.copies import Copies
from bridle.envs.safe_mujoco.course import lead, middle, pull
from bridle.envs.safe_mujoco.tasks import Task
from bridle.envs.telling import Told


class Cheetah:
    """Half a cheetah behind a board that a motor drives; joint 0 is the board's."""

    def __init__(self, task: Task, model, num_envs: int):
        self._copies = Copies(model, num_envs, task.repeat)
        self.size, self.physics, self.close = self._copies.size, self._copies.physics, self._copies.close
        self.own = model.nq, model.nv

    def begin(self, state):
        return state[:, 2].copy()

    def advance(self, state, control):
        """The board's control is that of the time at which the env step begins."""
        after = self._copies.advance(state, np.concatenate([control, pull(state[:, :1])], 1))
        return after, after[:, 2].copy(), None

    def obs(self, state):
        """[n 20]: positions but x (8), velocities (9), the board's velocity and control, and a tenth of the way to it."""
        away = np.clip((10.0 + state[:, 1] - state[:, 2]) / 10.0, -5.0, 5.0)
        board = np.stack([state[:, 11], pull(state[:, 0]), away], 1)
        return np.concatenate([state[:, 3:11], state[:, 12:21], board], 1)

    def lost(self, state):
        return False


class Hopper:
    """A leg behind a board that is led along its course."""

    def __init__(self, task: Task, model, num_envs: int):
        self._copies = Copies(model, num_envs, task.repeat)
        self.size, self.physics, self.close = self._copies.size, self._copies.physics, self._copies.close
        self.own = model.nq, model.nv

    def begin(self, state):
        return state[:, 1].copy()

    def advance(self, state, control):
        """During an env step the board stands where its course is at the step's beginning."""
        board = np.tile([0.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0], (len(state), 1))
        board[:, 0] = lead(state[:, 0])
        after = self._copies.advance(state, np.concatenate([control, board], 1))
        return after, after[:, 1].copy(), None

    def obs(self, state):
        """[n 14]: positions but x (5), velocities cut to 10 (6), the board's velocity and acceleration, and the way to it, m."""
        time, x = state[:, 0], state[:, 1]
        board = np.stack([1.0 + np.cos(time), -np.sin(time), lead(time) - x], 1)
        return np.concatenate([state[:, 2:7], np.clip(state[:, 7:], -10.0, 10.0), board], 1)

    def lost(self, state):
        """bool [n]: faster than obs can tell."""
        return ~(abs(state[:, 7:]) < 100.0).all(1)


class Ant:
    """An ant in the corridor."""

    place = ("xpos", 1)

    def __init__(self, task: Task, model, num_envs: int):
        free = sum(model.body(k).name.startswith("wall") for k in range(model.nbody))
        self.own = model.nq - 7 * free, model.nv - 6 * free
        self._speeds = slice(1 + model.nq, 1 + model.nq + self.own[1])
        self._copies = Told(model, num_envs, task.repeat, self.place, (("cfrc_ext", 1),))
        self.size, self.physics, self.close = self._copies.size, self._copies.physics, self._copies.close

    def begin(self, state):
        return state[:, 1].copy()

    def advance(self, state, control):
        after, told = self._copies.advance(state, control)
        return after, after[:, 1].copy(), told[:, 2:]

    def obs(self, state):
        """[n O]: positions but x and y, velocities, a fifth of x, and how far to the left of the corridor's middle, m."""
        x, y = state[:, 1], state[:, 2]
        where = np.stack([x / 5.0, y - middle(x)], 1)
        return np.concatenate([state[:, 3 : 1 + self.own[0]], state[:, self._speeds], where], 1)

    def lost(self, state):
        return False


class Humanoid(Ant):
    """A humanoid in the corridor; its centre of mass says how far along x it is."""

    place = ("subtree_com", 1)

    def begin(self, state):
        return self._copies.begin(state)[:, 0]

    def advance(self, state, control):
        after, told = self._copies.advance(state, control)
        return after, told[:, 0], told[:, 2:]


KINDS = {"HalfCheetah": Cheetah, "Ant": Ant, "Humanoid": Humanoid, "Hopper": Hopper}
