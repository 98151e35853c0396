"""The batched world: N copies of one agent on one task, in the shape that `core` names.

An agent (`ball.py`, `car.py`, `drone/`, `ant.py`) is physics, start, obs and its own reward; a goal (`circle.py`, `run.py`) is
reward, cost and obs as pure functions. They meet here and know nothing of each other.
"""

from __future__ import annotations

import importlib
from typing import Protocol

import numpy as np

from bridle.core.types import Continuous, Leaf, Spec
from bridle.envs.bullet import table
from bridle.envs.draws import uniforms
from bridle.envs.episodes import EpisodicWorld


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


class BulletWorld(EpisodicWorld):
    """A `core.types.World`; made by `bridle.envs.bullet.make`."""

    def __init__(self, id: str, num_envs: int, dialect: str, horizon: int | None):
        row = table.row(id, dialect)
        module, name = table.AGENTS[row.agent].split(":")
        self._goal = importlib.import_module(table.GOALS[row.goal])
        self._agent: Agent = getattr(importlib.import_module(module), name)(
            num_envs, row.timing, self._goal.WALLS, row.clips
        )
        self._name = row.agent
        self._before = np.zeros((2, num_envs))
        self._never = np.zeros(num_envs, bool)
        self._never.flags.writeable = False
        self.row = row
        self.spec = Spec(
            name=id,
            obs=Leaf((self._agent.obs_size + self._goal.SIZE,)),
            action=Continuous(self._agent.action_size),
            num_envs=num_envs,
            horizon=row.horizon if horizon is None else horizon,
            notes=(("dialect", dialect), ("dt", f"{row.timing.dt:.4g} s"), ("physics", self._agent.physics)),
        )
        self.reset(np.zeros(num_envs, np.int64))

    def advance(self, action: np.ndarray):
        """The same, but no copy begins anew: obs, reward, cost, terminated, truncated."""
        action = self._checked(action).T
        agent, goal = self._agent, self._goal
        agent.move(action)
        xy, velocity = agent.xy, agent.velocity
        reward = goal.reward(self._before, xy, velocity, agent.reward(action), np).astype(np.float32)
        cost = goal.cost(self._name, xy, velocity, np).astype(np.float32)[:, None]
        self._before = xy
        self._step += 1
        lost = self._never if agent.lost is None else agent.lost
        return self._obs(), reward, cost, lost, self._ends()

    def _begin(self, who: np.ndarray) -> None:
        draw = uniforms(self._seed[who], self._episode[who], self._goal.DRAWS + self._agent.draws)
        xy, yaw = self._goal.start(draw[: self._goal.DRAWS], np)
        # Progress counts from the start pose, before the uncontrolled step of `begin` (as in Bullet-Safety-Gym).
        self._before = self._before.copy()
        self._before[:, who] = xy
        self._agent.begin(who, xy, yaw, draw[self._goal.DRAWS :])

    def _obs(self) -> np.ndarray:
        rows = self._agent.obs() + self._goal.obs(self._agent.xy, np)
        return np.array(rows, np.float32).T.copy()

    def _state(self) -> dict[str, np.ndarray]:
        return {"before": self._before.T, "physics": self._agent.get_state()}

    def _resume(self, state: dict[str, np.ndarray]) -> None:
        self._before = state["before"].T.copy()
        self._agent.set_state(state["physics"])

    def _camera(self):
        from bridle.envs.bullet.render import view

        return view(self._agent, self._goal)

    def _draw(self, index: int) -> np.ndarray:
        return self._view.draw(index, (int(self._episode[index]), int(self._step[index])))

    def close(self) -> None:
        """Free threads and the renderer."""
        self._agent.close()
        super().close()
