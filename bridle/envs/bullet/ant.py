"""The ant: Gym's four-legged walker at 182 kg, on MuJoCo (`ant.xml`); all copies in one `mujoco.rollout` call.

Action: the torques of eight hinges, hip and ankle of each leg, which run front left, front right, back left, back right.
An episode ends when the torso lies on the ground. Facts from Bullet-Safety-Gym.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bridle.envs.bullet.models import copies, read
from bridle.envs.bullet.table import Timing

SPAWN = 0.75
"""Height of the torso's centre at the start, m."""
FALLEN = 0.26
"""Height of the torso's centre at which the ant is lost, m; its radius is 0.25 m."""
NOISE = 0.1
"""Start angle of each hinge is uniform within this about its rest, rad."""
STEP = 1 / 120
"""Longest time step of MuJoCo, s: a whole fraction of every sub-step of Bullet."""
HIP, ANKLE = np.radians(40.0), np.radians([30.0, 100.0])
"""Hips turn by so much either way; ankles bend between these two, rad."""
FOOT, RADIUS = 0.4 * 2**0.5, 0.08
"""Length of a foot from ankle to tip and radius of all limbs, m."""
TOUCH = 0.009
"""Gap between foot and floor below which Bullet counts it as contact, m."""
DAMPING = 0.04
"""Bullet's damping of each body, 1/s and 1/m (1/rad); taken here of the ant as a whole, at its torso."""
INERTIA = 25.0
"""Moment of the whole ant about its torso, kg m2, roughly."""


class Give(NamedTuple):
    """How far a hinge's limits give way, and what slows it, in Bullet at one sub-step."""

    slack: float
    """Damping ratio of a limit: the larger, the slower a hinge that was pushed beyond comes back."""
    hold: float
    """Share of the motion beyond a limit that the limit stops within a step (MuJoCo's impedance)."""
    drag: float
    """Torque against a hinge by the square of its rate, N m s2/rad2."""
    landing: float
    """Time constant of contact, s."""


GIVE = {
    1 / 40: Give(4.0, 0.7, 0.8, 0.02),
    1 / 60: Give(6.0, 0.9, 0.4, 0.02),
    1 / 120: Give(1.0, 0.9, 1.5, 0.035),
    1 / 240: Give(1.0, 0.9, 1.5, 0.035),
}
"""Give by Bullet's sub-step. Its five solver iterations leave limits unmet, the more so the longer the step: at 1/60 s
ankles splay by 13 degrees beyond, and that is how most ants fall; with 50 iterations few do. 1/240 is that of 1/120."""

_SIGN = np.array([1.0, -1.0, -1.0, 1.0])
"""Ankles 2 and 3 bend towards negative angles."""
_MIDDLE = np.stack([np.zeros(4), _SIGN * ANKLE.mean()], 1).reshape(8, 1)
_HALF = np.tile([HIP, 0.5 * (ANKLE[1] - ANKLE[0])], 4).reshape(8, 1)
_REST = np.stack([np.zeros(4), _SIGN * np.pi / 2], 1).reshape(8, 1)
_YAW = np.radians([45.0, 135.0, 225.0, 315.0])
"""Where each leg points, in the torso's frame."""

# Columns of a MuJoCo state (time, qpos, qvel).
_POS, _QUAT, _JOINTS = slice(1, 4), slice(4, 8), slice(8, 16)
_V, _SPIN, _RATES = slice(16, 19), slice(19, 22), slice(22, 30)


def _look() -> str:
    """The ant for pictures; its joints are those of `ant.xml`, in order. The front has eyes and bright feet."""
    dark, light, bright = (f'rgba="{colour} 1"' for colour in (".30 .16 .10", ".62 .30 .14", ".95 .55 .16"))
    parts = [
        '<body name="agent" pos="0 0 .75"><freejoint/>',
        f'<geom type="sphere" size=".25" {dark}/><geom type="ellipsoid" size=".20 .19 .10" pos="-.02 0 .17" {light}/>',
        '<geom type="sphere" size=".05" pos=".21 .09 .13" rgba="1 .97 .92 1"/>',
        '<geom type="sphere" size=".05" pos=".21 -.09 .13" rgba="1 .97 .92 1"/>',
    ]
    for k, (x, y) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        reach, far, axis = f"{0.2 * x} {0.2 * y} 0", f"{0.4 * x} {0.4 * y} 0", f"{-1 if k in (0, 2) else 1} 1 0"
        parts.append(f"""
        <geom type="capsule" size=".08" fromto="0 0 0 {reach}" {dark}/>
        <body pos="{reach}"><joint axis="0 0 1"/><geom type="capsule" size=".08" fromto="0 0 0 {reach}" {light}/>
          <body pos="{reach}"><joint axis="{axis}"/>
            <geom type="capsule" size=".08" fromto="0 0 0 {far}" {bright if x > 0 else light}/>
          </body>
        </body>""")
    return "".join(parts) + "</body>"


def _outline() -> tuple:
    """The ant from above with its hinges at rest, in its own frame, m: a round body and four legs with feet hung down."""
    half = np.radians(18.0)
    return tuple(
        (radius * np.cos(angle), radius * np.sin(angle))
        for yaw in _YAW
        for radius, angle in (
            (0.27, yaw - 2.2 * half),
            (0.28, yaw - half),
            (0.64, yaw - 0.4 * half),
            (0.64, yaw + 0.4 * half),
            (0.28, yaw + half),
        )
    )


class Ant:
    """N ants: what `world.py` asks of an agent."""

    obs_size = 33
    action_size = 8
    draws = 8
    look, outline = _look(), _outline()

    def __init__(self, num_envs: int, timing: Timing, walls: bool, clips: bool):
        steps = timing.substeps * int(np.ceil(timing.substep / STEP - 1e-9))
        self._copies = copies(load(timing, walls), num_envs, timing, steps)
        self.physics = self._copies.physics
        self._state = np.zeros((num_envs, self._copies.size))

    @property
    def xy(self):
        return self._state[:, _POS][:, :2].T

    @property
    def velocity(self):
        return self._state[:, _V][:, :2].T

    @property
    def lost(self):
        return self._state[:, _POS.stop - 1] <= FALLEN

    def begin(self, who: np.ndarray, xy: np.ndarray, yaw: np.ndarray, draw: np.ndarray) -> None:
        """Drop the copies `who` at `xy [2 n]` and take the uncontrolled step that ends Bullet's reset."""
        state = np.zeros((len(who), self._copies.size))
        state[:, _POS] = np.stack([*xy, np.full(len(who), SPAWN)], 1)
        state[:, _QUAT.start], state[:, _QUAT.stop - 1] = np.cos(0.5 * yaw), np.sin(0.5 * yaw)
        state[:, _JOINTS] = (_REST + 2 * NOISE * draw - NOISE).T
        self._state[who] = self._copies.advance(state, np.zeros((len(who), 8)))

    def move(self, action: np.ndarray) -> None:
        self._state = self._copies.advance(self._state, np.ascontiguousarray(action.T))

    def obs(self) -> list[np.ndarray]:
        """Rows [N]: 0.1 position, 0.3 velocity, quaternion (x, y, z, w), 0.15 spin in the world's frame, of each hinge
        its place between its limits (-1, 1) and 0.1 of its rate, and which feet touch the floor."""
        s = self._state.T
        w, x, y, z = s[_QUAT]
        pairs = np.stack([self._bend(), 0.1 * s[_RATES]], 1).reshape(16, -1)
        spin = 0.15 * turned(s[_QUAT], s[_SPIN])
        return [*(0.1 * s[_POS]), *(0.3 * s[_V]), x, y, z, w, *spin, *pairs, *touching(s)]

    def reward(self, action: np.ndarray) -> np.ndarray:
        """1 for standing, -1 for having fallen, less the price of power, of torque and of hinges at their limits."""
        power = 2.0 * np.abs(0.1 * action * self._state[:, _RATES].T).mean(0)
        stuck = (np.abs(self._bend()) > 0.99).sum(0)
        return np.where(self.lost, -1.0, 1.0) - power - 0.1 * (action * action).mean(0) - 0.1 * stuck

    def _bend(self) -> np.ndarray:
        """Where each hinge is between its limits, [8 N] in [-1, 1]."""
        return (self._state[:, _JOINTS].T - _MIDDLE) / _HALF

    def place(self, index: int) -> tuple[float, float, float]:
        """x, y in m and yaw in rad of one copy."""
        w, x, y, z = self._state[index, _QUAT]
        return *self._state[index, 1:3], np.arctan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z))

    def pose(self, index: int, memory: dict) -> np.ndarray:
        """Joint positions of `look` for one copy."""
        return self._state[index, _POS.start : _JOINTS.stop]

    def get_state(self) -> np.ndarray:
        """float64 [N, 30], MuJoCo's full physics state of each copy."""
        return self._state.copy()

    def set_state(self, state: np.ndarray) -> None:
        self._state = np.array(state, np.float64)

    def close(self) -> None:
        self._copies.close()


def turned(quat: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Vectors `[3 ...]` of the body's frame in the world's, by quaternions `[4 ...]` (w, x, y, z)."""
    w, axis = quat[0], quat[1:]
    twice = 2.0 * np.cross(axis, vector, axis=0)
    return vector + w * twice + np.cross(axis, twice, axis=0)


def touching(s: np.ndarray) -> np.ndarray:
    """Which feet touch the floor at knee or tip, 0.0 or 1.0 [4 N], from states `[S N]`."""
    w, x, y, z = s[_QUAT]
    # Heights in the torso's frame: the third row of its rotation.
    tilt_x, tilt_y, upright = 2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)
    yaw = _YAW[:, None] + s[_JOINTS][::2]
    bend = _SIGN[:, None] * s[_JOINTS][1::2]
    hip = 0.2 * 2**0.5 * (tilt_x * np.cos(_YAW)[:, None] + tilt_y * np.sin(_YAW)[:, None])
    along = tilt_x * np.cos(yaw) + tilt_y * np.sin(yaw)
    knee = s[_POS.stop - 1] + hip + 0.2 * 2**0.5 * along
    tip = knee + FOOT * (np.cos(bend) * along - np.sin(bend) * upright)
    return (np.minimum(knee, tip) - RADIUS < TOUCH).astype(float)


def load(timing: Timing, walls: bool):
    """The model, fitted to Bullet's sub-step; without walls nothing touches them."""
    model = read("ant.xml")
    give = GIVE[timing.substep]
    model.jnt_solref[1:, 1] = give.slack
    model.jnt_solimp[1:, :2] = give.hold
    model.geom_solref[:, 0] = give.landing
    model.dof_dampingpoly[6:, 0] = give.drag
    whole = DAMPING * np.repeat([model.body_mass.sum(), INERTIA], 3)
    model.dof_damping[:6] = model.dof_dampingpoly[:6, 0] = whole
    if not walls:
        for k in range(8):
            model.geom_contype[model.geom(f"wall{k}").id] = 0
    return model
