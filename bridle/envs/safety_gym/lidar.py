"""Pseudo-lidars: how near the nearest object of a kind is, in each of sixteen directions round the robot."""

from __future__ import annotations

BINS = 16


def lidar(place, objects, turn, reach: float, xp):
    """Readings [N 16] in [0, 1] of objects [N K 2 or 3] (m) for robots at `place` [N 3] with rotations `turn` [N 3 3].

    An object reads 1 - distance / reach in the bin of its direction. The bins beside it read the part of that by which its
    direction leans towards them, so that readings change smoothly while the robot turns (Ray et al. 2019, appendix A).
    """
    away = xp.concatenate(
        [objects[..., :2] - place[:, None, :2], xp.zeros_like(objects[..., :1]) - place[:, None, 2:]], -1
    )
    ahead, aside = ((away * turn[:, None, :, k]).sum(-1) for k in (0, 1))
    near = xp.maximum(reach - xp.sqrt(ahead * ahead + aside * aside), 0.0) / reach
    angle = xp.arctan2(aside, ahead) % (2 * xp.pi) * (BINS / (2 * xp.pi))
    first = xp.floor(angle)
    lean = (angle - first)[..., None]
    offset = (xp.arange(BINS) - first[..., None]) % BINS
    share = xp.where(offset == 0, 1.0, xp.where(offset == 1, lean, xp.where(offset == BINS - 1, 1.0 - lean, 0.0)))
    return (near[..., None] * share).max(1)
