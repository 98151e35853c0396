"""The MuJoCo models of this folder: reading them, and N copies that step as a dialect asks."""

from __future__ import annotations

from importlib import resources

from bridle.envs.bullet.table import Timing
from bridle.envs.copies import Copies


def read(name: str):
    """The model of one of this folder's XML files."""
    import mujoco

    return mujoco.MjModel.from_xml_string((resources.files("bridle.envs.bullet") / name).read_text())


def copies(model, num_envs: int, timing: Timing, steps: int) -> Copies:
    """N copies of `model`, whose env step of `timing.dt` s is cut into `steps`."""
    model.opt.timestep = timing.dt / steps
    made = Copies(model, num_envs, steps)
    made.physics += ", fitted to PyBullet 3.2.7"
    return made
