"""The Gymnasium form of a velocity task: one copy of the batched world."""

from __future__ import annotations

from bridle.envs import velocity
from bridle.envs.single import Single


class VelocityEnv(Single):
    """`gymnasium.make("bridle/SafetyHalfCheetahVelocity-v1", horizon=1000)`."""

    def __init__(self, task: str, horizon: int = velocity.HORIZON, render_mode: str | None = None):
        world = velocity.make(task, 1, horizon)
        self._hold(world, world.dt, float("inf"), render_mode)
