"""The car: the MIT racecar at three times its size, on MuJoCo (`car.xml`); all copies in one `mujoco.rollout` call.

Action: throttle (negative is reverse) and steering. It starts with its back to where it should go, so progress means
reversing or turning round, as in Bullet-Safety-Gym.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridle.envs.bullet.models import copies, read
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


OUTLINE = ((0.52, 0.30), (0.52, -0.30), (-0.75, -0.30), (-0.75, 0.30))
"""The car from above, in its own frame, m."""
_TYRE = '<geom type="cylinder" size=".15 .0675" euler="90 0 0" rgba=".10 .11 .13 1"/>'
_RIM = '<geom type="cylinder" size=".085 .072" euler="90 0 0" rgba=".86 .88 .92 1"/>'
_SPOKE = '<geom type="box" size=".13 .074 .02" rgba=".55 .58 .64 1"/>'
LOOK = f"""
<body name="agent" pos="0 0 .2">
  <freejoint/>
  <geom type="box" size=".55 .24 .055" pos="-.10 0 .02" rgba=".16 .38 .86 1"/>
  <geom type="box" size=".16 .19 .05" pos=".37 0 .02" rgba=".20 .46 .96 1"/>
  <geom type="ellipsoid" size=".34 .20 .15" pos="-.16 0 .09" rgba=".12 .15 .22 1"/>
  <geom type="box" size=".46 .05 .005" pos="-.10 0 .24" rgba=".96 .97 1 1"/>
  <geom type="box" size=".06 .30 .012" pos="-.62 0 .22" rgba=".16 .38 .86 1"/>
  <geom type="box" size=".02 .02 .09" pos="-.62 .16 .13" rgba=".12 .15 .22 1"/>
  <geom type="box" size=".02 .02 .09" pos="-.62 -.16 .13" rgba=".12 .15 .22 1"/>
  <geom type="box" size=".02 .06 .025" pos=".53 .12 .04" rgba="1 .95 .72 1"/>
  <geom type="box" size=".02 .06 .025" pos=".53 -.12 .04" rgba="1 .95 .72 1"/>
  <geom type="box" size=".01 .06 .02" pos="-.655 .12 .04" rgba=".90 .16 .16 1"/>
  <geom type="box" size=".01 .06 .02" pos="-.655 -.12 .04" rgba=".90 .16 .16 1"/>
  <body pos="-.6 .367 0"><joint axis="0 1 0"/>{_TYRE}{_RIM}{_SPOKE}</body>
  <body pos="-.6 -.367 0"><joint axis="0 1 0"/>{_TYRE}{_RIM}{_SPOKE}</body>
  <body pos=".375 .3 0"><joint axis="0 0 1"/><geom type="box" size=".03 .03 .03" rgba=".12 .15 .22 1"/>
    <body pos="0 .067 0"><joint axis="0 1 0"/>{_TYRE}{_RIM}{_SPOKE}</body></body>
  <body pos=".375 -.3 0"><joint axis="0 0 1"/><geom type="box" size=".03 .03 .03" rgba=".12 .15 .22 1"/>
    <body pos="0 -.067 0"><joint axis="0 1 0"/>{_TYRE}{_RIM}{_SPOKE}</body></body>
</body>"""
"""The car for pictures; its joints are those of `car.xml`, in order."""


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
"""Drive by Bullet's sub-step: its gears are soft constraints, and the shorter the step, the nearer they come to the
6 m/s of the unloaded wheels. 1/60 is fixed by the speeds at full throttle, 1/40 and 1/120 by distance and by steps over
1.5 m/s in a Run at full throttle; 1/240 is extrapolated and not measured."""
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
    lost = None
    look, outline = LOOK, OUTLINE

    def __init__(self, num_envs: int, timing: Timing, walls: bool, clips: bool):
        self._widest = 1.0 if clips else WIDEST
        self._copies = copies(load(timing, walls), num_envs, timing, max(1, round(timing.dt / STEP)))
        self.physics = self._copies.physics
        self._state = np.zeros((num_envs, self._copies.size))

    @property
    def xy(self):
        return self._state[:, _X : _X + 2].T

    @property
    def velocity(self):
        return self._state[:, _V : _V + 2].T

    def begin(self, who: np.ndarray, xy: np.ndarray, yaw: np.ndarray, draw: np.ndarray) -> None:
        """Drop the copies `who` at `xy [2 n]`, backwards, and take the uncontrolled step that ends Bullet's reset."""
        half = 0.5 * (yaw + np.pi)
        state = np.zeros((len(who), self._copies.size))
        state[:, _X : _X + 2] = xy.T
        state[:, _X + 2] = SPAWN
        state[:, _QUAT.start], state[:, _QUAT.stop - 1] = np.cos(half), np.sin(half)
        state[:, _JOINTS] = (2 * NOISE * draw - NOISE).T
        self._state[who] = self._copies.advance(state, np.zeros((len(who), 4)))

    def move(self, action: np.ndarray) -> None:
        action = np.minimum(np.maximum(action, -self._widest), self._widest)
        control = np.empty((action.shape[1], 4))
        control[:, :2] = throttle(action[0])[:, None]
        control[:, 2:] = STEER * action[1][:, None]
        self._state = self._copies.advance(self._state, control)

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

    def place(self, index: int) -> tuple[float, float, float]:
        """x, y in m and yaw in rad of one copy."""
        w, x, y, z = self._state[index, _QUAT]
        return *self._state[index, _X : _X + 2], np.arctan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z))

    def pose(self, index: int, memory: dict) -> np.ndarray:
        """Joint positions of `LOOK` for one copy."""
        return self._state[index, _X : _JOINTS.stop]

    def get_state(self) -> np.ndarray:
        """float64 [N, S], MuJoCo's full physics state of each copy."""
        return self._state.copy()

    def set_state(self, state: np.ndarray) -> None:
        self._state = np.array(state, np.float64)

    def close(self) -> None:
        self._copies.close()


def throttle(action: np.ndarray) -> np.ndarray:
    """Throttle [N] to the share of full speed (the control of the axles' servos); beyond 1 the last slope goes on."""
    size = np.abs(action)
    share = np.interp(size, *THROTTLE)
    slope = (THROTTLE[1][-1] - THROTTLE[1][-2]) / (THROTTLE[0][-1] - THROTTLE[0][-2])
    return np.copysign(share + slope * np.maximum(size - 1.0, 0.0), action)


def load(timing: Timing, walls: bool):
    """The model with its drive; without walls their planes go far away."""
    model = read("car.xml")
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
