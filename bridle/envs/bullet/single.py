"""The Gymnasium form of a Bullet task: one copy of the batched world."""

from __future__ import annotations

from typing import ClassVar

import gymnasium
import numpy as np

from bridle.envs import bullet
from bridle.envs.bullet import table


class BulletEnv(gymnasium.Env):
    """`gymnasium.make("bridle/SafetyCarCircle-v0", dialect="fsrl", horizon=None)`.

    `info["cost"]` is the cost of the step. The environment truncates at its own horizon, which depends on the dialect,
    so no TimeLimit is registered. `reset(seed=s)` begins episode 0 of seed `s`; `reset()` goes on to the next episode.
    """

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, task: str, dialect: str = "fsrl", horizon: int | None = None, render_mode: str | None = None):
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode = {render_mode!r}; allowed: 'rgb_array' or None")
        bullet.check(task, dialect)
        row = table.row(task, dialect)
        self.horizon = row.horizon if horizon is None else horizon
        self._max_episode_steps = self.horizon  # where others look for it
        self.world = bullet.make(task, 1, dialect, self.horizon)
        spec = self.world.spec
        self.observation_space = gymnasium.spaces.Box(-1000.0, 1000.0, spec.obs.shape, np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (spec.action.size,), np.float32)
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": round(1 / row.timing.dt)}
        self._seeded = False

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """First obs [O] and an empty dict; the layout depends on the seed and the number of the episode alone."""
        super().reset(seed=seed)
        if seed is None and self._seeded:
            return self.world.restart(np.array([0]))[0], {}
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        self._seeded = True
        return self.world.reset(np.array([seed % 2**63]))[0], {}

    def step(self, action):
        """obs [O], reward, terminated, truncated, {"cost": float}."""
        obs, reward, cost, terminated, truncated = self.world.advance(np.asarray(action)[None])
        return obs[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), {"cost": float(cost[0, 0])}

    def render(self):
        """uint8 [480 640 3]; None without a render mode."""
        return self.world.render(0) if self.render_mode == "rgb_array" else None

    def close(self):
        """Free what the world holds."""
        self.world.close()
