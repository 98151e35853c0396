"""The Gymnasium form of a Bullet task: one copy of the batched world."""

from __future__ import annotations

from bridle.envs import bullet
from bridle.envs.single import Single


class BulletEnv(Single):
    """`gymnasium.make("bridle/SafetyCarCircle-v0", dialect="fsrl", horizon=None)`; the horizon depends on the dialect."""

    def __init__(self, task: str, dialect: str = "fsrl", horizon: int | None = None, render_mode: str | None = None):
        world = bullet.make(task, 1, dialect, horizon)
        self._hold(world, world.row.timing.dt, 1000.0, render_mode)
