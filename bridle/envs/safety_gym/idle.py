"""Steps copies without what the robot cannot touch within the step: vases that lie still, gremlins that go their way.

Where a vase at rest will be is known, and so is where a gremlin will be that nothing has pushed: all go the same way round their
places, which is stepped once, alone. Most of the physics is spared. Whether a copy is stepped with or without depends on its own
state alone, so that copies do not depend on each other.
"""

from __future__ import annotations

import numpy as np

from bridle.envs.copies import Copies
from bridle.envs.safety_gym.scene import Compiled, compiled
from bridle.envs.safety_gym.table import ROBOTS, SUBSTEPS, Row

IDLE = ("vases", "gremlins")
"""Kinds that may be left out; they are the last bodies of a scene."""
STILL = 1e-5
"""Speed (m/s) and spin (rad/s) below which a vase is at rest, and how far a gremlin may be from its way (m, m/s)."""
CORNER = 0.175
"""From the centre of such a cube to its corners, m."""
SLACK = 0.05
"""Kept between a robot's reach and a cube, m."""
LIFTED = 1.0
"""Seconds until gremlins, which begin on the floor, are on their way, wherever their edges point."""
PACE = 0.4
"""Of a gremlin on its way, m/s, and more."""


class Idle:
    """What `Copies` is, of a scene with vases or gremlins."""

    def __init__(self, row: Row, at: Compiled, num_envs: int, horizon: int):
        self._full = Copies(at.model, num_envs, SUBSTEPS)
        scene = row.scene._replace(things=tuple(x for x in row.scene.things if x.kind not in IDLE))
        bare = compiled(row._replace(scene=scene))
        self._bare = Copies(bare.model, num_envs, SUBSTEPS)
        self.model, self.size, self.drive = at.model, self._full.size, self._full.drive
        self._vases = [value for name, value in at.free.items() if name.startswith("vases")]
        self._gremlins = [value for name, value in at.free.items() if name.startswith("gremlins")]
        self._leads = [at.model.nu + 3 * at.mocap[f"gremlins{k}_lead"] for k in range(len(self._gremlins))]
        self._travel, self._substep = row.travel, at.model.opt.timestep
        self._time, self._reach = SUBSTEPS * self._substep, ROBOTS[row.robot].reach + CORNER + SLACK
        self._columns = np.r_[0, 1 : 1 + bare.model.nq, 1 + at.model.nq : 1 + at.model.nq + bare.model.nv]
        self._sensors = np.concatenate([np.r_[at.sensors[name]] for name in bare.sensors])
        self._own = np.concatenate([np.r_[part] for part in bare.sensors.values()])
        self._drives = _drives(at, bare)
        self._way = way(row, horizon) if self._gremlins else np.zeros((1, 2, 3))

    def sense(self, state: np.ndarray, drive: np.ndarray) -> np.ndarray:
        """What sensors tell in these states, [n D]."""
        return self._full.sense(state, drive)

    def step(self, state: np.ndarray, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The states one env step later, and what sensors tell there; `drive` is `[n SUBSTEPS U]`."""
        near = self.is_near(state, drive)
        if near.all():
            return self._full.step(state, drive)
        after, sensed, far = state.copy(), np.zeros((len(state), self.model.nsensordata)), ~near
        moved, told = self._bare.step(np.ascontiguousarray(state[far][:, self._columns]), drive[far][..., self._drives])
        after[np.ix_(far, self._columns)] = moved
        sensed[np.ix_(far, self._sensors)] = told[:, self._own]
        at, speed = self._way[self._when(state[far]) + 1].transpose(1, 0, 2) if self._gremlins else (None, None)
        for (first, rate), place in zip(self._gremlins, self._places(state[far], drive[far]), strict=True):
            after[far, first : first + 3], after[far, rate : rate + 3] = place + at, speed
        if near.any():
            after[near], sensed[near] = self._full.step(state[near], drive[near])
        return after, sensed

    def is_near(self, state: np.ndarray, drive: np.ndarray) -> np.ndarray:
        """May the robot touch something within this step, or has something been touched? bool [n]"""
        robot = state[:, 1:3]
        pace = np.hypot(
            *state[:, 1 + self.model.nq :][:, :2].T
        )  # its first two velocities, be it a point or a free body
        near = np.zeros(len(state), bool)
        for first, rate in self._vases:
            near |= np.hypot(*(state[:, first : first + 2] - robot).T) < self._reach + 2.0 * pace * self._time
            near |= (np.abs(state[:, rate : rate + 6]) > STILL).any(1)
        if self._gremlins:
            when = self._when(state)
            near |= (when + 1 >= len(self._way)) | (state[:, 0] < LIFTED)
            at, speed = self._way[np.minimum(when, len(self._way) - 1)].transpose(1, 0, 2)
        for (first, rate), place in zip(self._gremlins, self._places(state, drive), strict=True):
            away = np.hypot(*(state[:, first : first + 2] - robot).T)
            near |= away < self._reach + (2.0 * pace + PACE) * self._time
            near |= (np.abs(state[:, first : first + 3] - place - at) > STILL).any(1)
            near |= (np.abs(state[:, rate : rate + 3] - speed) > STILL).any(1)
            near |= (np.abs(state[:, rate + 3 : rate + 6]) > STILL).any(1)
        return near

    def _when(self, state: np.ndarray) -> np.ndarray:
        """Env steps since the episode began, int [n]."""
        return np.rint(state[:, 0] / self._time).astype(int)

    def _places(self, state: np.ndarray, drive: np.ndarray) -> list[np.ndarray]:
        """The point on the floor that each gremlin goes round, [n 3]."""
        phase = state[:, 0]
        round_ = self._travel * np.stack([np.sin(phase), np.cos(phase)], 1)
        flat = np.zeros((len(state), 1))
        return [np.concatenate([drive[:, 0, lead : lead + 2] - round_, flat], 1) for lead in self._leads]

    def close(self) -> None:
        """Free the threads."""
        self._full.close()
        self._bare.close()


def way(row: Row, horizon: int) -> np.ndarray:
    """Where a gremlin is from the point that it goes round, and its velocity, at each env step of an episode: [horizon + 1, 2, 3]."""
    gremlins = next(x for x in row.scene.things if x.kind == "gremlins")
    alone = compiled(row._replace(scene=row.scene._replace(things=(gremlins._replace(num=1, at=None),))))
    copies = Copies(alone.model, 1, SUBSTEPS)
    first, rate = alone.free["gremlins0"]
    lead = alone.model.nu + 3 * alone.mocap["gremlins0_lead"]
    turn = alone.model.nu + 3 * alone.model.nmocap
    state, drive = np.zeros((1, copies.size)), np.zeros((1, SUBSTEPS, turn + 4 * alone.model.nmocap))
    state[0, 1 : 1 + alone.model.nq] = alone.model.qpos0
    state[0, 1:3] = 50.0  # the robot is elsewhere
    state[0, first : first + 3] = 0.0, 0.0, gremlins.size
    drive[..., turn] = 1.0
    found = [(state[0, first : first + 3], state[0, rate : rate + 3])]
    for _ in range(horizon):
        phase = state[0, 0] + alone.model.opt.timestep * np.arange(SUBSTEPS)
        drive[0, :, lead : lead + 3] = np.stack(
            [row.travel * np.sin(phase), row.travel * np.cos(phase), np.full(SUBSTEPS, 2 * gremlins.size)], 1
        )
        state = copies.step(state, drive)[0]
        found.append((state[0, first : first + 3], state[0, rate : rate + 3]))
    copies.close()
    return np.array(found)


def _drives(at: Compiled, bare: Compiled) -> np.ndarray:
    """Columns of a drive that the bare model has too."""
    nu, many, few = at.model.nu, at.model.nmocap, bare.model.nmocap
    numbers = np.array([at.mocap[name] for name, _ in sorted(bare.mocap.items(), key=lambda x: x[1])], int)
    places = [nu + 3 * k + np.arange(3) for k in numbers]
    turns = [nu + 3 * many + 4 * k + np.arange(4) for k in numbers]
    return np.concatenate([np.arange(nu), *places, *turns]).astype(int) if few else np.arange(nu)
