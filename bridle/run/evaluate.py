"""Evaluation: whole episodes on worlds and seeds of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from bridle.core.algorithm import Algorithm
from bridle.core.names import by_constraint
from bridle.core.types import World
from bridle.run.collect import acting, base_key, env_seeds, told_cost, told_kinds

LONGEST = 100_000
"""Env steps after which an episode of an evaluation is taken to have no end."""


class Evaluation(NamedTuple):
    """What F episodes earned and cost."""

    returns: np.ndarray
    """[F], undiscounted."""
    cost: np.ndarray
    """[F C], undiscounted."""
    length: np.ndarray
    """[F], env steps."""
    kinds: Mapping[str, np.ndarray] = MappingProxyType({})
    """What each kind of cost came to, [F], where the world tells them apart."""

    def feasible(self, limit) -> bool:
        """Does the mean cost of these episodes meet every limit?"""
        return bool(np.all(self.cost.mean(0) <= np.asarray(limit)))

    def metrics(self, limit) -> dict[str, float]:
        """As `eval/...`: means, the spread of returns, and whether the limit is met."""
        costs = self.cost.mean(0)
        return {
            "eval/return": float(self.returns.mean()),
            "eval/return_std": float(self.returns.std()),
            **by_constraint("eval/cost", costs.astype(float).tolist()),
            **{f"eval/cost_{name}": float(told.mean()) for name, told in self.kinds.items()},
            "eval/length": float(self.length.mean()),
            "eval/feasible": float(self.feasible(limit)),
        }


class Evaluator:
    """Plays episodes with an actor; compiled once."""

    def __init__(self, world: World, algorithm: Algorithm, seed: int, sample: bool | None = None):
        """`sample`: draw actions instead of taking the mean; by default what the algorithm says of itself."""
        self.world, self.seed = world, seed
        self.sampled = algorithm.sampled if sample is None else sample
        self._begin = algorithm.begin
        self._act = acting(algorithm, world.spec.num_envs, self.sampled)
        self._key = base_key(seed, "evaluation")

    def play(self, actor, episodes: int, place: int = 0, watch: Callable[[], None] | None = None) -> Evaluation:
        """`episodes` whole episodes; `place` (such as the env step) gives them seeds of their own.

        Each copy plays its share of the episodes, so that short ones are not counted too often. `watch` is called after
        the first observation and after each step of the first episode of copy 0.
        """
        n = self.world.spec.num_envs
        obs = self.world.reset(env_seeds(self.seed, "evaluation", n, place))
        carry, fresh = self._begin(n), np.ones(n, np.bool_)
        constraints, names = max(1, len(self.world.spec.constraints)), self.world.spec.kinds
        sums = np.zeros((n, 2 + constraints + len(names)))
        left = np.full(n, episodes // n) + (np.arange(n) < episodes % n)
        finished: list[np.ndarray] = []
        watching, tick = watch is not None, 0
        if watching:
            watch()
        while left.any():
            where = np.uint32((place * 1_000_003 + tick) % 2**32)
            carry, action, _ = self._act(actor, carry, fresh, obs, self._key, where)
            outcome = self.world.step(np.asarray(action))
            kinds = told_kinds(outcome, len(names))
            sums += outcome.valid[:, None] * np.column_stack([outcome.reward, np.ones(n), told_cost(outcome), kinds])
            ended = outcome.valid & (outcome.terminated | outcome.truncated)
            if watching:
                watching = not ended[0]
                if watching:
                    watch()
            for i in np.flatnonzero(ended & (left > 0)):
                finished.append(sums[i].copy())
                left[i] -= 1
            sums[ended] = 0
            if sums[:, 1].max() > LONGEST:
                raise ValueError(
                    f"an episode of {self.world.spec.name} has lasted {LONGEST:,} steps without an end; give it one: "
                    "--horizon T, or gymnasium.wrappers.TimeLimit"
                )
            obs, fresh, tick = outcome.obs, ended | ~outcome.valid, tick + 1
        table = np.array(finished)
        cost, kinds = np.split(table[:, 2:], [constraints], 1)
        return Evaluation(table[:, 0], cost, table[:, 1].astype(int), dict(zip(names, kinds.T, strict=True)))
