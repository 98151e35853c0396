"""The Gymnasium form of CMBPO's tasks: one copy of the batched world."""

from __future__ import annotations

from bridle.envs import safe_mujoco
from bridle.envs.single import Single


class SafeMujocoEnv(Single):
    """`gymnasium.make("bridle/HalfCheetahSafe-v2", horizon=1000)`."""

    def __init__(
        self,
        task: str,
        horizon: int = safe_mujoco.HORIZON,
        walls: str | None = None,
        rules: str = "exact",
        render_mode: str | None = None,
    ):
        world = safe_mujoco.make(task, 1, horizon, walls, rules)
        self._hold(world, world.dt, float("inf"), render_mode)
