"""Pseudo-lidars: how near the nearest object of a kind is, in each of sixteen directions round the robot."""

from __future__ import annotations

BINS = 16


def lidar(place, objects, turn, reach: float, xp):
    """Readings [N K 16] in [0, 1] of each of K objects [N K 2] (m) for robots at `place` [N 3] with rotations `turn` [N 3 3].

    An object reads 1 - distance / reach in the bin of its direction. The bins beside it read the part of that by which its
    direction leans towards them, so that readings change smoothly while the robot turns (Ray et al. 2019, appendix A). A kind
    of object reads the greatest of its objects.
    """
    x, y, z = objects[..., 0] - place[:, :1], objects[..., 1] - place[:, 1:2], -place[:, 2:]
    ahead, aside = (x * turn[:, :1, k] + y * turn[:, 1:2, k] + z * turn[:, 2:, k] for k in (0, 1))
    near = xp.maximum(reach - xp.sqrt(ahead * ahead + aside * aside), 0.0) / reach
    angle = xp.arctan2(aside, ahead) * (BINS / (2 * xp.pi))
    # From the middle of each bin round to the object, in bins: 1 up to 1/2, and down to 0 one bin farther.
    apart = xp.abs(xp.arange(0.5, BINS) - angle[..., None])
    apart = xp.minimum(apart, xp.abs(BINS - apart))
    return near[..., None] * xp.clip(1.5 - apart, 0.0, 1.0)
