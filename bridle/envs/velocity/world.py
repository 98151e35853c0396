"""The batched world: N copies of one robot, in the shape that `core` names."""

from __future__ import annotations

import numpy as np

from bridle.core.types import Continuous, Leaf, Outcome, Spec
from bridle.envs.draws import uniforms
from bridle.envs.velocity import rules
from bridle.envs.velocity.bodies import Rolled, Told, load
from bridle.envs.velocity.robots import ROBOTS, named


class VelocityWorld:
    """A `core.types.World`; made by `bridle.envs.velocity.make`.

    Actions are cut to [-1, 1] and scaled to the range of each actuator.
    """

    def __init__(self, id: str, num_envs: int, horizon: int):
        self.robot = robot = ROBOTS[named(id)]
        self._model = model = load(robot)
        self._physics = (Told if robot.place else Rolled)(robot, model, num_envs)
        self._places, self._speeds = slice(1, 1 + model.nq), slice(1 + model.nq, 1 + model.nq + model.nv)
        self._middle, self._half = model.actuator_ctrlrange.mean(1), np.ptp(model.actuator_ctrlrange, 1) / 2
        self.dt = robot.repeat * model.opt.timestep
        self._horizon, self._view = horizon, None
        self._always = np.ones(num_envs, bool)
        self._always.flags.writeable = False
        self._state = np.zeros((num_envs, self._physics.size))
        self._told = self._physics.begin(self._state)
        self._seed = np.zeros(num_envs, np.int64)
        self.spec = Spec(
            name=id,
            obs=Leaf((self._obs().shape[1],)),
            action=Continuous(model.nu),
            num_envs=num_envs,
            horizon=horizon,
            notes=(("dt", f"{self.dt:.4g} s"), ("physics", self._physics.physics)),
        )
        self.reset(self._seed)

    def reset(self, seeds: np.ndarray) -> np.ndarray:
        """Begin episode 0 of every copy from its own seed (int64 [N]); the first obs, float32 [N O]."""
        seeds = np.asarray(seeds, np.int64)
        if seeds.shape != (self.spec.num_envs,):
            raise ValueError(f"seeds have shape {seeds.shape}; one is needed for each copy: ({self.spec.num_envs},)")
        self._seed = seeds.copy()
        self._episode = np.full(len(seeds), -1, np.int64)
        self._step = np.zeros(len(seeds), np.int64)
        self._velocity = np.zeros((len(seeds), 2))
        return self.restart(np.arange(len(seeds)))

    def step(self, action: np.ndarray) -> Outcome:
        """One env step of every copy under `action`, float [N A]; a copy at its end begins anew."""
        obs, reward, cost, terminated, truncated = self.advance(action)
        next_obs, ended = obs, terminated | truncated
        if ended.any():
            who = np.flatnonzero(ended)
            self._begin(who)
            obs = obs.copy()
            obs[who] = self._obs(who)
        return Outcome(next_obs, obs, reward, cost, terminated, truncated, self._always)

    def advance(self, action: np.ndarray):
        """The same, but no copy begins anew: obs, reward, cost, terminated, truncated."""
        action = np.asarray(action, np.float64)
        if action.shape != (self.spec.num_envs, self.spec.action.size):
            raise ValueError(f"action has shape {action.shape}; needed: {(self.spec.num_envs, self.spec.action.size)}")
        control = self._middle + self._half * np.clip(action, -1.0, 1.0)
        before = self._told[:, :2]
        self._state, self._told = self._physics.advance(self._state, control)
        self._velocity = velocity = (self._told[:, :2] - before) / self.dt
        self._step += 1
        robot, more = self.robot, self._told[:, 2:]
        well = rules.healthy(robot, self._state[:, self._places], self._state[:, self._speeds], np)
        reward = rules.reward(robot, velocity, control, well, more, np).astype(np.float32)
        cost = rules.cost(robot, velocity, np).astype(np.float32)[:, None]
        return self._obs(), reward, cost, ~well, self._step >= self._horizon

    def restart(self, who: np.ndarray) -> np.ndarray:
        """Begin the next episode of the copies `who` (int [n]) now; the obs of all copies."""
        self._begin(np.asarray(who))
        return self._obs()

    def _begin(self, who: np.ndarray) -> None:
        """Start the next episode of the copies `who`: at rest, but for noise."""
        self._episode[who] += 1
        self._step[who] = 0
        self._velocity[who] = 0.0
        robot, model = self.robot, self._model
        draw = uniforms(self._seed[who], self._episode[who], model.nq + model.nv * (1 + robot.normal))
        even = 2.0 * draw - 1.0
        state = np.zeros((len(who), self._state.shape[1]))
        state[:, self._places] = model.qpos0 + robot.noise * even[: model.nq].T
        if robot.normal:
            u, angle = np.split(draw[model.nq :], 2)
            # Box and Muller (1958); 1 - u is never 0.
            state[:, self._speeds] = robot.noise * (np.sqrt(-2.0 * np.log(1.0 - u)) * np.cos(2.0 * np.pi * angle)).T
        else:
            state[:, self._speeds] = robot.noise * even[model.nq :].T
        self._state[who] = state
        self._told[who] = self._physics.begin(state)

    def _obs(self, who=slice(None)) -> np.ndarray:
        state = self._state[who]
        places, speeds = state[:, self._places], state[:, self._speeds]
        return rules.obs(self.robot, places, speeds, self._told[who, 2:], np).astype(np.float32)

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that the next steps depend on; each array has one row per copy.

        `told` is what the physics told with the state, of which no state can give back all (see `bodies`).
        """
        return {
            "seed": self._seed.copy(),
            "episode": self._episode.copy(),
            "step": self._step.copy(),
            "physics": self._state.copy(),
            "told": self._told.copy(),
        }

    def set_state(self, state: dict[str, np.ndarray]) -> np.ndarray:
        """Go back to what `get_state` told; the obs there, float32 [N O]."""
        self._seed, self._episode, self._step = (np.array(state[k], np.int64) for k in ("seed", "episode", "step"))
        self._state, self._told = (np.array(state[k], np.float64) for k in ("physics", "told"))
        self._velocity = np.zeros((len(self._state), 2))
        return self._obs()

    def render(self, index: int = 0) -> np.ndarray:
        """Copy `index` as a picture, uint8 [480 640 3]; the ball above the robot is red where the step costs."""
        if not 0 <= index < self.spec.num_envs:
            raise ValueError(f"index = {index}; copies are numbered 0 to {self.spec.num_envs - 1}")
        if self._view is None:
            from bridle.envs.velocity.render import Camera

            self._view = Camera(self.robot)
        costs = rules.cost(self.robot, self._velocity[index : index + 1], np)[0] > 0
        return self._view.draw(self._state[index, self._places], bool(costs))

    def close(self) -> None:
        """Free threads and the renderer."""
        self._physics.close()
        if self._view is not None:
            self._view.close()
            self._view = None
