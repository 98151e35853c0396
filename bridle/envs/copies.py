"""N copies of one MuJoCo model, stepped together by one native call of `mujoco.rollout`."""

from __future__ import annotations

import numpy as np

from bridle.core.machine import cores


class Copies:
    """States are float64 `[N S]`, MuJoCo's full physics state (time, qpos, qvel).

    There is one state per copy and no warm start between env steps: an env step depends on nothing but the state,
    whatever the threads do.
    """

    def __init__(self, model, num_envs: int, steps: int):
        """`steps` steps of the model make one env step."""
        import mujoco
        from mujoco import rollout

        self.model, self._steps = model, steps
        self.size = mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        threads = min(cores(), num_envs)
        self._data = [mujoco.MjData(model) for _ in range(threads)]
        self._rollout = rollout.Rollout(nthread=threads if threads > 1 else 0)
        self.physics = f"MuJoCo {mujoco.__version__}, {steps} x {1e3 * model.opt.timestep:.3g} ms"

    def advance(self, state: np.ndarray, control: np.ndarray) -> np.ndarray:
        """The states `[n S]` of any number of copies one env step later under `control [n U]`, which is held."""
        n, steps = len(state), self._steps
        path = np.empty((n, steps, self.size))
        self._rollout.rollout(
            [self.model] * n,
            self._data,
            state,
            np.repeat(control[:, None], steps, axis=1),
            skip_checks=True,
            nstep=steps,
            state=path,
            sensordata=np.empty((n, steps, 0)),
            chunk_size=max(1, n // (8 * len(self._data))),
        )
        return path[:, -1].copy()

    def close(self) -> None:
        """Free the threads."""
        if self._rollout is not None:
            self._rollout.close()
            self._rollout = None
