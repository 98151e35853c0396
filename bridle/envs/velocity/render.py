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
        self._gl = gl.context(platform, WIDTH, HEIGHT)
        self._gl.make_current()
        self._context = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(self._model, maxgeom=200)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = 0
        self._option, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self._camera.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._camera.fixedcamid = self._model.camera("track").id
        self._picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)

    def draw(self, qpos: np.ndarray, costs: bool) -> np.ndarray:
        """The robot at `qpos`, uint8 [480 640 3]."""
        mj = self._mj
        self._data.qpos[:] = qpos
        mj.mj_kinematics(self._model, self._data)
        mj.mj_comPos(self._model, self._data)
        mj.mj_camlight(self._model, self._data)
        everything = mj.mjtCatBit.mjCAT_ALL
        mj.mjv_updateScene(self._model, self._data, self._option, None, self._camera, everything, self._scene)
        self._add_ball(costs)
        self._gl.make_current()
        rectangle = mj.MjrRect(0, 0, WIDTH, HEIGHT)
        mj.mjr_render(rectangle, self._scene, self._context)
        mj.mjr_readPixels(self._picture, None, rectangle, self._context)
        return self._picture[::-1].copy()

    def _add_ball(self, costs: bool) -> None:
        scene, mj = self._scene, self._mj
        place = self._data.xpos[1] + (0.0, 0.0, ABOVE)
        colour = np.array(WARM if costs else CALM, np.float32)
        size = np.array((0.1, 0.0, 0.0))
        mj.mjv_initGeom(scene.geoms[scene.ngeom], mj.mjtGeom.mjGEOM_SPHERE, size, place, np.eye(3).ravel(), colour)
        scene.ngeom += 1

    def close(self) -> None:
        """Free the GL context."""
        if self._gl is not None:
            self._context.free()
            self._gl.free()
            self._gl = None
