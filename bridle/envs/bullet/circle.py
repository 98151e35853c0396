"""The Circle task: go clockwise round a circle of 7 m, fast, and stay between the lines x = -6 m and x = 6 m.

Pure functions of arrays whose first axis counts components and whose other axes are free: xy `[2 ...]`, a
speed `[...]`. `xp` is `numpy` or `jax.numpy`. Facts from Bullet-Safety-Gym.
"""

from __future__ import annotations

RADIUS = 7.0
"""Of the circle, m."""
BOUND = 6.0
"""|x| beyond which a step costs, m."""
SIZE = 1
"""Entries that the task appends to an agent's obs."""
DRAWS = 2
WALLS = True
"""The octagon of walls stands round this task."""
AXIS = "x"
"""The limit is on |x|; for pictures."""


def start(draw, xp):
    """From draws `[2 ...]` in [0, 1): xy `[2 ...]` in the ring 2-4 m, yaw `[...]` of the clockwise tangent."""
    radius = xp.sqrt(4.0 + 12.0 * draw[0])
    angle = 2.0 * xp.pi * draw[1]
    xy = xp.stack([radius * xp.cos(angle), radius * xp.sin(angle)])
    return xy, xp.arctan2(-xy[1], -xy[0]) + xp.pi / 2


def reward(before, xy, velocity, agent_reward, xp):
    """Clockwise angular momentum per unit mass, damped off the circle: 0.7 per m/s on it. `before` is not asked."""
    x, y = xy
    vx, vy = velocity
    away = xp.abs(xp.hypot(x, y) - RADIUS)
    return 0.1 * (y * vx - x * vy) / (1.0 + away) + 0.01 * agent_reward


def cost(agent, xy, velocity, xp):
    """1 outside the two lines."""
    return xp.abs(xy[0]) > BOUND


def obs(xy, xp):
    """What the agent is told of the task: its distance from the circle."""
    return [0.1 * (xp.hypot(xy[0], xy[1]) - RADIUS)]
