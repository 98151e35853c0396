"""Worlds out of Gymnasium environments that are stepped one by one, in this process."""

from __future__ import annotations

import functools
from dataclasses import replace

import gymnasium
import numpy as np
from gymnasium.vector import VectorEnv

from bridle import envs as door
from bridle.core.types import Outcome, Spec
from bridle.envs.adapter import (
    Actions,
    check_seeds,
    episode_seed,
    finite,
    hint,
    leaves_of,
    names_of,
    pack,
    picture,
    read,
    stack,
    unpack,
)
from bridle.envs.asked import factory, kind_of

PROBE_STEPS = 10
"""Random steps after which an environment that told no cost is taken to tell none."""
KIND = "cost_"
"""How the names of kinds of cost begin in an info."""
NUMBERS = (bool, int, float, np.bool_, np.number)
STATELESS = ("OrderEnforcing", "PassiveEnvChecker", "TimeLimit", "RescaleAction", "ClipAction", "FlattenObservation",
             "RescaleObservation", "ReshapeObservation", "DtypeObservation", "FilterObservation", "ClipReward")  # fmt: skip
"""Gymnasium's wrappers whose state is nothing but elapsed steps."""


def make(
    env,
    num_envs: int,
    told: bool = True,
    workers: str | None = None,
    time_limit: int | None = None,
    exact: bool = True,
    repeat: int = 1,
    **args,
):
    """A world from whatever a user may call an environment; see `bridle.envs.make`. Without `told`, costs are ignored."""
    from bridle.envs.vector import Vectorised, processes

    if workers not in (None, "process"):
        raise ValueError(f"workers = {workers!r}; allowed: process, or nothing for one process")
    name, one = factory(env, num_envs, args)
    first = one()
    name = name or kind_of(first)
    if isinstance(getattr(first, "spec", None), Spec):
        return door.repeated(_fitting(first, first.spec.num_envs, name, num_envs, exact), repeat)
    if isinstance(first, VectorEnv):
        if repeat > 1:
            raise ValueError(
                f"environment {name!r} is a VectorEnv, which takes no action_repeat: wrap what it is made of"
            )
        return Vectorised(_fitting(first, first.num_envs, name, num_envs, exact), name, told)
    if not isinstance(first, gymnasium.Env):
        raise ValueError(
            f"environment {name!r} is a {type(first).__module__}.{type(first).__name__}; allowed: gymnasium.Env, "
            f"gymnasium.vector.VectorEnv, or a callable that returns one"
        )
    given = first is env
    if given and (num_envs > 1 or workers):
        raise ValueError(
            f"environment {name!r} is one object and num_envs = {num_envs}: pass a callable that makes it, "
            f"such as lambda: {type(env.unwrapped).__name__}(...), or num_envs=1 and no workers"
        )
    time_limit = None if time_limit is None else time_limit * repeat
    spec, actions = probe(Copy(limited(first, time_limit), name, 0, told, None, repeat), num_envs)
    costs = len(spec.constraints)
    if given:
        return Copies([Copy(limited(first, time_limit), name, 0, told, costs, repeat)], spec, actions)
    first.close()
    made = [functools.partial(_copy, one, name, i, told, costs, time_limit, repeat) for i in range(num_envs)]
    if workers:
        return processes(made, replace(spec, kinds=()))  # vector environments tell no kinds
    copies = [one() for one in made]
    if len({id(first.unwrapped), *(id(copy.unwrapped) for copy in copies)}) <= num_envs:
        raise ValueError(f"environment {name!r} returned the same object twice; it has to make a new one at each call")
    return Copies(copies, spec, actions)


def probe(copy: Copy, num_envs: int) -> tuple[Spec, Actions]:
    """What a copy says of itself, and in its first random steps of its cost. The copy is to be reset afterwards."""
    obs, actions = leaves_of(copy.observation_space, copy.name), Actions(copy.action_space, copy.name)
    copy.action_space.seed(0)
    copy.reset(seed=0)
    for _ in range(PROBE_STEPS):
        _, _, terminated, truncated, _ = copy.step(copy.action_space.sample())
        if terminated or truncated:
            copy.reset()
    kinds = tuple(sorted(copy.kinds)) if copy.costs else ()
    notes = (("cost", copy.hint),) if copy.hint and copy.told and not copy.costs else ()
    horizon = _horizon(copy.env)
    horizon = None if horizon is None else -(-horizon // copy.repeat)
    constraints = names_of(copy.costs) if copy.costs else ()
    spec = Spec(copy.name, obs, actions.kind, num_envs, horizon, constraints, notes, kinds)
    return spec, actions


class Copy(gymnasium.Wrapper):
    """One copy: its cost in info["cost"] as float32 [C] and nothing else there; what goes wrong, said in full.

    `costs`: how many it tells, None if that is to be found out. Without `told`, they are ignored. `repeat`: how many of its
    steps one action lasts.
    """

    def __init__(self, env, name: str, index: int, told: bool = True, costs: int | None = None, repeat: int = 1):
        super().__init__(env)
        self.name, self.index, self.told, self.repeat = name, index, told, repeat
        self.costs = costs if told else 0
        self.leaves = leaves_of(env.observation_space, name)
        self.seed, self.elapsed, self.action, self.hint = None, 0, None, ""
        self.kinds: dict[str, float] = {}
        """What info["cost_NAME"] of the last step told, by NAME; a kind that was told once stays, at 0."""

    def reset(self, *, seed=None, options=None):
        """Begin an episode."""
        self.seed, self.elapsed, self.action = seed, 0, None
        found = self._guard("reset", lambda: self.env.reset(seed=seed, options=options))
        if not isinstance(found, tuple) or len(found) != 2:
            raise ValueError(
                f"{self.where()}: reset gave {type(found).__name__}; allowed: (obs, info), as since Gym 0.26"
            )
        return read(self.leaves, found[0], self.where), {}

    def step(self, action):
        """One step, or as many as one action lasts: five values, whether the environment gives five or six."""
        obs, reward, terminated, truncated, info = self._once(action)
        kinds = self.kinds
        for _ in range(self.repeat - 1):
            if terminated or truncated:
                break
            obs, more, terminated, truncated, told = self._once(action)
            reward, info = reward + more, {"cost": info["cost"] + told["cost"]}
            kinds = {name: kinds.get(name, 0.0) + value for name, value in self.kinds.items()}
        self.kinds = kinds
        return obs, reward, terminated, truncated, info

    def _once(self, action):
        self.elapsed, self.action = self.elapsed + 1, action
        found = self._guard("step", lambda: self.env.step(action))
        if not isinstance(found, tuple) or len(found) not in (5, 6):
            raise ValueError(
                f"{self.where()}: step gave {len(found) if isinstance(found, tuple) else type(found).__name__} values; "
                f"allowed: (obs, reward, terminated, truncated, info), or six with the cost after the reward"
            )
        obs, reward, *cost, terminated, truncated, info = found
        if not isinstance(info, dict):
            raise ValueError(f"{self.where()}: info is {info!r}; allowed: a dict")
        obs = read(self.leaves, obs, self.where)
        reward = float(self._numbers("reward", reward, 1)[0])
        cost = self._cost(cost[0] if cost else info.get("cost"), info)
        told = {key.removeprefix(KIND): info[key] for key in info if str(key).startswith(KIND)}
        self.kinds = dict.fromkeys(self.kinds, 0.0) | {k: float(v) for k, v in told.items() if isinstance(v, NUMBERS)}
        return obs, reward, bool(terminated), bool(truncated), {"cost": cost}

    def where(self, _=None) -> str:
        """This copy and moment, in words."""
        return f"environment {self.name!r}, copy {self.index}, step {self.elapsed} of an episode with seed {self.seed}"

    def _guard(self, what, call):
        try:
            return call()
        except Exception as error:
            raise RuntimeError(
                f"{self.where()}, last action {np.asarray(self.action).tolist()}: {what} raised {type(error).__name__}: {error}"
            ) from error

    def _cost(self, cost, info):
        if not self.told:
            return np.zeros(0, np.float32)
        if cost is None:
            if self.costs:
                raise ValueError(f"{self.where()}: no cost, though earlier steps had one. {hint(info)}".rstrip(". "))
            self.costs, self.hint = 0, hint(info)
            return np.zeros(0, np.float32)
        if self.costs == 0:
            raise ValueError(f"{self.where()}: a cost, though the first steps had none; tell it at every step, also 0")
        cost = self._numbers("cost", cost, self.costs)
        self.costs = len(cost)
        return cost

    def _numbers(self, what, value, size):
        try:
            array = np.atleast_1d(np.asarray(value))
            array = array.astype(np.float32) if array.dtype.kind in "fiub" else np.zeros(0)
        except ValueError:
            array = np.zeros(0)
        if array.ndim != 1 or not array.size or (size is not None and array.size != size):
            raise ValueError(f"{self.where()}: {what} is {value!r}; allowed: {size or 'one or more'} number(s)")
        finite(array, self.where, None, what)
        return array


class Copies:
    """N copies stepped in turn (a `World`): episode k of a copy starts from a hash of its seed and k."""

    def __init__(self, copies: list[Copy], spec: Spec, actions: Actions):
        self.copies, self.spec, self.actions = copies, spec, actions
        self.seeds, self.episode, self.obs = None, None, None

    def reset(self, seeds):
        """Begin episode 0 of every copy from its own seed."""
        self.seeds = check_seeds(seeds, len(self.copies))
        self.episode = np.zeros(len(self.copies), np.int64)
        self.obs = [self._begin(i) for i in range(len(self.copies))]
        return stack(self.obs)

    def native(self, action):
        """Actions as the environment gets them."""
        return self.actions.native(action, len(self.copies))

    def step(self, action) -> Outcome:
        """One step of every copy; one whose episode ends begins the next."""
        if self.obs is None:
            raise ValueError(f"environment {self.spec.name!r}: step before reset")
        obs, reward, terminated, truncated, infos = zip(*map(Copy.step, self.copies, self.native(action)), strict=True)
        terminated, truncated = np.array(terminated), np.array(truncated)
        next_obs = stack(list(obs))
        self.obs = list(obs)
        for i in np.flatnonzero(terminated | truncated):
            self.episode[i] += 1
            self.obs[i] = self._begin(i)
        now = stack(self.obs) if (terminated | truncated).any() else next_obs
        cost, valid = np.stack([info["cost"] for info in infos]), np.ones_like(terminated)
        kinds = [[copy.kinds.get(kind, 0.0) for kind in self.spec.kinds] for copy in self.copies]
        told = np.array(kinds, np.float32) if self.spec.kinds else None
        return Outcome(next_obs, now, np.array(reward, np.float32), cost, terminated, truncated, valid, told)

    def get_state(self):
        """What the copies tell by their own `get_state`, with clocks and random numbers; None if they cannot."""
        if self.obs is None or not all(_tells(copy.env) for copy in self.copies):
            return None
        copies = [
            {"env": _state(copy.env), "elapsed": copy.elapsed, "obs": self.obs[i]} for i, copy in enumerate(self.copies)
        ]
        return pack({"seeds": self.seeds, "episode": self.episode, "copies": copies})

    def set_state(self, state):
        """Go back to what `get_state` told."""
        state = unpack(state)
        if len(state["copies"]) != len(self.copies):
            raise ValueError(f"state of {len(state['copies'])} copies; this world has {len(self.copies)}")
        self.seeds, self.episode = state["seeds"], state["episode"]
        self.obs = [one["obs"] for one in state["copies"]]
        for i, (copy, one) in enumerate(zip(self.copies, state["copies"], strict=True)):
            self._begin(i)
            _restore(copy.env, one["env"])
            copy.elapsed = one["elapsed"]
        return stack(self.obs)

    def render(self, index: int = 0):
        """Copy `index` as a picture."""
        return picture(self.spec.name, self.copies[index].env.render)

    def close(self):
        """Close every copy."""
        for copy in self.copies:
            copy.close()

    def _begin(self, i):
        return self.copies[i].reset(seed=episode_seed(self.seeds[i], self.episode[i]))[0]


def limited(env: gymnasium.Env, steps: int | None) -> gymnasium.Env:
    """`env`, truncated after `steps` where it says of no end of its own."""
    return env if steps is None or _horizon(env) is not None else gymnasium.wrappers.TimeLimit(env, steps)


def _copy(factory, name, index, told, costs, time_limit, repeat):
    return Copy(limited(factory(), time_limit), name, index, told, costs, repeat)


def _fitting(world, copies, name, num_envs, exact):
    if exact and copies != num_envs:
        raise ValueError(f"environment {name!r} has {copies} copies and num_envs = {num_envs}: pass num_envs={copies}")
    return world


def _chain(env):
    """`env` and all that it wraps, the outermost first."""
    found = [env]
    while isinstance(found[-1], gymnasium.Wrapper):
        found.append(found[-1].env)
    return found


def _horizon(env) -> int | None:
    limits = [getattr(one, "_max_episode_steps", None) for one in _chain(env)]
    limits.append(getattr(getattr(env, "spec", None), "max_episode_steps", None))
    return min((int(limit) for limit in limits if limit), default=None)


def _teller(env):
    """How many wrappers lie outside of the outermost layer that has `get_state` and `set_state`; None if none has."""
    for depth, one in enumerate(_chain(env)):
        if callable(getattr(one, "get_state", None)) and callable(getattr(one, "set_state", None)):
            return depth
        if type(one).__name__ not in STATELESS or not type(one).__module__.startswith("gymnasium."):
            return None
    return None


def _tells(env) -> bool:
    return _teller(env) is not None


def _state(env) -> dict:
    chain = _chain(env)
    random = getattr(env.unwrapped, "_np_random", None)
    return {
        "env": chain[_teller(env)].get_state(),
        "elapsed": [getattr(one, "_elapsed_steps", None) for one in chain],
        "random": None if random is None else random.bit_generator.state,
    }


def _restore(env, state: dict) -> None:
    chain = _chain(env)
    chain[_teller(env)].set_state(state["env"])
    for one, elapsed in zip(chain, state["elapsed"], strict=True):
        if elapsed is not None:
            one._elapsed_steps = elapsed
    if state["random"] is not None:
        env.unwrapped.np_random.bit_generator.state = state["random"]
