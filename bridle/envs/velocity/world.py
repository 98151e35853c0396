"""The batched world: N copies of one robot, in the shape that `core` names."""

from __future__ import annotations

import numpy as np

from bridle.core.types import Continuous, Leaf, Spec
from bridle.envs.draws import normals, uniforms
from bridle.envs.episodes import EpisodicWorld
from bridle.envs.velocity import rules
from bridle.envs.velocity.bodies import bodies, load
from bridle.envs.velocity.robots import ROBOTS, named


class VelocityWorld(EpisodicWorld):
    """A `core.types.World`; made by `bridle.envs.velocity.make`.

    Actions are cut to [-1, 1] and scaled to the range of each actuator.
    """

    def __init__(self, id: str, num_envs: int, horizon: int):
        self.robot = robot = ROBOTS[named(id)]
        self._model = model = load(robot)
        self._bodies = bodies(robot, model, num_envs)
        self._places, self._speeds = slice(1, 1 + model.nq), slice(1 + model.nq, 1 + model.nq + model.nv)
        self._middle, self._half = model.actuator_ctrlrange.mean(1), np.ptp(model.actuator_ctrlrange, 1) / 2
        self.dt = robot.repeat * model.opt.timestep
        self._physics = np.zeros((num_envs, self._bodies.size))
        self._told = self._bodies.begin(self._physics)
        self._velocity = np.zeros((num_envs, 2))
        self.spec = Spec(
            name=id,
            obs=Leaf((self._obs().shape[1],)),
            action=Continuous(model.nu),
            num_envs=num_envs,
            horizon=horizon,
            notes=(("dt", f"{self.dt:.4g} s"), ("physics", self._bodies.physics)),
            rules=rules.rules(robot),
        )
        self.reset(np.zeros(num_envs, np.int64))

    def advance(self, action: np.ndarray):
        """The same, but no copy begins anew: obs, reward, cost, terminated, truncated."""
        control = self._middle + self._half * np.clip(self._checked(action), -1.0, 1.0)
        before = self._told[:, :2]
        self._physics, self._told = self._bodies.advance(self._physics, control)
        self._velocity = velocity = (self._told[:, :2] - before) / self.dt
        self._step += 1
        robot, more = self.robot, self._told[:, 2:]
        well = rules.healthy(robot, self._physics[:, self._places], self._physics[:, self._speeds], np)
        reward = rules.reward(robot, velocity, control, well, more, np).astype(np.float32)
        cost = rules.cost(robot, velocity, np).astype(np.float32)[:, None]
        return self._obs(), reward, cost, ~well, self._ends()

    def _begin(self, who: np.ndarray) -> None:
        """At rest, but for noise."""
        self._velocity[who] = 0.0
        robot, model = self.robot, self._model
        draw = uniforms(self._seed[who], self._episode[who], model.nq + model.nv * (1 + robot.normal))
        even = 2.0 * draw - 1.0
        state = np.zeros((len(who), self._physics.shape[1]))
        state[:, self._places] = model.qpos0 + robot.noise * even[: model.nq].T
        if robot.normal:
            state[:, self._speeds] = robot.noise * normals(draw[model.nq :]).T
        else:
            state[:, self._speeds] = robot.noise * even[model.nq :].T
        self._physics[who] = state
        self._told[who] = self._bodies.begin(state)

    def _obs(self) -> np.ndarray:
        places, speeds = self._physics[:, self._places], self._physics[:, self._speeds]
        return rules.obs(self.robot, places, speeds, self._told[:, 2:], np).astype(np.float32)

    def _state(self) -> dict[str, np.ndarray]:
        """`told` is what the physics told with the state, of which no state can give back all (see `bodies`)."""
        return {"physics": self._physics, "told": self._told}

    def _resume(self, state: dict[str, np.ndarray]) -> None:
        self._physics, self._told = state["physics"], state["told"]
        self._velocity = np.zeros((len(self._told), 2))

    def _camera(self):
        from bridle.envs.velocity.render import Camera

        return Camera(self.robot)

    def _draw(self, index: int) -> np.ndarray:
        """The ball above the robot is red where the step costs."""
        costs = rules.cost(self.robot, self._velocity[index : index + 1], np)[0] > 0
        return self._view.draw(self._physics[index, self._places], bool(costs))

    def close(self) -> None:
        """Free threads and the renderer."""
        self._bodies.close()
        super().close()
