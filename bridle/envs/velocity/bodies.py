"""How a robot's copies move, and what they tell beside their state: by one native call, or by one call a copy.

`mujoco.rollout` returns states alone. Gymnasium's ant and humanoid also look at what MuJoCo computes on the way (contact
forces, inertias, where a body is), at the last stage of the last Runge-Kutta step, which no state can give back. Their
copies are stepped one by one, in as many threads as there are cores; MuJoCo lets go of Python's lock meanwhile.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bridle.core.machine import cores
from bridle.envs.copies import Copies
from bridle.envs.velocity.robots import Robot


def load(robot: Robot):
    """Gymnasium's model of `robot`."""
    import gymnasium
    import mujoco

    text = (Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / robot.model).read_text()
    # MuJoCo warns of this attribute, of the cheetah alone, and says what to do instead: it gives the same model to the bit.
    mass = re.search(r' settotalmass="([0-9.]+)"', text)
    if mass is None:
        return mujoco.MjModel.from_xml_string(text)
    model = mujoco.MjModel.from_xml_string(text.replace(mass[0], ""))
    mujoco.mj_setTotalmass(model, float(mass[1]))
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


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


class Told:
    """Copies that tell fields of MjData as well: x and y of `Robot.place`, then `Robot.tells`, flat: `[n 2+M]`.

    As in `Copies`, an env step depends on nothing but the state: no warm start, whatever the threads do.
    """

    def __init__(self, robot: Robot, model, num_envs: int):
        import mujoco

        self._mj, self._model, self._steps = mujoco, model, robot.repeat
        self._full = mujoco.mjtState.mjSTATE_FULLPHYSICS
        self.size = mujoco.mj_stateSize(model, self._full)
        threads = min(cores(), num_envs)
        self._data = [mujoco.MjData(model) for _ in range(threads)]
        self._views = [_views(data, robot) for data in self._data]
        self._width = self._views[0][-1][0].stop
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.physics = f"MuJoCo {mujoco.__version__}, {robot.repeat} x {1e3 * model.opt.timestep:.3g} ms"

    def begin(self, state: np.ndarray) -> np.ndarray:
        """What is told at the states `[n S]` before the first step: nothing has pushed yet."""
        told = np.empty((len(state), self._width))
        data, mj = self._data[0], self._mj
        mj.mj_resetData(self._model, data)
        for k, row in enumerate(told):
            mj.mj_setState(self._model, data, state[k], self._full)
            mj.mj_forward(self._model, data)
            data.cfrc_ext[:] = 0.0
            for columns, view in self._views[0]:
                row[columns] = view
        return told

    def advance(self, state: np.ndarray, control: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The states `[n S]` one env step later under `control [n U]`, and what is told on the way there."""
        after, told = np.empty_like(state), np.empty((len(state), self._width))
        turns = iter(range(len(state)))
        if self._pool is None:
            self._work(0, turns, state, control, after, told)
        else:
            threads = range(len(self._data))
            for job in [self._pool.submit(self._work, k, turns, state, control, after, told) for k in threads]:
                job.result()
        return after, told

    def _work(self, thread: int, turns, state, control, after, told) -> None:
        """Step one copy after another, as long as any is left to take from `turns`, which the threads share."""
        mj, model, full, steps = self._mj, self._model, self._full, self._steps
        data, views = self._data[thread], self._views[thread]
        warm, ctrl = data.qacc_warmstart, data.ctrl
        for k in turns:
            mj.mj_setState(model, data, state[k], full)
            warm[:] = 0.0
            ctrl[:] = control[k]
            mj.mj_step(model, data, steps)
            mj.mj_rnePostConstraint(model, data)
            mj.mj_getState(model, data, after[k], full)
            row = told[k]
            for columns, view in views:
                row[columns] = view

    def close(self) -> None:
        """Free the threads."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


def _views(data, robot: Robot) -> list[tuple[slice, np.ndarray]]:
    """Columns of what is told, and where in `data` they stand."""
    field, row = robot.place
    views, end = [(slice(0, 2), getattr(data, field)[row, :2])], 2
    for field, first in robot.tells:
        view = getattr(data, field)[first:].reshape(-1)
        views.append((slice(end, end + view.size), view))
        end += view.size
    return views
