"""Steps copies without their vases where these are at rest and out of reach: half of the physics of Goal is vases that just lie there.

Whether a copy is stepped with or without them depends on its own state alone, so that copies do not depend on each other.
"""

from __future__ import annotations

import numpy as np

from bridle.envs.safety_gym.copies import Copies
from bridle.envs.safety_gym.scene import Compiled, compiled
from bridle.envs.safety_gym.table import ROBOTS, SUBSTEPS, Row

STILL = 1e-5
"""Speed (m/s) and spin (rad/s) below which a vase is at rest."""
CORNER = 0.175
"""From the centre of a vase to its corners, m."""
SLACK = 0.05
"""Kept between a robot's reach and a vase, m."""


class Resting:
    """What `Copies` is, of a scene with vases, which are its last bodies."""

    def __init__(self, row: Row, at: Compiled, num_envs: int):
        self._full = Copies(at.model, num_envs)
        scene = row.scene._replace(things=tuple(x for x in row.scene.things if x.kind != "vases"))
        bare = compiled(row._replace(scene=scene))
        self._bare = Copies(bare.model, num_envs)
        self.model, self.size, self.drive = at.model, self._full.size, self._full.drive
        self._vases = [value for name, value in at.free.items() if name.startswith("vases")]
        positions, speeds = np.arange(bare.model.nq), at.model.nq + np.arange(bare.model.nv)
        self._columns = np.concatenate([[0], 1 + positions, 1 + speeds])
        self._sensors = np.concatenate([np.r_[at.sensors[name]] for name in bare.sensors])
        self._own = np.concatenate([np.r_[part] for part in bare.sensors.values()])
        self._reach = ROBOTS[row.robot].reach + CORNER + SLACK
        self._time = SUBSTEPS * at.model.opt.timestep

    def sense(self, state: np.ndarray, drive: np.ndarray) -> np.ndarray:
        """What sensors tell in these states, [n D]."""
        return self._full.sense(state, drive)

    def step(self, state: np.ndarray, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The states one env step later, and what sensors tell there; `drive` is `[n SUBSTEPS U]`."""
        near = self._is_near(state)
        if near.all():
            return self._full.step(state, drive)
        after, sensed, far = state.copy(), np.zeros((len(state), self.model.nsensordata)), ~near
        moved, told = self._bare.step(np.ascontiguousarray(state[far][:, self._columns]), drive[far])
        after[np.ix_(far, self._columns)] = moved
        sensed[np.ix_(far, self._sensors)] = told[:, self._own]
        if near.any():
            after[near], sensed[near] = self._full.step(state[near], drive[near])
        return after, sensed

    def _is_near(self, state: np.ndarray) -> np.ndarray:
        """May the robot reach a vase within this step, or is one moving? bool [n]"""
        robot, pace = state[:, 1:3], np.hypot(*self._pace(state).T)
        near = np.zeros(len(state), bool)
        for place, speed in self._vases:
            away = np.hypot(*(state[:, place : place + 2] - robot).T)
            near |= (away < self._reach + 2.0 * pace * self._time) | (np.abs(state[:, speed : speed + 6]) > STILL).any(
                1
            )
        return near

    def _pace(self, state: np.ndarray) -> np.ndarray:
        """Of the robot along x and y, m/s: its first two velocities, be it a point or a free body."""
        return state[:, 1 + self.model.nq :][:, :2]

    def close(self) -> None:
        """Free the threads."""
        self._full.close()
        self._bare.close()
