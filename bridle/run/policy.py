"""A trained policy, without its environment."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from bridle.core.algorithm import Algorithm
from bridle.core.types import Spec
from bridle.run.collect import acting, base_key


class Policy:
    """A trained policy, without its environment."""

    def __init__(self, algorithm: Algorithm, config: Any, spec: Spec, bounds: dict | None, actor: Any, facts: dict):
        self.algorithm, self.config, self.spec, self.actor, self.facts = algorithm, config, spec, actor, facts
        self._bounds = bounds
        self._seed = 0
        self.reset()

    @property
    def step(self) -> int:
        """Env steps after which this policy was saved."""
        return int(self.facts["step"])

    def reset(self) -> None:
        """Forget the episodes so far (policies with a memory)."""
        self._carry, self._acts, self._calls = {}, {}, 0

    def predict(self, obs: Any, sample: bool = False, fresh: Any = None) -> np.ndarray:
        """The action at one observation or at a batch [N ...], in the environment's own units.

        The policy's mean, or a sampled action. A policy with a memory goes on with the one of its last call with as many
        observations; `fresh` (bool [N]) tells it which of them begin an episode.
        """
        leaf, value = jax.tree.leaves(self.spec.obs)[0], jax.tree.leaves(obs)[0]
        single = np.ndim(value) == len(leaf.shape)
        obs = jax.tree.map(lambda leaf, x: self._read(leaf, x, single), self.spec.obs, obs)
        n = len(jax.tree.leaves(obs)[0])
        if (n, sample) not in self._acts:
            self._acts[n, sample] = acting(self.algorithm, n, sample)
        begun = n in self._carry
        fresh = np.full(n, not begun) if fresh is None else np.broadcast_to(np.asarray(fresh, np.bool_), n)
        carry = self._carry[n] if begun else self.algorithm.begin(n)
        key = base_key(self._seed, "acting")
        self._carry[n], action, _ = self._acts[n, sample](self.actor, carry, fresh, obs, key, np.uint32(self._calls))
        self._calls += 1
        action = self._native(np.asarray(action))
        return action[0] if single else action

    def _read(self, leaf, value, single: bool):
        value = np.asarray(value, leaf.dtype)
        value = value[None] if single else value
        if value.shape[1:] != leaf.shape:
            raise ValueError(f"obs has shape {value.shape[1:]}; allowed: {leaf.shape}, or a batch of these")
        return value

    def _native(self, action: np.ndarray) -> np.ndarray:
        if self._bounds is None:
            return action
        if "start" in self._bounds:
            return action + self._bounds["start"]
        low, high = (np.asarray(self._bounds[name], np.float64) for name in ("low", "high"))
        share = 0.5 * (np.clip(action, -1.0, 1.0).astype(np.float64) + 1.0).reshape(-1, *low.shape)
        return np.clip(low + share * (high - low), low, high).astype(self._bounds["dtype"])
