"""OpenGL without a screen: which kind works here, and a context of it."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import numpy as np

_PROBE = """
import mujoco
context = mujoco.GLContext(64, 64)
context.make_current()
mujoco.MjrContext(mujoco.MjModel.from_xml_string("<mujoco/>"), 100)
context.free()
"""


@functools.cache
def available() -> str | None:
    """Which OpenGL works here: "egl", "osmesa" or None.

    Each is tried in a process of its own, so that none can crash this one (about a second, once). `MUJOCO_GL` in the
    environment narrows the choice; `MUJOCO_GL=disable` asks for none.
    """
    asked = os.environ.get("MUJOCO_GL", "").lower()
    for name in [asked] if asked else ["egl", "osmesa"]:
        if name in ("egl", "osmesa") and _works(name):
            return name
    return None


def _works(name: str) -> bool:
    environment = {**os.environ, "MUJOCO_GL": name, "PYOPENGL_PLATFORM": name}
    try:
        subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def context(platform: str, width: int, height: int):
    """A context of what `available` told, of `width` x `height` pixels."""
    # Named here and not left to mujoco: it chooses once, when first imported, long before anything is drawn.
    os.environ.setdefault("PYOPENGL_PLATFORM", platform)
    if platform == "egl":
        from mujoco.egl import GLContext
    else:
        from mujoco.osmesa import GLContext
    return GLContext(width, height)


class Canvas:
    """What a model looks like through a camera, drawn without a screen; shadows, reflections and multisampling are off."""

    def __init__(self, model, platform: str, width: int, height: int, most: int):
        """`most` bodies and marks at once."""
        import mujoco

        self._mj, self._model, self._size = mujoco, model, (width, height)
        self._gl = context(platform, width, height)
        self._gl.make_current()
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)
        self._scene = mujoco.MjvScene(model, maxgeom=most)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = 0
        self._option, self.camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self._picture = np.empty((height, width, 3), np.uint8)

    def begin(self, data) -> None:
        """The model as it is now; marks come after it."""
        everything = self._mj.mjtCatBit.mjCAT_ALL
        self._mj.mjv_updateScene(self._model, data, self._option, None, self.camera, everything, self._scene)

    def add(self, kind, size, place, colour, yaw: float = 0.0) -> None:
        """A mark of a `mjtGeom` kind, `size` and `place` [3] in m, `colour` [4], turned by `yaw` (rad); none where there is no room."""
        scene = self._scene
        if scene.ngeom < scene.maxgeom:
            cos, sin = np.cos(yaw), np.sin(yaw)
            turn = np.array([cos, -sin, 0.0, sin, cos, 0.0, 0.0, 0.0, 1.0])
            rgba = np.array(colour, np.float32)
            mark = scene.geoms[scene.ngeom]
            self._mj.mjv_initGeom(mark, kind, np.array(size, float), np.array(place, float), turn, rgba)
            scene.ngeom += 1

    def picture(self) -> np.ndarray:
        """uint8 [height width 3]"""
        self._gl.make_current()
        rectangle = self._mj.MjrRect(0, 0, *self._size)
        self._mj.mjr_render(rectangle, self._scene, self._context)
        self._mj.mjr_readPixels(self._picture, None, rectangle, self._context)
        return self._picture[::-1].copy()

    def close(self) -> None:
        """Free the GL context."""
        if self._gl is not None:
            self._context.free()
            self._gl.free()
            self._gl = None
