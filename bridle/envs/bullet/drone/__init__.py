"""The drone: a quadrotor that starts on the ground and is lost when it tips over; `flight.py` and `ground.py` move it."""

from __future__ import annotations

import math

import numpy as np

from bridle.envs.bullet.drone.airframe import dot, rotation
from bridle.envs.bullet.drone.flight import HOVER, TURNS, begin, move
from bridle.envs.bullet.table import Timing


def obs(state):
    """Rows `[...]`: 0.1 position, 0.2 velocity, quaternion, 0.1 spin, 0.0025 of each rotor speed beside hovering."""
    rotors = [0.0025 * (n - s * HOVER) for n, s in zip(state[13:17], TURNS)]
    return [*(0.1 * state[:3]), *(0.2 * state[7:10]), *state[3:7], *(0.1 * state[10:13]), *rotors]


def lost(state):
    """Is roll or pitch beyond 90 degrees? With angles about x, y, z in turn, only roll can be."""
    return rotation(state[3:7])[2][2] < 0.0


def reward(state, xp):
    """1 while it flies and -10 where it is lost, less 0.01 spin^2, less 1 per link on the ground."""
    return xp.where(lost(state), -10.0, 1.0) - 0.01 * dot(state[10:13], state[10:13]) - state[21]


OUTLINE = tuple(
    (0.34 * math.cos(k * math.pi / 2) + 0.28 * math.cos(t), 0.34 * math.sin(k * math.pi / 2) + 0.28 * math.sin(t))
    for k in range(4)
    for t in (k * math.pi / 2 + math.pi / 8 * j for j in range(-5, 6))
)
"""The drone from above: four rotors in one line, m."""
_ROTOR = (
    '<geom type="cylinder" size=".045 .03" pos="{x} {y} -.01" rgba=".25 .28 .34 1"/>'
    '<geom type="cylinder" size=".28 .006" pos="{x} {y} .03" rgba="{rgba} .55"/>'
)
_PLACES = ((0.34, 0, ".95 .42 .16"), (0, -0.34, ".35 .40 .48"), (-0.34, 0, ".35 .40 .48"), (0, 0.34, ".35 .40 .48"))
LOOK = (
    '<body name="agent" pos="0 0 .17"><freejoint/>'
    '<geom type="box" size=".16 .16 .07" rgba=".16 .38 .86 1"/><geom type="box" size=".34 .025 .015" rgba=".2 .22 .27 1"/>'
    '<geom type="box" size=".025 .34 .015" rgba=".2 .22 .27 1"/><geom type="sphere" size=".05" pos=".16 0 .03" rgba="1 .77 .24 1"/>'
    '<geom type="box" size=".02 .2 .01" pos=".13 0 -.16" rgba=".2 .22 .27 1"/>'
    '<geom type="box" size=".02 .2 .01" pos="-.13 0 -.16" rgba=".2 .22 .27 1"/>'
    '<geom type="box" size=".01 .01 .05" pos=".13 0 -.11" rgba=".2 .22 .27 1"/>'
    '<geom type="box" size=".01 .01 .05" pos="-.13 0 -.11" rgba=".2 .22 .27 1"/>'
    + "".join(_ROTOR.format(x=x, y=y, rgba=rgba) for x, y, rgba in _PLACES)
    + "</body>"
)
"""The drone for pictures; the rotor in front is orange."""


class Drone:
    """N drones: what `world.py` asks of an agent, on NumPy."""

    obs_size = 17
    action_size = 4
    draws = 0
    look, outline = LOOK, OUTLINE
    physics = "closed form of a rigid body with four rotors, fitted to PyBullet 3.2.7"

    def __init__(self, num_envs: int, timing: Timing, walls: bool, clips: bool):
        self.timing, self.walls = timing, walls
        self.state = begin(np.zeros((2, num_envs)), np.zeros(num_envs), timing, np)

    @property
    def xy(self):
        return self.state[:2]

    @property
    def velocity(self):
        return self.state[7:9]

    @property
    def lost(self):
        return lost(self.state)

    def begin(self, who: np.ndarray, xy: np.ndarray, yaw: np.ndarray, draw: np.ndarray) -> None:
        """Put the copies `who` on the ground at `xy [2 n]`, rotors still, and take the uncontrolled step of a reset."""
        self.state[:, who] = begin(xy, yaw, self.timing, np)

    def move(self, action: np.ndarray) -> None:
        self.state = move(self.state, action, self.timing, self.walls, np)

    def obs(self) -> list[np.ndarray]:
        return obs(self.state)

    def reward(self, action: np.ndarray):
        return reward(self.state, np)

    def place(self, index: int) -> tuple[float, float, float]:
        """x, y in m and yaw in rad of one copy."""
        ahead = rotation(self.state[3:7, index])
        return *self.state[:2, index], math.atan2(ahead[1][0], ahead[0][0])

    def pose(self, index: int, memory: dict) -> np.ndarray:
        """Joint positions of `LOOK` for one copy."""
        return self.state[[0, 1, 2, 6, 3, 4, 5], index]

    def get_state(self) -> np.ndarray:
        """float64 [N, 22]."""
        return self.state.T.copy()

    def set_state(self, state: np.ndarray) -> None:
        self.state = np.array(state, np.float64).T.copy()

    def close(self) -> None:
        pass
