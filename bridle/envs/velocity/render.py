"""Pictures of the velocity tasks, by MuJoCo without a screen: the camera of the robot's own model follows it.

Shadows, reflections and multisampling are off: in software rendering they cost fifty times the rest.
"""

from __future__ import annotations

import numpy as np

from bridle.envs import gl
from bridle.envs.velocity.bodies import load
from bridle.envs.velocity.robots import Robot

HEIGHT, WIDTH = 480, 640
CALM, WARM = (0.10, 0.62, 0.48, 1.0), (0.90, 0.18, 0.16, 1.0)
"""Colours of the ball above the robot: below and beyond the threshold."""
ABOVE = 0.75
"""Height of this ball above the torso's centre, m."""


class Camera:
    """MuJoCo's camera over a model of its own."""

    def __init__(self, robot: Robot):
        import mujoco

        platform = gl.available()
        if platform is None:
            raise RuntimeError(
                "no OpenGL works here without a screen, so the velocity tasks cannot be drawn; install it "
                "(apt-get install libegl1 libgl1-mesa-dri) and let MUJOCO_GL be egl, osmesa or unset"
            )
        self._mj = mujoco
        self._model = load(robot)
        self._model.vis.global_.offwidth, self._model.vis.global_.offheight = WIDTH, HEIGHT
        self._model.vis.quality.offsamples = self._model.vis.quality.shadowsize = 0
        self._data = mujoco.MjData(self._model)
        self._canvas = gl.Canvas(self._model, platform, WIDTH, HEIGHT, 200)
        self._canvas.camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._canvas.camera.fixedcamid = self._model.camera("track").id

    def draw(self, qpos: np.ndarray, costs: bool) -> np.ndarray:
        """The robot at `qpos`, uint8 [480 640 3]."""
        mj = self._mj
        self._data.qpos[:] = qpos
        mj.mj_kinematics(self._model, self._data)
        mj.mj_comPos(self._model, self._data)
        mj.mj_camlight(self._model, self._data)
        self._canvas.begin(self._data)
        above = self._data.xpos[1] + (0.0, 0.0, ABOVE)
        self._canvas.add(mj.mjtGeom.mjGEOM_SPHERE, (0.1, 0.0, 0.0), above, WARM if costs else CALM)
        return self._canvas.picture()

    def close(self) -> None:
        """Free the GL context."""
        self._canvas.close()
