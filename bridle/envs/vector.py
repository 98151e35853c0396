"""Worlds out of Gymnasium vector environments, whatever they do where an episode ends; and copies in worker processes."""

from __future__ import annotations

import gymnasium
import numpy as np

from bridle.core.types import Outcome, Spec
from bridle.envs.adapter import (
    Actions,
    check_seeds,
    episode_seed,
    finite,
    hint,
    leaves_of,
    map_tree,
    names_of,
    pick,
    picture,
    read,
)


class Vectorised:
    """A `VectorEnv` as a `World`, in each of the three autoreset modes of its metadata.

    NEXT_STEP: the step after an end is a dummy, `valid` False. SAME_STEP: the last observation and cost come out of
    `final_obs` (or `final_observation`) and `final_info`. DISABLED: we reset, each copy with a seed of its episode.
    Without a mode in its metadata it is taken for SAME_STEP if `final_obs` appears at the first end, else NEXT_STEP.
    """

    def __init__(self, envs, name: str, told: bool = True, spec: Spec | None = None):
        self.envs, self.name, self.told, self.num_envs = envs, name, told, envs.num_envs
        self.actions = Actions(envs.single_action_space, name)
        self.leaves = leaves_of(envs.single_observation_space, name)
        mode = envs.metadata.get("autoreset_mode")
        self.mode = mode and str(getattr(mode, "value", mode)).replace("_", "").lower()
        if self.mode not in (None, "nextstep", "samestep", "disabled"):
            raise ValueError(f"environment {name!r}: autoreset_mode = {mode!r}; allowed: NextStep, SameStep, Disabled")
        self.seeds, self.one_by_one = None, True
        self.costs = len(spec.constraints) if spec else None if told else 0
        self.hint = ""
        self.spec = spec or self._probe()

    def reset(self, seeds):
        """Begin episode 0 of every copy; an environment that takes but one seed gets that of copy 0."""
        self.seeds = check_seeds(seeds, self.num_envs)
        self.episode, self.elapsed = np.zeros(self.num_envs, np.int64), np.zeros(self.num_envs, np.int64)
        self.dummy, self.action = np.zeros(self.num_envs, bool), None
        found = self._guard("reset", lambda: self._reset([int(seed) for seed in self.seeds]))
        return read(self.leaves, found[0], self.where, self.num_envs)

    def native(self, action):
        """Actions as the environment gets them."""
        return self.actions.native(action, self.num_envs)

    def step(self, action) -> Outcome:
        """One step of every copy."""
        if self.seeds is None:
            raise ValueError(f"environment {self.name!r}: step before reset")
        self.action = self.native(action)
        self.elapsed = np.where(self.dummy, 0, self.elapsed + 1)
        found = self._guard("step", lambda: self.envs.step(self.action))
        if not isinstance(found, tuple) or len(found) not in (5, 6):
            raise ValueError(f"{self.where()}: step gave no five (or, with the cost after the reward, six) values")
        obs, reward, *cost, terminated, truncated, infos = found
        obs = read(self.leaves, obs, self.where, self.num_envs)
        valid = ~self.dummy
        terminated, truncated = np.asarray(terminated, bool) & valid, np.asarray(truncated, bool) & valid
        ended = terminated | truncated
        reward = np.where(valid, self._numbers("reward", reward), np.float32(0.0))
        finals = self._finals(infos)
        cost = self._cost(
            cost[0] if cost else None, infos, ended if finals is not None else np.zeros_like(ended), valid
        )
        if self.mode is None and ended.any():
            self.mode = "nextstep" if finals is None else "samestep"
        next_obs, obs = self._turn(obs, ended, finals)
        self.dummy = ended & (self.mode == "nextstep")
        return Outcome(next_obs, obs, reward, cost, terminated, truncated, valid)

    def get_state(self):
        """None: a vector environment does not tell its state."""

    def set_state(self, state):
        """Always an error, since no state is ever told."""
        raise ValueError(f"environment {self.name!r} cannot go back to a state; reset it instead")

    def render(self, index: int = 0):
        """Copy `index` as a picture."""

        def draw():
            frames = self.envs.render()
            return None if frames is None else frames[index]

        return picture(self.name, draw)

    def close(self):
        """Close the environment and its workers."""
        self.envs.close()

    def where(self, copy=None) -> str:
        """The copy and moment, in words."""
        if self.seeds is None or copy is None:
            return f"environment {self.name!r}"
        return (
            f"environment {self.name!r}, copy {copy}, step {self.elapsed[copy]} of episode {self.episode[copy]} "
            f"with seed {self.seeds[copy]}"
        )

    def _probe(self) -> Spec:
        self.spec = Spec(self.name, self.leaves, self.actions.kind, self.num_envs)
        self.reset(np.arange(self.num_envs))
        kind = self.actions.kind
        still = (self.num_envs, kind.size) if hasattr(kind, "size") else (self.num_envs,)
        self.step(np.zeros(still, np.float32 if len(still) > 1 else np.int64))
        self.seeds = None
        horizon = getattr(getattr(self.envs, "spec", None), "max_episode_steps", None)
        notes = (("cost", self.hint),) if self.hint and self.told and not self.costs else ()
        names = names_of(self.costs) if self.costs else ()
        return Spec(self.name, self.leaves, self.actions.kind, self.num_envs, horizon, names, notes)

    def _reset(self, seeds, mask=None):
        options = {} if mask is None else {"options": {"reset_mask": mask}}
        if self.one_by_one:
            try:
                return self.envs.reset(seed=seeds, **options)
            except (TypeError, ValueError, gymnasium.error.Error):
                if mask is not None:
                    raise
                self.one_by_one = False
        return self.envs.reset(**({"seed": seeds[0]} if mask is None else {}), **options)

    def _turn(self, obs, ended, finals):
        """The true successor, and where the next action is chosen."""
        self.episode += ended
        if not ended.any() or self.mode == "nextstep":
            return obs, obs
        if self.mode == "disabled":
            seeds = [episode_seed(*both) for both in zip(self.seeds, self.episode, strict=True)]
            begun = self._guard("reset", lambda: self._reset(seeds, ended.copy()))[0]
            self.elapsed[ended] = 0
            return obs, pick(ended, read(self.leaves, begun, self.where, self.num_envs), obs)
        if finals is None:
            raise ValueError(
                f"{self.where(int(ended.argmax()))}: the episode ended with no final_obs in infos (SAME_STEP)"
            )
        last = _rows(obs, finals, ended, lambda value, i: read(self.leaves, value, lambda _: self.where(i)))
        self.elapsed[ended] = 0
        return last, obs

    def _finals(self, infos):
        if self.mode in ("nextstep", "disabled"):
            return None
        return infos.get("final_obs", infos.get("final_observation"))

    def _cost(self, cost, infos, final, valid):
        """The cost [N C] of the step; of copies in `final` (SAME_STEP) it lies in `final_info`."""
        if not self.told:
            return np.zeros((self.num_envs, 0), np.float32)
        rows = [None] * self.num_envs
        for i in np.flatnonzero(valid):
            rows[i] = cost[i] if cost is not None else _of(infos.get("final_info"), i) if final[i] else None
            if rows[i] is None and cost is None:
                rows[i] = _of(infos, i)
        have = np.array([row is not None for row in rows])
        if self.costs is None:
            self.costs = int(np.size(rows[int(have.argmax())])) if have.any() else 0
            self.hint = hint(key for key in infos if not key.startswith("_"))
        bad = valid & (have != (self.costs > 0))
        if bad.any():
            told = (
                "no cost, though the first steps had one" if self.costs else "a cost, though the first steps had none"
            )
            raise ValueError(f"{self.where(int(bad.argmax()))}: {told}. {hint(infos)}".rstrip(". "))
        table = [np.ravel(row) if has else np.zeros(self.costs) for row, has in zip(rows, have, strict=True)]
        if any(len(row) != self.costs for row in table):
            raise ValueError(f"{self.where()}: cost {rows}; allowed: {self.costs} number(s) a copy")
        table = np.array(table, np.float32).reshape(self.num_envs, self.costs)
        finite(table, self.where, self.num_envs, "cost")
        return table

    def _numbers(self, what, value):
        array = np.asarray(value, np.float32)
        if array.shape != (self.num_envs,):
            raise ValueError(f"{self.where()}: {what} has shape {array.shape}; allowed: ({self.num_envs},)")
        finite(np.where(self.dummy, 0.0, array), self.where, self.num_envs, what)
        return array

    def _guard(self, what, call):
        try:
            return call()
        except Exception as error:
            if str(error).startswith("environment "):
                raise
            action = None if self.action is None else self.action.tolist()
            raise RuntimeError(
                f"environment {self.name!r}, seeds {self.seeds.tolist()}, steps {self.elapsed.tolist()} of their episodes, "
                f"last actions {action}: {what} raised {type(error).__name__}: {error}"
            ) from error


def processes(factories, spec: Spec) -> Vectorised:
    """One worker process a copy, spawned; each episode starts from the same seed as it does in one process."""
    from gymnasium.vector import AsyncVectorEnv

    try:
        from gymnasium.vector import AutoresetMode
    except ImportError as error:
        raise ValueError(
            "workers=process needs gymnasium >= 1.1, whose vector environments can reset one copy"
        ) from error
    envs = AsyncVectorEnv(factories, context="spawn", autoreset_mode=AutoresetMode.DISABLED)
    return Vectorised(envs, spec.name, bool(spec.constraints), spec)


def _of(infos, i: int):
    """What `infos` (a dict of arrays with masks, or an array of dicts) says of the cost of copy i; None if nothing."""
    if infos is None:
        return None
    if not isinstance(infos, dict):
        return (infos[i] or {}).get("cost")
    mask = infos.get("_cost")
    if "cost" not in infos or (mask is not None and not mask[i]):
        return None
    return infos["cost"][i]


def _rows(obs, finals, ended, one):
    """`obs` with the rows where `ended` taken from `finals`: an array of observations, or a tree of arrays [N ...]."""
    last = map_tree(np.copy, obs)
    for i in np.flatnonzero(ended):
        single = isinstance(finals, np.ndarray) and finals.dtype == object or isinstance(finals, list)
        value = finals[i] if single else map_tree(lambda leaf: leaf[i], finals)  # noqa: B023
        map_tree(lambda into, leaf: into.__setitem__(i, leaf), last, one(value, i))  # noqa: B023
    return last
