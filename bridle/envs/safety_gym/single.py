"""The Gymnasium form of a navigation task: one copy of the batched world."""

from __future__ import annotations

from bridle.envs import safety_gym
from bridle.envs.single import Single


class NavigationEnv(Single):
    """`gymnasium.make("bridle/SafetyPointGoal1-v0", dialect="safety-gymnasium", layout="random", horizon=1000)`."""

    def __init__(
        self,
        task: str,
        dialect: str = safety_gym.DIALECTS[0],
        layout: str | None = None,
        cost: str = "indicator",
        vision: str | None = None,
        horizon: int | None = None,
        render_mode: str | None = None,
    ):
        world = safety_gym.make(task, 1, dialect, layout, cost, vision, horizon)
        self._hold(world, world.dt, float("inf"), render_mode)

    def step(self, action):
        """As all of ours; `info` also has `cost_hazards` and its like, 0 or 1, and `goal_met` where a goal was."""
        *told, info = super().step(action)
        info |= {f"cost_{name}": float(found[0] > 0) for name, found in self.world.mistakes.items()}
        return *told, info | ({"goal_met": True} if self.world.met[0] else {})
