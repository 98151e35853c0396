"""The car: the MIT racecar at three times its size, on MuJoCo (`car.xml`); all copies in one `mujoco.rollout` call.

Action: throttle (negative is reverse) and steering. It starts with its back to where it should go, so progress means
reversing or turning round, as in Bullet-Safety-Gym.
"""

from __future__ import annotations

import os
from importlib import resources
from typing import NamedTuple

import numpy as np

from bridle.envs.bullet.table import Timing

WHEEL = 0.15
"""Radius, m."""
STEER = 0.5
"""Angle of the front wheels at full steering, rad; both turn by the same angle."""
SPAWN = 0.33
"""Height of the axles at the start, m. Bullet drops its car from 0.2 m, where it bounces and gains no speed before the
second step; this car does not bounce, so it falls for as long."""
NOISE = 0.1
"""Start angle of each wheel and hinge is uniform within this, rad."""
STEP = 0.02
"""Longest time step of MuJoCo, s; turning radii and speeds stay within 1 % from here down to 5 ms."""
INERTIA = 7.33
"""Mass of the car with the spin of its wheels, kg."""


class Drive(NamedTuple):
    """What the servos of both axles make of a car that drives straight on, in Bullet at one sub-step."""

    lag: float
    """Time constant of the speed, s."""
    full: float
    """Speed that the servo strives for at full throttle, m/s; slip keeps the car 3 to 5 % below."""


DRIVE = {
    1 / 40: Drive(1.70, 2.57),
    1 / 60: Drive(1.40, 2.92),
    1 / 120: Drive(1.15, 3.95),
    1 / 240: Drive(1.00, 4.80),
}
"""Drive by Bullet's sub-step: its gears are soft constraints, and the shorter the step, the nearer they come to the 6 m/s of
the unloaded wheels. 1/60 is fixed by the speeds at full throttle, 1/40 and 1/120 by distance and steps over 1.5 m/s
in a Run at full throttle, 1/240 is extrapolated and not measured."""
THROTTLE = ((0.0, 0.25, 0.5, 1.0), (0.0, 0.25, 0.58, 1.0))
"""Share of the full speed by throttle, from the speeds after 40 steps at a quarter, half and full throttle (1/60 s)."""
WIDEST = 10.0
"""Where actions are not clipped to 1, they are cut here, lest a stray action break the simulation."""

# Columns of a MuJoCo state (time, qpos, qvel): the free joint's pose comes first, then six hinges.
_X, _QUAT, _JOINTS, _V, _SPIN = 1, slice(4, 8), slice(8, 14), 14, slice(17, 20)


class Car:
    """N cars: what `world.py` asks of an agent."""

    obs_size = 7
    action_size = 2
    draws = 6

    def __init__(self, num_envs: int, timing: Timing, walls: bool, clips: bool):
        import mujoco
        from mujoco import rollout

        self._widest = 1.0 if clips else WIDEST
        self._substeps = max(1, round(timing.dt / STEP))
        self._model = load(timing, self._substeps, walls)
        # One state per copy and no warm start: a step depends on nothing but the state, whatever the threads do.
        self._size = mujoco.mj_stateSize(self._model, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        threads = min(_cores(), num_envs)
        self._data = [mujoco.MjData(self._model) for _ in range(threads)]
        self._rollout = rollout.Rollout(nthread=threads if threads > 1 else 0)
        self._state = np.zeros((num_envs, self._size))
        self.physics = f"MuJoCo {mujoco.__version__}, {self._substeps} x {1e3 * timing.dt / self._substeps:.3g} ms, fitted to PyBullet 3.2.7"

    @property
    def xy(self):
        return self._state[:, _X : _X + 2].T

    @property
    def velocity(self):
        return self._state[:, _V : _V + 2].T

    def begin(self, who: np.ndarray, xy: np.ndarray, yaw: np.ndarray, draw: np.ndarray) -> None:
        """Drop the copies `who` at `xy [2 n]`, backwards, and take the uncontrolled step that ends Bullet's reset."""
        half = 0.5 * (yaw + np.pi)
        state = np.zeros((len(who), self._size))
        state[:, _X : _X + 2] = xy.T
        state[:, _X + 2] = SPAWN
        state[:, _QUAT.start], state[:, _QUAT.stop - 1] = np.cos(half), np.sin(half)
        state[:, _JOINTS] = (2 * NOISE * draw - NOISE).T
        self._state[who] = self._advance(state, np.zeros((len(who), 4)))

    def move(self, action: np.ndarray) -> None:
        action = np.minimum(np.maximum(action, -self._widest), self._widest)
        control = np.empty((action.shape[1], 4))
        control[:, :2] = throttle(action[0])[:, None]
        control[:, 2:] = STEER * action[1][:, None]
        self._state = self._advance(self._state, control)

    def _advance(self, state: np.ndarray, control: np.ndarray) -> np.ndarray:
        n, steps = len(state), self._substeps
        path = np.empty((n, steps, self._size))
        control = np.repeat(control[:, None], steps, axis=1)
        nothing = np.empty((n, steps, 0))
        self._rollout.rollout(
            [self._model] * n, self._data, state, control, skip_checks=True, nstep=steps, state=path, sensordata=nothing
        )
        return path[:, -1].copy()

    def obs(self) -> list[np.ndarray]:
        """Rows [N]: 0.1 xy, velocity, sine and cosine of the yaw, 0.1 yaw rate; all of the chassis' centre of mass."""
        s = self._state.T
        w, x, y, z = s[_QUAT]
        ahead, aside = 1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z)
        flat = np.sqrt(ahead * ahead + aside * aside)
        roll_rate, pitch_rate, yaw_rate = s[_SPIN]
        rate = 2 * (x * z - w * y) * roll_rate + 2 * (y * z + w * x) * pitch_rate + (1 - 2 * (x * x + y * y)) * yaw_rate
        return [0.1 * s[_X], 0.1 * s[_X + 1], s[_V], s[_V + 1], aside / flat, ahead / flat, 0.1 * rate]

    def reward(self, action: np.ndarray) -> float:
        return 0.0

    def get_state(self) -> np.ndarray:
        """float64 [N, S], MuJoCo's full physics state of each copy."""
        return self._state.copy()

    def set_state(self, state: np.ndarray) -> None:
        self._state = np.array(state, np.float64)

    def close(self) -> None:
        if self._rollout is not None:
            self._rollout.close()
            self._rollout = None


def throttle(action: np.ndarray) -> np.ndarray:
    """Throttle [N] to the share of full speed (the control of the axles' servos); beyond 1 the last slope goes on."""
    size = np.abs(action)
    share = np.interp(size, *THROTTLE)
    slope = (THROTTLE[1][-1] - THROTTLE[1][-2]) / (THROTTLE[0][-1] - THROTTLE[0][-2])
    return np.copysign(share + slope * np.maximum(size - 1.0, 0.0), action)


def load(timing: Timing, substeps: int, walls: bool):
    """The model with its time step and drive; without walls their planes go far away."""
    import mujoco

    model = mujoco.MjModel.from_xml_string((resources.files("bridle.envs.bullet") / "car.xml").read_text())
    model.opt.timestep = timing.dt / substeps
    drive = DRIVE[timing.substep]
    # Two axles push the car's inertia: 2 gain / (inertia r2) = 1 / lag. Control 1 asks for the full speed.
    gain = 0.5 * INERTIA * WHEEL**2 / drive.lag
    for axle in ("rear", "front"):
        k = model.actuator(axle).id
        model.actuator_gainprm[k, 0] = gain * drive.full / WHEEL
        model.actuator_biasprm[k, 2] = -gain
    if not walls:
        for k in range(8):
            model.geom_pos[model.geom(f"wall{k}").id] *= 1e5
    return model


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
