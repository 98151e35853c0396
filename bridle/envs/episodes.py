"""What the batched worlds of all suites share: seeds, numbers and ends of the episodes of N copies."""

from __future__ import annotations

import numpy as np

from bridle.core.types import Outcome, Spec


class EpisodicWorld:
    """A `core.types.World` but for what a suite adds: `spec`, `advance`, `_begin`, `_obs`, `_state`, `_camera` and `_draw`.

    Episode k of a copy depends on its seed and k alone: `_seed`, `_episode` and `_step` (int64 [N]) say where each copy is.
    """

    spec: Spec
    _view = None

    def reset(self, seeds: np.ndarray) -> np.ndarray:
        """Begin episode 0 of every copy from its own seed (int64 [N]); the first obs, float32 [N O]."""
        seeds = np.asarray(seeds, np.int64)
        if seeds.shape != (self.spec.num_envs,):
            raise ValueError(f"seeds have shape {seeds.shape}; one is needed for each copy: ({self.spec.num_envs},)")
        self._seed = seeds.copy()
        self._episode = np.full(len(seeds), -1, np.int64)
        self._step = np.zeros(len(seeds), np.int64)
        return self.restart(np.arange(len(seeds)))

    def restart(self, who: np.ndarray) -> np.ndarray:
        """Begin the next episode of the copies `who` (int [n]) now; the obs of all copies."""
        who = np.asarray(who)
        self._episode[who] += 1
        self._step[who] = 0
        self._begin(who)
        return self._obs()

    def step(self, action: np.ndarray) -> Outcome:
        """One env step of every copy under `action`, float [N A]; a copy at its end begins anew."""
        obs, reward, cost, terminated, truncated = self.advance(action)
        kinds, ended = self.kinds(), terminated | truncated
        now = self.restart(np.flatnonzero(ended)) if ended.any() else obs
        return Outcome(obs, now, reward, cost, terminated, truncated, np.ones(len(ended), bool), kinds)

    def advance(self, action: np.ndarray):
        """The same, but no copy begins anew: obs, reward, cost, terminated, truncated."""
        raise NotImplementedError

    def kinds(self) -> np.ndarray:
        """What each of `Spec.kinds` cost in the last step, float32 [N K]."""
        return np.zeros((self.spec.num_envs, 0), np.float32)

    def _begin(self, who: np.ndarray) -> None:
        """Put the copies `who` where their episode begins."""
        raise NotImplementedError

    def _obs(self) -> np.ndarray:
        """Of all copies."""
        raise NotImplementedError

    def _checked(self, action: np.ndarray) -> np.ndarray:
        """float64 [N A]"""
        action, wanted = np.asarray(action, np.float64), (self.spec.num_envs, self.spec.action.size)
        if action.shape != wanted:
            raise ValueError(f"action has shape {action.shape}; needed: {wanted}")
        return action

    def _ends(self) -> np.ndarray:
        """Whose horizon is reached, bool [N]."""
        return self._step >= self.spec.horizon

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that the next steps depend on; each array has one row per copy."""
        counts = {"seed": self._seed, "episode": self._episode, "step": self._step}
        return {name: array.copy() for name, array in (counts | self._state()).items()}

    def set_state(self, state: dict[str, np.ndarray]) -> np.ndarray:
        """Go back to what `get_state` told; the obs there, float32 [N O]."""
        self._seed, self._episode, self._step = (np.array(state[k], np.int64) for k in ("seed", "episode", "step"))
        self._resume({name: np.array(state[name]) for name in self._state()})
        return self._obs()

    def _state(self) -> dict[str, np.ndarray]:
        """What `get_state` tells beside seeds and counts."""
        raise NotImplementedError

    def _resume(self, state: dict[str, np.ndarray]) -> None:
        """Go back to what `_state` told."""
        raise NotImplementedError

    def render(self, index: int = 0) -> np.ndarray:
        """Copy `index` as a picture, uint8 [480 640 3]."""
        if not 0 <= index < self.spec.num_envs:
            raise ValueError(f"index = {index}; copies are numbered 0 to {self.spec.num_envs - 1}")
        if self._view is None:
            self._view = self._camera()
        return self._draw(index)

    def _camera(self):
        """What pictures are drawn by; it is made when the first one is asked for, and closed with the world."""
        raise NotImplementedError

    def _draw(self, index: int) -> np.ndarray:
        """A picture of copy `index` by `_view`."""
        raise NotImplementedError

    def close(self) -> None:
        """Free what the world holds."""
        if self._view is not None:
            self._view.close()
            self._view = None
