"""Pictures of CMBPO's tasks, by MuJoCo without a screen: from beside and above, so that what stands ahead is seen."""

from __future__ import annotations

import numpy as np

from bridle.envs import gl
from bridle.envs.safe_mujoco.course import lead

HEIGHT, WIDTH = 480, 640
CALM, WARM = (0.10, 0.62, 0.48, 1.0), (0.90, 0.18, 0.16, 1.0)
"""Colours of the ball above the robot: at a distance, and where the step costs."""
ABOVE = 0.75
"""Height of this ball above the torso's centre, m."""
AHEAD, AWAY, DOWN = 3.0, 11.0, -24.0
"""Of the camera: how far ahead of the robot it looks (m), from where (m), and how steeply (degrees)."""


class Camera:
    """MuJoCo's camera over a world's model."""

    def __init__(self, model):
        import mujoco

        platform = gl.available()
        if platform is None:
            raise RuntimeError(
                "no OpenGL works here without a screen, so these tasks cannot be drawn; install it "
                "(apt-get install libegl1 libgl1-mesa-dri) and let MUJOCO_GL be egl, osmesa or unset"
            )
        self._mj, self._model = mujoco, model
        model.vis.global_.offwidth, model.vis.global_.offheight = WIDTH, HEIGHT
        model.vis.quality.offsamples = model.vis.quality.shadowsize = 0
        self._data = mujoco.MjData(model)
        self._torso = model.body("torso").id
        self._canvas = gl.Canvas(model, platform, WIDTH, HEIGHT, 200)
        camera = self._canvas.camera
        camera.type, camera.azimuth, camera.elevation, camera.distance = mujoco.mjtCamera.mjCAMERA_FREE, 90, DOWN, AWAY

    def draw(self, state: np.ndarray, costs: bool) -> np.ndarray:
        """The robot in `state` (time, qpos, qvel), uint8 [480 640 3]."""
        mj, data, model = self._mj, self._data, self._model
        data.qpos[:] = state[1 : 1 + model.nq]
        if model.nmocap:
            data.mocap_pos[0, 0] = lead(state[0])
        mj.mj_kinematics(model, data)
        mj.mj_comPos(model, data)
        mj.mj_camlight(model, data)
        torso = data.xpos[self._torso]
        self._canvas.camera.lookat[:] = torso[0] + AHEAD, torso[1], 0.5
        self._canvas.begin(data)
        self._canvas.add(mj.mjtGeom.mjGEOM_SPHERE, (0.15, 0.0, 0.0), torso + (0.0, 0.0, ABOVE), WARM if costs else CALM)
        return self._canvas.picture()

    def close(self) -> None:
        """Free the GL context."""
        self._canvas.close()
