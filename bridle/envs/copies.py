"""N copies of one MuJoCo model, stepped together by one native call of `mujoco.rollout`."""

from __future__ import annotations

import numpy as np

from bridle.core.machine import cores


class Copies:
    """States are float64 `[n S]`, MuJoCo's full physics state (time, qpos, qvel); any number of copies may be stepped.

    What drives a copy is `[n U]`: controls, then the places (3 each) and rotations (4 each) of mocap bodies, if there are some.
    There is one state per copy and no warm start between env steps: an env step depends on nothing but the state and what drives
    it, whatever the threads do.
    """

    def __init__(self, model, num_envs: int, steps: int):
        """`steps` steps of the model make one env step."""
        import mujoco
        from mujoco import rollout

        kinds = mujoco.mjtState
        self.model, self._steps = model, steps
        self.size = mujoco.mj_stateSize(model, kinds.mjSTATE_FULLPHYSICS)
        self.drive = int(kinds.mjSTATE_CTRL | kinds.mjSTATE_MOCAP_POS | kinds.mjSTATE_MOCAP_QUAT)
        threads = min(cores(), num_envs)
        self._data = [mujoco.MjData(model) for _ in range(threads)]
        self._rollout = rollout.Rollout(nthread=threads if threads > 1 else 0)
        self.physics = f"MuJoCo {mujoco.__version__}, {steps} x {1e3 * model.opt.timestep:.3g} ms"

    def advance(self, state: np.ndarray, control: np.ndarray) -> np.ndarray:
        """The states one env step later under `control [n U]`, which is held."""
        return self._run(state, np.repeat(control[:, None], self._steps, axis=1))[0][:, -1].copy()

    def sense(self, state: np.ndarray, drive: np.ndarray) -> np.ndarray:
        """What sensors tell in these states, [n D]."""
        return self._run(state, drive[:, None])[1][:, 0]

    def step(self, state: np.ndarray, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The states one env step later, and what sensors tell there; `drive` is `[n steps U]`."""
        # Sensors are those of the state that a sub-step begins with, so that one more is begun.
        path, sensed = self._run(state, np.concatenate([drive, drive[:, -1:]], 1))
        return path[:, self._steps - 1].copy(), sensed[:, self._steps].copy()

    def _run(self, state: np.ndarray, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        n, steps = drive.shape[:2]
        path, sensed = np.empty((n, steps, self.size)), np.empty((n, steps, self.model.nsensordata))
        self._rollout.rollout(
            [self.model] * n,
            self._data,
            state,
            np.ascontiguousarray(drive),
            control_spec=self.drive,
            skip_checks=True,
            nstep=steps,
            state=path,
            sensordata=sensed,
            chunk_size=max(1, n // (8 * len(self._data))),
        )
        return path, sensed

    def close(self) -> None:
        """Free the threads."""
        if self._rollout is not None:
            self._rollout.close()
            self._rollout = None
