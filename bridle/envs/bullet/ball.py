"""The ball: a sphere pushed by a force in the plane, in closed form.

Sphere of 0.5 m and 0.3 kg that rolls without slipping; the force is 3.5 N per unit of action. In PyBullet 3.2.7 its
speed follows

    dv/dt = F / (1.4 m) - 0.35 v/|v| - 0.04 v - 0.0514 v |v|

within 3 %: rolling friction, and Bullet's own damping of each body. The pure functions take a state
`[4 ...]` = (x, y, vx, vy) in m and m/s, and run on NumPy and JAX arrays alike through `xp`.
"""

from __future__ import annotations

import math

import numpy as np

from bridle.envs.bullet.table import Timing

RADIUS = 0.5
MASS = 0.3
PUSH = 3.5 / (1.4 * MASS)
"""Acceleration at full action, m/s2; 1.4 m is the inertia of a rolling sphere."""
GAIN = {1 / 40: 1.07}
"""Factor of the push by sub-step: with 1/40 s (CVPO's Run) the ball gains speed faster in Bullet than it should."""
ROLLING = 0.35
"""Deceleration by rolling friction, m/s2, from the coasting ball; Bullet's rule gives 0.024 g / r / 1.4 = 0.336."""
LINEAR, SQUARE = 0.04, 0.0514
"""Bullet's damping of motion and spin together, 1/s and 1/m."""

WALL = 12.0 - 0.1 - RADIUS
"""Distance of the centre from the origin at which the ball touches a wall of the octagon, m."""


def clip(action, xp):
    """Action within [-1, 1]."""
    return xp.minimum(xp.maximum(action, -1.0), 1.0)


def move(state, action, timing: Timing, walls: bool, xp):
    """State `[4 ...]` one env step later under `action [2 ...]`; the force is held over all sub-steps."""
    xy, v = state[:2], state[2:]
    h = timing.substep
    push = (PUSH * h * GAIN.get(h, 1.0)) * clip(action, xp)
    path = 0.0
    for _ in range(timing.substeps):
        v = v + push
        speed = xp.hypot(v[0], v[1]) + 1e-12
        # What friction and damping leave of the speed; never less than nothing, so that a slow ball rests.
        v = v * xp.maximum((1.0 - h * LINEAR) - (h * ROLLING) / speed - (h * SQUARE) * speed, 0.0)
        path = path + v
    xy = xy + h * path
    return hold(xy, v, xp) if walls else xp.concatenate([xy, v])


def hold(xy, v, xp):
    """State of a ball that may have run into a wall: it is put back and loses its speed towards the wall."""
    if xp is np and np.abs(xy).max() < WALL * math.cos(math.pi / 4):
        return np.concatenate([xy, v])
    for k in range(4):
        normal = xp.asarray([math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)])
        along = normal[0] * xy[0] + normal[1] * xy[1]
        towards = normal[0] * v[0] + normal[1] * v[1]
        inside = xp.minimum(xp.maximum(along, -WALL), WALL)
        lost = xp.where(along > WALL, xp.maximum(towards, 0.0), xp.where(along < -WALL, xp.minimum(towards, 0.0), 0.0))
        shape = (2,) + (1,) * lost.ndim
        xy = xy + normal.reshape(shape) * (inside - along)
        v = v - normal.reshape(shape) * lost
    return xp.concatenate([xy, v])


def obs(state, xp):
    """Rows `[...]`: 0.1 xy, 0.2 velocity, 0.1 spin about x, y, z; the spin is that of rolling, w = (-vy, vx, 0) / r."""
    x, y, vx, vy = state
    vx, vy = 0.2 * vx, 0.2 * vy
    return [0.1 * x, 0.1 * y, vx, vy, -vy, vx, xp.zeros_like(vx)]


def reward(action, xp):
    """The price of force: -0.5 |a|."""
    ax, ay = clip(action, xp)
    return -0.5 * xp.hypot(ax, ay)


OUTLINE = tuple((RADIUS * math.cos(k * math.pi / 16), RADIUS * math.sin(k * math.pi / 16)) for k in range(32))
"""The ball from above, m."""
_PATCHES = ("0 0 .36", "0 0 -.36", ".36 0 0", "-.36 0 0", "0 .36 0", "0 -.36 0")
LOOK = (
    '<body name="agent" pos="0 0 .5"><freejoint/><geom type="sphere" size=".5" rgba=".95 .42 .16 1"/>'
    + "".join(f'<geom type="sphere" size=".17" pos="{pos}" rgba="1 .97 .92 1"/>' for pos in _PATCHES)
    + "</body>"
)
"""The ball for pictures; its patches show that it rolls."""


class Ball:
    """N balls: what `world.py` asks of an agent, on NumPy."""

    obs_size = 7
    action_size = 2
    draws = 0
    lost = None
    look, outline = LOOK, OUTLINE
    physics = "closed form of a rolling sphere, fitted to PyBullet 3.2.7"

    def __init__(self, num_envs: int, timing: Timing, walls: bool, clips: bool):
        self.timing, self.walls = timing, walls
        self.state = np.zeros((4, num_envs))

    @property
    def xy(self):
        return self.state[:2]

    @property
    def velocity(self):
        return self.state[2:]

    def begin(self, who: np.ndarray, xy: np.ndarray, yaw: np.ndarray, draw: np.ndarray) -> None:
        """Put the copies `who` at rest at `xy [2 n]`; the uncontrolled step of Bullet's reset leaves them at rest."""
        self.state[:2, who] = xy
        self.state[2:, who] = 0.0

    def move(self, action: np.ndarray) -> None:
        self.state = move(self.state, action, self.timing, self.walls, np)

    def obs(self) -> list[np.ndarray]:
        return obs(self.state, np)

    def reward(self, action: np.ndarray):
        return reward(action, np)

    def place(self, index: int) -> tuple[float, float, float]:
        """x, y in m and yaw in rad of one copy."""
        return *self.state[:2, index], 0.0

    def pose(self, index: int, memory: dict) -> np.ndarray:
        """Joint positions of `LOOK` for one copy, which has rolled on since the last picture in `memory`."""
        xy = self.state[:2, index]
        dx, dy = xy - memory.get("xy", xy)
        memory["xy"] = xy.copy()
        angle = math.hypot(dx, dy) / RADIUS
        w, scale = math.cos(angle / 2), math.sin(angle / 2) / max(angle * RADIUS, 1e-9)
        memory["turn"] = _times((w, -dy * scale, dx * scale, 0.0), memory.get("turn", (1.0, 0.0, 0.0, 0.0)))
        return np.array([*xy, RADIUS, *memory["turn"]])

    def get_state(self) -> np.ndarray:
        """float64 [N, 4]."""
        return self.state.T.copy()

    def set_state(self, state: np.ndarray) -> None:
        self.state = np.array(state, np.float64).T.copy()

    def close(self) -> None:
        pass


def _times(a, b):
    """Product of two quaternions (w, x, y, z)."""
    (aw, ax, ay, az), (bw, bx, by, bz) = a, b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
