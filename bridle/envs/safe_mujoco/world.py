"""The batched world: N copies of one robot and its obstacle or walls, in the shape that `core` names."""

from __future__ import annotations

import numpy as np

from bridle.core.types import Continuous, Leaf, Spec
from bridle.envs.draws import normals, uniforms
from bridle.envs.episodes import EpisodicWorld
from bridle.envs.safe_mujoco import bodies
from bridle.envs.safe_mujoco.course import middle
from bridle.envs.safe_mujoco.rules import PUBLISHED, RULES, near_wall
from bridle.envs.safe_mujoco.scene import load
from bridle.envs.safe_mujoco.tasks import ROBOTS, named


class SafeWorld(EpisodicWorld):
    """A `core.types.World`; made by `bridle.envs.safe_mujoco.make`.

    Actions are cut to [-1, 1] and scaled to the range of each actuator. Cost and termination are those of `rules`, of the
    float32 obs that the agent sees, so that imagination by the same rules agrees with it.

    HopperSafe is what its original was meant to be, and is not: there the code looks for the hopper's root behind three slides
    of the board, and the model gives the board a free joint. Here the board is led along its course and is solid; its size
    (.2 x 2 x 1 m) is ours.
    """

    def __init__(self, id: str, num_envs: int, horizon: int, walls: str | None, rules: str):
        self.task = task = ROBOTS[named(id)]
        self._rules, self._walls = RULES[named(id)], walls
        self._model = model = load(task, walls)
        self._bodies = bodies.KINDS[named(id)](task, model, num_envs)
        self.dt = task.repeat * model.opt.timestep
        ranges = model.actuator_ctrlrange[: task.size[1]]
        self._middle, self._half = ranges.mean(1), np.ptp(ranges, 1) / 2
        self._physics = np.zeros((num_envs, self._bodies.size))
        self._physics[:, 1 : 1 + model.nq] = model.qpos0
        self._place, self._costs = np.zeros(num_envs), np.zeros(num_envs, bool)
        notes = (("dt", f"{self.dt:.4g} s"), ("physics", self._bodies.physics))
        self.spec = Spec(
            name=id,
            obs=Leaf((task.size[0],)),
            action=Continuous(task.size[1]),
            num_envs=num_envs,
            horizon=horizon,
            notes=notes if walls is None else (*notes, ("walls", walls)),
            rules=(PUBLISHED if rules == "published" else RULES)[named(id)],
        )
        self.reset(np.zeros(num_envs, np.int64))

    def advance(self, action: np.ndarray):
        """The same, but no copy begins anew: obs, reward, cost, terminated, truncated."""
        action = np.clip(self._checked(action), -1.0, 1.0)
        control, seen, before = self._middle + self._half * action, self._seen, self._place
        self._physics, self._place, forces = self._bodies.advance(self._physics, control)
        self._step += 1
        obs = self._obs()
        reward = self._reward(self._place - before, control, forces).astype(np.float32)
        terminated = self._rules.terminated(seen, action, obs) | self._bodies.lost(self._physics)
        cost = self._cost(seen, action, obs, terminated).astype(np.float32)
        self._costs = cost[:, 0] > 0
        return obs, reward, cost, terminated, self._ends()

    def _reward(self, moved, control, forces):
        """[N], of `moved` m along x; `forces` [N M] are those of contact, or None where they are free."""
        task = self.task
        earned = task.forward * moved / self.dt - task.control * (control * control).sum(1) + task.alive
        if forces is None:
            return earned
        felt = np.clip(forces, -task.strongest, task.strongest)
        return earned - np.minimum(task.contact * (felt * felt).sum(1), task.dearest)

    def _cost(self, seen, action, obs, terminated):
        """[N 1]; the humanoid's corridor is that where its centre of mass is."""
        if self._rules.cost is not None:
            return self._rules.cost(seen, action, obs)
        return (terminated | near_wall(self._physics[:, 2] - middle(self._place)))[:, None] * 1.0

    def _begin(self, who: np.ndarray) -> None:
        """At rest, but for noise; walls stand where they stand."""
        task, model = self.task, self._model
        own = self._bodies.own
        draw = uniforms(self._seed[who], self._episode[who], own[0] + own[1] * (1 + task.normal))
        places, speeds = 2.0 * draw[: own[0]] - 1.0, draw[own[0] :]
        state = np.zeros((len(who), self._physics.shape[1]))
        state[:, 1 : 1 + model.nq] = model.qpos0
        state[:, 1 : 1 + own[0]] += task.noise * places.T
        first = 1 + model.nq
        state[:, first : first + own[1]] = task.noise * (normals(speeds) if task.normal else 2.0 * speeds - 1.0).T
        self._physics[who] = state
        self._place[who] = self._bodies.begin(state)
        self._costs[who] = False

    def _obs(self) -> np.ndarray:
        self._seen = self._bodies.obs(self._physics).astype(np.float32)
        return self._seen

    def _state(self) -> dict[str, np.ndarray]:
        """`place` is where along x the next step counts from, which no state tells of the humanoid."""
        return {"physics": self._physics, "place": self._place}

    def _resume(self, state: dict[str, np.ndarray]) -> None:
        self._physics, self._place = state["physics"], state["place"]
        self._costs = np.zeros(len(self._place), bool)

    def _camera(self):
        from bridle.envs.safe_mujoco.render import Camera

        return Camera(self._model)

    def _draw(self, index: int) -> np.ndarray:
        """The ball above the robot is red where the step costs."""
        return self._view.draw(self._physics[index], bool(self._costs[index]))

    def close(self) -> None:
        """Free threads and the renderer."""
        self._bodies.close()
        super().close()
