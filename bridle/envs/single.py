"""The Gymnasium form of a world of ours: one copy of it."""

from __future__ import annotations

from typing import ClassVar

import gymnasium
import numpy as np


class Single(gymnasium.Env):
    """What the Gymnasium forms of all suites share; each makes its own world and hands it to `_hold`.

    `info["cost"]` is the cost of the step. The environment truncates at its own horizon, so no TimeLimit is registered.
    `reset(seed=s)` begins episode 0 of seed `s`; `reset()` goes on to the next episode.
    """

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 10}

    def _hold(self, world, dt: float, bound: float, render_mode: str | None) -> None:
        """Be one copy of `world`, whose env step lasts `dt` s and whose obs stay within `bound`."""
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode = {render_mode!r}; allowed: 'rgb_array' or None")
        self.world, spec = world, world.spec
        self.horizon = spec.horizon
        self._max_episode_steps = self.horizon  # where others look for it
        self.observation_space = _space(spec.obs, bound)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (spec.action.size,), np.float32)
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": round(1 / dt)}
        self._seeded = False

    def reset(self, *, seed: int | None = None, options: dict | None = None):
        """First obs and an empty dict; the start depends on the seed and the number of the episode alone."""
        super().reset(seed=seed)
        if seed is None and self._seeded:
            return _first(self.world.restart(np.array([0]))), {}
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        self._seeded = True
        return _first(self.world.reset(np.array([seed % 2**63]))), {}

    def step(self, action):
        """obs, reward, terminated, truncated, {"cost": float, or float32 [C] of several constraints}."""
        obs, reward, cost, terminated, truncated = self.world.advance(np.asarray(action)[None])
        told = cost[0] if cost.shape[1] > 1 else float(cost[0, 0])
        return _first(obs), float(reward[0]), bool(terminated[0]), bool(truncated[0]), {"cost": told}

    def render(self):
        """uint8 [480 640 3]; None without a render mode."""
        return self.world.render(0) if self.render_mode == "rgb_array" else None

    def close(self):
        """Free what the world holds."""
        self.world.close()


def _space(leaf, bound: float):
    """Of a `Leaf`, or of a dict of them."""
    if isinstance(leaf, dict):
        return gymnasium.spaces.Dict({name: _space(part, bound) for name, part in leaf.items()})
    low, high = (0, 255) if leaf.dtype == "uint8" else (-bound, bound)
    return gymnasium.spaces.Box(low, high, leaf.shape, np.dtype(leaf.dtype))


def _first(obs):
    """Of copy 0."""
    return {name: part[0] for name, part in obs.items()} if isinstance(obs, dict) else obs[0]
