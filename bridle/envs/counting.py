"""An environment that counts its steps, so that a test can say what each observation must be."""

from __future__ import annotations

from typing import ClassVar

import gymnasium
import numpy as np


class Counting(gymnasium.Env):
    """Observes (episodes begun, steps counted) as float32 [2]; reward = steps counted; info["cost"] = `cost`.

    Episodes have the `lengths` in turn, again from the first after the last; a length below zero is truncated after so
    many steps, one above zero terminates.
    """

    metadata: ClassVar = {"render_modes": []}

    def __init__(self, lengths=(5,), cost=1.0):
        self.lengths, self.cost = tuple(lengths), cost
        if not self.lengths or not all(self.lengths):
            raise ValueError(f"lengths = {lengths!r}; allowed: integers other than 0, at least one")
        self.observation_space = gymnasium.spaces.Box(0.0, np.inf, (2,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.episodes = self.count = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episodes, self.count = self.episodes + 1, 0
        return self._look(), {}

    def step(self, action):
        self.count += 1
        length = self.lengths[(self.episodes - 1) % len(self.lengths)]
        ended = self.count >= abs(length)
        return self._look(), float(self.count), ended and length > 0, ended and length < 0, {"cost": self.cost}

    def get_state(self):
        return {"episodes": self.episodes, "count": self.count}

    def set_state(self, state):
        self.episodes, self.count = state["episodes"], state["count"]

    def _look(self):
        return np.array([self.episodes, self.count], np.float32)
