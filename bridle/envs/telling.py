"""Copies that tell what MuJoCo computed beside their state: one call a copy, in as many threads as there are cores.

`mujoco.rollout` returns states alone, and no state can give back contact forces or where a body was at the last stage of the
last Runge-Kutta step. MuJoCo lets go of Python's lock while it steps.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bridle.core.machine import cores


class Told:
    """Copies that tell fields of MjData as well: x and y of `place`, then `tells`, flat: `[n 2+M]`.

    As in `Copies`, an env step depends on nothing but the state: no warm start, whatever the threads do.
    """

    def __init__(self, model, num_envs: int, steps: int, place: tuple[str, int], tells: tuple[tuple[str, int], ...]):
        """`steps` steps of the model make one env step; `place` is a field of MjData and a row, `tells` are fields from a row on."""
        import mujoco

        self._mj, self._model, self._steps = mujoco, model, steps
        self._full = mujoco.mjtState.mjSTATE_FULLPHYSICS
        self.size = mujoco.mj_stateSize(model, self._full)
        threads = min(cores(), num_envs)
        self._data = [mujoco.MjData(model) for _ in range(threads)]
        self._views = [_views(data, place, tells) for data in self._data]
        self._width = self._views[0][-1][0].stop
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self.physics = f"MuJoCo {mujoco.__version__}, {steps} x {1e3 * model.opt.timestep:.3g} ms"

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


def _views(data, place, tells) -> list[tuple[slice, np.ndarray]]:
    """Columns of what is told, and where in `data` they stand."""
    field, row = place
    views, end = [(slice(0, 2), getattr(data, field)[row, :2])], 2
    for field, first in tells:
        view = getattr(data, field)[first:].reshape(-1)
        views.append((slice(end, end + view.size), view))
        end += view.size
    return views
