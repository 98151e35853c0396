"""OpenGL without a screen: which kind works here, and a context of it."""

from __future__ import annotations

import functools
import os
import subprocess
import sys

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
