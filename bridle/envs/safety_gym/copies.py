"""N copies of one MuJoCo model, stepped together by one native call; controls and bodies that stand where they are put alike."""

from __future__ import annotations

import numpy as np

from bridle.core.machine import cores
from bridle.envs.safety_gym.table import SUBSTEPS


class Copies:
    """States are float64 `[n S]`, MuJoCo's full physics state; a drive is `[n U]`: controls, then places (3 each) and rotations
    (4 each) of mocap bodies. No warm start outlives a call: what comes of one depends on state and drive alone."""

    def __init__(self, model, num_envs: int):
        import mujoco
        from mujoco import rollout

        kinds = mujoco.mjtState
        self.model = model
        self.size = mujoco.mj_stateSize(model, kinds.mjSTATE_FULLPHYSICS)
        self.drive = int(kinds.mjSTATE_CTRL | kinds.mjSTATE_MOCAP_POS | kinds.mjSTATE_MOCAP_QUAT)
        threads = min(cores(), num_envs)
        self._data = [mujoco.MjData(model) for _ in range(threads)]
        self._rollout = rollout.Rollout(nthread=threads if threads > 1 else 0)

    def sense(self, state: np.ndarray, drive: np.ndarray) -> np.ndarray:
        """What sensors tell in these states, [n D]."""
        return self._run(state, drive[:, None])[1][:, 0]

    def step(self, state: np.ndarray, drive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The states one env step later, and what sensors tell there; `drive` is `[n SUBSTEPS U]`."""
        # Sensors are those of the state that a sub-step begins with, so that one more is begun.
        path, sensed = self._run(state, np.concatenate([drive, drive[:, -1:]], 1))
        return path[:, SUBSTEPS - 1].copy(), sensed[:, SUBSTEPS].copy()

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
