"""Each action for several env steps (`action_repeat`): rewards and costs add up, and an episode that ends in between ends there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bridle.core.types import Outcome
from bridle.envs.adapter import pick
from bridle.envs.episodes import EpisodicWorld


class Repeated:
    """A world of ours whose env step is `times` of its steps. Limits stay on the sum of all costs of an episode."""

    def __init__(self, world: EpisodicWorld, times: int):
        self.world, self._times, spec = world, times, world.spec
        lasts = {"dt": f"{times * float(dict(spec.notes)['dt'].split()[0]):.4g} s", "action repeat": str(times)}
        notes = tuple((dict(spec.notes) | lasts).items())
        # Rules are of one step: a cost adds up over several, of which obs tell the last.
        self.spec = replace(spec, horizon=-(-spec.horizon // times), notes=notes, rules=None)
        self.reset, self.get_state, self.set_state = world.reset, world.get_state, world.set_state
        self.render, self.close = world.render, world.close

    def step(self, action: np.ndarray) -> Outcome:
        """Copies at their end wait for the others, and begin anew when all are through."""
        n, last = self.spec.num_envs, None
        reward, cost, kinds = np.zeros(n, np.float32), 0.0, 0.0
        terminated, truncated = np.zeros(n, bool), np.zeros(n, bool)
        for _ in range(self._times):
            going = ~(terminated | truncated)
            obs, gained, priced, lost, late = self.world.advance(action)
            counts = going[:, None]
            last = obs if last is None else pick(going, obs, last)
            reward, cost = reward + going * gained, cost + counts * priced
            kinds = kinds + counts * self.world.kinds()
            terminated, truncated = terminated | (going & lost), truncated | (going & late)
            if (terminated | truncated).all():
                break
        ended = terminated | truncated
        now = self.world.restart(np.flatnonzero(ended)) if ended.any() else last
        return Outcome(last, now, reward, cost, terminated, truncated, np.ones(n, bool), kinds)
