"""The batched world: N copies of one agent on one task, in the shape that `core` names.

An agent (`ball.py`, `car.py`, `drone/`, `ant.py`) is physics, start, obs and its own reward; a goal (`circle.py`, `run.py`) is
reward, cost and obs as pure functions. They meet here and know nothing of each other.
"""

from __future__ import annotations

import importlib
from typing import Protocol

import numpy as np

from bridle.core.types import Continuous, Leaf, Outcome, Spec
from bridle.envs.bullet import table
from bridle.envs.draws import uniforms


class Agent(Protocol):
    """What an agent gives for N copies at once; arrays are component first, `[2 N]`."""

    obs_size: int
    action_size: int
    draws: int
    """Random numbers that one start needs."""
    physics: str
    """One line for `Spec.notes`."""
    look: str
    """MJCF of one body, for pictures."""
    outline: tuple
    """The agent from above: a polygon in its own frame, m."""
    xy: np.ndarray
    velocity: np.ndarray
    lost: np.ndarray | None
    """Whose episode has ended in an accident, bool [N]; None for an agent that cannot be lost."""

    def begin(self, who, xy, yaw, draw) -> None: ...
    def move(self, action) -> None: ...
    def obs(self) -> list[np.ndarray]: ...
    def reward(self, action) -> np.ndarray | float: ...
    def place(self, index) -> tuple[float, float, float]: ...
    def pose(self, index, memory) -> np.ndarray: ...
    def get_state(self) -> np.ndarray: ...
    def set_state(self, state) -> None: ...
    def close(self) -> None: ...


class BulletWorld:
    """A `core.types.World`; made by `bridle.envs.bullet.make`."""

    def __init__(self, id: str, num_envs: int, dialect: str, horizon: int | None):
        row = table.row(id, dialect)
        module, name = table.AGENTS[row.agent].split(":")
        self._goal = importlib.import_module(table.GOALS[row.goal])
        self._agent: Agent = getattr(importlib.import_module(module), name)(
            num_envs, row.timing, self._goal.WALLS, row.clips
        )
        self._name = row.agent
        self._horizon = row.horizon if horizon is None else horizon
        self._view = None
        self._never, self._always = _constant(np.zeros(num_envs, bool)), _constant(np.ones(num_envs, bool))
        self.row = row
        self.spec = Spec(
            name=id,
            obs=Leaf((self._agent.obs_size + self._goal.SIZE,)),
            action=Continuous(self._agent.action_size),
            num_envs=num_envs,
            horizon=self._horizon,
            notes=(("dialect", dialect), ("dt", f"{row.timing.dt:.4g} s"), ("physics", self._agent.physics)),
        )
        self.reset(np.zeros(num_envs, np.int64))

    def reset(self, seeds: np.ndarray) -> np.ndarray:
        """Begin episode 0 of every copy from its own seed (int64 [N]); the first obs, float32 [N O]."""
        seeds = np.asarray(seeds, np.int64)
        if seeds.shape != (self.spec.num_envs,):
            raise ValueError(f"seeds have shape {seeds.shape}; one is needed for each copy: ({self.spec.num_envs},)")
        self._seed = seeds.copy()
        self._episode = np.full(len(seeds), -1, np.int64)
        self._step = np.zeros(len(seeds), np.int64)
        self._before = np.zeros((2, len(seeds)))
        self._begin(np.arange(len(seeds)))
        return self._obs()

    def step(self, action: np.ndarray) -> Outcome:
        """One env step of every copy under `action`, float [N A]; a copy that is lost or at its horizon begins anew."""
        obs, reward, cost, terminated, truncated = self.advance(action)
        next_obs, ended = obs, terminated | truncated
        if ended.any():
            self._begin(np.flatnonzero(ended))
            obs = self._obs()
        return Outcome(next_obs, obs, reward, cost, terminated, truncated, self._always)

    def advance(self, action: np.ndarray):
        """The same, but no copy begins anew: obs, reward, cost, terminated, truncated."""
        action = np.asarray(action, np.float64)
        if action.shape != (self.spec.num_envs, self.spec.action.size):
            raise ValueError(f"action has shape {action.shape}; needed: {(self.spec.num_envs, self.spec.action.size)}")
        action = action.T
        agent, goal = self._agent, self._goal
        agent.move(action)
        xy, velocity = agent.xy, agent.velocity
        reward = goal.reward(self._before, xy, velocity, agent.reward(action), np).astype(np.float32)
        cost = goal.cost(self._name, xy, velocity, np).astype(np.float32)[:, None]
        self._before = xy
        self._step += 1
        lost = self._never if agent.lost is None else agent.lost
        return self._obs(), reward, cost, lost, self._step >= self._horizon

    def _begin(self, who: np.ndarray) -> None:
        """Start the next episode of the copies `who`."""
        self._episode[who] += 1
        self._step[who] = 0
        draw = uniforms(self._seed[who], self._episode[who], self._goal.DRAWS + self._agent.draws)
        xy, yaw = self._goal.start(draw[: self._goal.DRAWS], np)
        # Progress counts from the start pose, before the uncontrolled step of `begin` (as in Bullet-Safety-Gym).
        self._before = self._before.copy()
        self._before[:, who] = xy
        self._agent.begin(who, xy, yaw, draw[self._goal.DRAWS :])

    def _obs(self) -> np.ndarray:
        rows = self._agent.obs() + self._goal.obs(self._agent.xy, np)
        return np.array(rows, np.float32).T.copy()

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that the next steps depend on; each array has one row per copy."""
        return {
            "seed": self._seed.copy(),
            "episode": self._episode.copy(),
            "step": self._step.copy(),
            "before": self._before.T.copy(),
            "physics": self._agent.get_state(),
        }

    def set_state(self, state: dict[str, np.ndarray]) -> np.ndarray:
        """Go back to what `get_state` told; the obs there, float32 [N O]."""
        self._seed, self._episode, self._step = (np.array(state[k], np.int64) for k in ("seed", "episode", "step"))
        self._before = np.array(state["before"], np.float64).T.copy()
        self._agent.set_state(state["physics"])
        return self._obs()

    def restart(self, who: np.ndarray) -> np.ndarray:
        """Begin the next episode of the copies `who` (int [n]) now; the obs of all copies."""
        self._begin(np.asarray(who))
        return self._obs()

    def render(self, index: int = 0) -> np.ndarray:
        """Copy `index` as a picture, uint8 [480 640 3]."""
        if not 0 <= index < self.spec.num_envs:
            raise ValueError(f"index = {index}; copies are numbered 0 to {self.spec.num_envs - 1}")
        if self._view is None:
            from bridle.envs.bullet.render import view

            self._view = view(self._agent, self._goal)
        return self._view.draw(index, (int(self._episode[index]), int(self._step[index])))

    def close(self) -> None:
        """Free threads and the renderer."""
        self._agent.close()
        if self._view is not None:
            self._view.close()
            self._view = None


def _constant(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
