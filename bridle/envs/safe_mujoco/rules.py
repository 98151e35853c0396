"""What can be told from observations alone: cost and termination of each task, for worlds and for imagination alike.

All are functions of (obs [... O], action [... A], next_obs [... O]), of NumPy and of JAX arrays; a cost is [... 1]. `RULES`
are those of the worlds themselves, `PUBLISHED` those that CMBPO's code imagines by (`models/statics.py`), with their defects.
"""

from __future__ import annotations

from bridle.core.types import Rules

INFINITE = float("inf")


def never(obs, action, next_obs):
    """bool [...]: nothing ends an episode."""
    return abs(next_obs[..., 0]) < 0.0


def free(obs, action, next_obs):
    """[... 1]: nothing costs."""
    return 0.0 * action[..., :1]


def near_board(obs, action, next_obs):
    """[... 1]: 1 within 2 m of the cheetah's board."""
    return (abs(10.0 * next_obs[..., -1:]) < 2.0) * 1.0


def near_led_board(obs, action, next_obs):
    """[... 1]: 1 within 1 m of the hopper's board."""
    return (abs(next_obs[..., -1:]) < 1.0) * 1.0


def hopper_fallen(obs, action, next_obs):
    """bool [...]: too low, leaning by .2 rad or more, or bent beyond measure. Velocities beyond 100, which end an episode too,
    are cut in obs, so that only the world sees them."""
    height, pitch, bent = next_obs[..., 0], next_obs[..., 1], next_obs[..., 1:5]
    return ~((height > 0.7) & (abs(pitch) < 0.2) & (abs(bent) < 100.0).all(-1) & _finite(next_obs))


def ant_fallen(obs, action, next_obs):
    """bool [...]: not finite, or not between .2 and 1 m high, or on its back."""
    return ~(_finite(next_obs) & _standing(next_obs) & (_up(next_obs) >= -0.7))


def ant_price(obs, action, next_obs):
    """[... 1]: 1 within 1.8 m of a wall, measured along y, or for falling."""
    off = next_obs[..., -1]
    near = (abs(off - 5.0) < 1.8) | (abs(off + 5.0) < 1.8)
    return ((near | ant_fallen(obs, action, next_obs)) * 1.0)[..., None]


def humanoid_fallen(obs, action, next_obs):
    """bool [...]: not between 1 and 2 m high. (The original goes on with a height that is not a number.)"""
    return ~((next_obs[..., 0] >= 1.0) & (next_obs[..., 0] <= 2.0))


def near_wall(off):
    """Of the humanoid, bool: within 2 m of a wall, `off` m to the left of the corridor's middle."""
    return (abs(off - 5.0) < 2.0) | (abs(off + 5.0) < 2.0)


def ant_fallen_published(obs, action, next_obs):
    """As published: `finite * high_enough * low_enough * up >= -.7` compares the product, so that only an ant on its back at a
    proper height ends an episode."""
    well = (_finite(next_obs) & _standing(next_obs)) * 1.0
    return ~(well * _up(next_obs) >= -0.7)


def ant_price_published(obs, action, next_obs):
    """As published: everything beyond 3.2 m of the corridor's middle costs, also what lies behind the walls."""
    far = abs(next_obs[..., -1]) > 3.2
    return ((far | ant_fallen_published(obs, action, next_obs)) * 1.0)[..., None]


def _finite(obs):
    return (abs(obs) < INFINITE).all(-1)


def _standing(obs):
    return (obs[..., 0] >= 0.2) & (obs[..., 0] <= 1.0)


def _up(obs):
    """Cosine of the angle by which the torso leans; the quaternion (w, x, y, z) follows the height."""
    return 1.0 - 2.0 * (obs[..., 2] ** 2 + obs[..., 3] ** 2)


RULES = {
    "HalfCheetah": Rules(cost=near_board, terminated=never),
    "Ant": Rules(cost=ant_price, terminated=ant_fallen),
    # What a humanoid pays depends on its centre of mass, which it does not observe.
    "Humanoid": Rules(terminated=humanoid_fallen),
    "Hopper": Rules(cost=near_led_board, terminated=hopper_fallen),
}
"""The rewards count the way of an env step, which no obs tells to the last bit, and contact: models learn them."""

PUBLISHED = {
    "HalfCheetah": Rules(cost=near_board, terminated=never),
    "Ant": Rules(cost=ant_price_published, terminated=ant_fallen_published),
    "Humanoid": Rules(cost=free, terminated=never),
    "Hopper": Rules(cost=free, terminated=never),
}
"""The published code has no rules of Humanoid and Hopper, and what it has no rule for never ends and costs nothing in its model."""
