"""Gather experience: a policy acts in N copies of a world."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from bridle.core.algorithm import Algorithm
from bridle.core.types import Continuous, Outcome, Spec, Transition, World
from bridle.run.diverged import Diverged, first_bad_leaf, is_finite

STREAMS = {"acting": 1, "warmup": 2, "seeds": 3, "draws": 4, "updates": 5, "init": 6, "evaluation": 7}
"""Independent streams of random numbers that follow from one seed."""


def generator(seed: int, stream: str, *where: int) -> np.random.Generator:
    """A NumPy generator that depends on the seed, the stream and the place in the run alone."""
    return np.random.default_rng([seed, STREAMS[stream], *where])


def base_key(seed: int, stream: str):
    """The JAX key of a stream; the place in the run is folded in where it is used."""
    return jax.random.fold_in(jax.random.key(seed), STREAMS[stream])


def env_seeds(seed: int, stream: str, num_envs: int, *where: int) -> np.ndarray:
    """A seed for each copy, int64 [N]."""
    return generator(seed, stream, *where).integers(0, 2**31, num_envs)


def random_action(spec: Spec, rng: np.random.Generator) -> np.ndarray:
    """Uniform actions: float32 [N A] in [-1, 1] or int32 [N]."""
    if isinstance(spec.action, Continuous):
        return rng.uniform(-1.0, 1.0, (spec.num_envs, spec.action.size)).astype(np.float32)
    return rng.integers(0, spec.action.choices, spec.num_envs).astype(np.int32)


def told_cost(outcome: Outcome) -> np.ndarray:
    """The cost [N C]; one column of zeros where the world tells none."""
    return outcome.cost if outcome.cost.shape[1] else np.zeros((len(outcome.cost), 1), np.float32)


def told_kinds(outcome: Outcome, kinds: int) -> np.ndarray:
    """What each kind of cost came to, [N K]; zeros where the world tells none."""
    return np.zeros((len(outcome.cost), kinds), np.float32) if outcome.kinds is None else outcome.kinds


def acting(algorithm: Algorithm, num_envs: int, explore: bool):
    """The compiled act: (actor, carry, fresh [N], obs, key, place) -> carry, action, extras; `fresh` copies begin anew."""

    @jax.jit
    def act(actor, carry, fresh, obs, key, place):
        begin = algorithm.begin(num_envs)
        carry = jax.tree.map(
            lambda new, old: jnp.where(fresh.reshape(-1, *(1,) * (old.ndim - 1)), new, old), begin, carry
        )
        return algorithm.act(actor, carry, obs, jax.random.fold_in(key, place), explore)

    return act


class Collector:
    """A source of experience: N copies of a world, stepped by the policy (uniformly at random during warm-up)."""

    def __init__(self, world: World, algorithm: Algorithm, seed: int):
        self.world, self.spec, self.seed = world, world.spec, seed
        self.num_envs = self.spec.num_envs
        self.warmup = algorithm.warmup
        self._act = acting(algorithm, self.num_envs, True)
        self._key = base_key(seed, "acting")
        self._begin = partial(algorithm.begin, self.num_envs)
        self.restart(0)

    def restart(self, step: int) -> None:
        """Begin fresh episodes in every copy, with seeds that follow from the run's seed and the step."""
        self.obs = self.world.reset(env_seeds(self.seed, "seeds", self.num_envs, step))
        self.carry = self._begin()
        self.fresh = np.ones(self.num_envs, np.bool_)
        self.kinds = np.zeros((self.num_envs, len(self.spec.kinds)), np.float32)
        """What each kind of cost came to in the open episodes, [N K]; `finished` has those that ended in the last `gather`."""
        self.finished: list[np.ndarray] = []

    def gather(self, actor, step: int, rows: int) -> list[Transition]:
        """`rows` steps of every copy, from `step` env steps on."""
        self.finished = []
        return [self._step(actor, step + i * self.num_envs) for i in range(rows)]

    def _step(self, actor, step: int) -> Transition:
        self.carry, action, extras = self._act(actor, self.carry, self.fresh, self.obs, self._key, np.uint32(step))
        action = np.asarray(action)
        if step < self.warmup:
            action = random_action(self.spec, generator(self.seed, "warmup", step))
        if not is_finite(action):
            raise Diverged(None, step, "action", first_bad_leaf(actor))
        obs = self.obs
        outcome = self.world.step(action)
        ended = outcome.terminated | outcome.truncated
        self.obs, self.fresh = outcome.obs, ended | ~outcome.valid
        if self.spec.kinds:
            self.kinds += told_kinds(outcome, len(self.spec.kinds))
            self.finished += [self.kinds[i].copy() for i in np.flatnonzero(ended)]
            self.kinds[ended] = 0.0
        return Transition(
            obs=obs,
            action=action,
            reward=outcome.reward,
            cost=told_cost(outcome),
            next_obs=outcome.next_obs,
            terminated=outcome.terminated,
            truncated=outcome.truncated,
            valid=outcome.valid,
            extras={name: np.asarray(value) for name, value in extras.items()},
        )

    def example_extras(self, actor) -> dict[str, np.ndarray]:
        """What the policy notes beside an action, with shapes [N ...]."""
        act = partial(self._act, actor, self._begin(), self.fresh, self.obs, self._key, np.uint32(0))
        return {name: np.zeros(leaf.shape, leaf.dtype) for name, leaf in jax.eval_shape(act)[2].items()}

    def get_state(self) -> dict | None:
        """The open episodes as a pytree of arrays; None if the world cannot tell its own state."""
        world = self.world.get_state()
        if world is None:
            return None
        return {"world": world, "carry": self.carry, "fresh": self.fresh, "kinds": self.kinds.copy()}

    def set_state(self, state: dict) -> None:
        """Go on with the open episodes that `get_state` told."""
        self.obs = self.world.set_state(jax.tree.map(np.asarray, state["world"]))
        self.carry, self.fresh = state["carry"], np.asarray(state["fresh"])
        self.kinds = np.array(state["kinds"])
