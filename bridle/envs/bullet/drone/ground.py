"""What the ground and the walls do to the drone: impulses at the corners of its box and at the rims of its rotors.

Bullet's rules for one sub-step: a point behind a surface leaves it at 0.9 of its depth per sub-step, a point that touches
does not go in, friction is a share of the pressure; and five rounds in which motors and contacts correct each other.
A rotor is a polygon of 32 corners that turns by 7 rad in a sub-step of 1/60 s: where it touches, a corner comes in at
several m/s, and that throws the drone about. Simpler than Bullet: one corner of a rotor touches at a time, all points are
corrected at once, and only the nearest wall counts.
"""

from __future__ import annotations

import numpy as np

from bridle.envs.bullet.drone.airframe import ARM, HALF, MASS, RISE, ROTOR, TILT, TORQUE, YAW, between

RIM = 0.281
"""Radius of a rotor, m."""
EDGE = 2 * np.pi / 32
"""Angle between two of its corners, rad."""
THICK = 0.006
"""Half its thickness, m."""
RISING = 0.9
"""Share of a point's depth that one sub-step makes good."""
FLOOR, WALL = 0.4, 0.25
"""Friction: 0.5 of the drone times 0.8 of the ground and 0.5 of a wall."""
NEAR = 2e-4
"""Distance below which a point touches, m."""
ROUNDS = 5
"""Corrections of all impulses, as many as Bullet's solver makes."""
FASTEST = 100.0
"""What contact may do to a component of velocity or spin, m/s or rad/s; rotors turn at 1000 rad/s at most."""
OCTAGON, TOP = 11.9, 2.0
"""Distance of the walls from the origin and their height, m."""
REACH = 0.63
"""No point of the drone is further from its centre, m."""

_AHEAD, _ASIDE = np.array([[1.0, 1.0, -1.0, -1.0]]).T, np.array([[1.0, -1.0, -1.0, 1.0]]).T
"""Lower corners of the box, `[4 1]`, in half sides."""
_ARM_X, _ARM_Y = np.array([[1.0, 0.0, -1.0, 0.0]]).T, np.array([[0.0, -1.0, 0.0, 1.0]]).T
"""Rotors, `[4 1]`, in arms."""

_SIDEWAYS = np.array([0.4, 0.4, 1.0])[:, None, None]
"""Part of the correction that friction makes, of the pressure's: on four corners its overshoot is the larger."""


def press(place, r, v, w, motor, h, walls, xp):
    """Velocity and spin `[3 N]`, rotor speeds `[4 N]`, number of links on the ground `[N]`, after contact.

    `place` is the centre, `r` the rows of the rotation; `motor` is (rotor speeds, angles, targets, angular impulses so
    far), `[4 N]` each. On NumPy only the copies that touch are looked at. A drone whose rotors touch the ground does not
    feel a wall in that sub-step.
    """
    (x, y, z), flat = place, 0.0 * place[2]
    r, v, w, motor = xp.stack([xp.stack(row) for row in r]), xp.stack(v), xp.stack(w), xp.stack(motor)
    tilt = xp.abs(r[2])
    corner = HALF[0] * (tilt[0] + tilt[1]) + HALF[2] * tilt[2]
    lying = xp.sqrt(xp.maximum(1.0 - tilt[2] * tilt[2], 0.0))
    rim = ARM * xp.maximum(tilt[0], tilt[1]) + RIM * lying + THICK * tilt[2] - RISE * r[2][2]
    blades, box = z - rim < NEAR, z - corner < NEAR
    links = flat
    wall = xp.stack([flat + 1.0, flat, flat]), flat < 0.0
    if walls:
        turn = (np.pi / 4) * xp.round(xp.arctan2(y, x) / (np.pi / 4))
        c, s = xp.cos(turn), xp.sin(turn)
        gap = OCTAGON - c * x - s * y
        wall = xp.stack([c, s, gap]), (gap < REACH) & (z < TOP) & ~blades
    for mine, rotor in ((box & ~blades, False), (blades | wall[1], True)):
        parts = z, r, v, w, motor, *wall
        if xp is not np:
            new = _meet(*parts, h, xp, rotor)
            v, w, rotors, touching = (xp.where(mine, a, b) for a, b in zip(new, (v, w, motor[0], links)))
            motor, links = xp.stack([rotors, *motor[1:]]), touching
        elif mine.any():
            who = np.flatnonzero(mine)
            v[:, who], w[:, who], motor[0][:, who], links[who] = _meet(*(a[..., who] for a in parts), h, np, rotor)
    return v, w, motor[0], links


def _meet(z, r, v, w, motor, wall, at_wall, h, xp, blades):
    """What `_press` does on the ground or, with rotors, on the nearest wall: as if that were the ground."""
    if not blades:
        return _press(z, r, v, w, motor, (h, FLOOR), xp, False)
    c, s, gap = wall
    # In the frame of a wall the first axis is up, and the third leads away from it.
    seen = (xp.where(at_wall, xp.stack([a[2], c * a[1] - s * a[0], -c * a[0] - s * a[1]]), a) for a in (r, v, w))
    friction = xp.where(at_wall, WALL, FLOOR)
    v, w, rotors, links = _press(xp.where(at_wall, gap, z), *seen, motor, (h, friction), xp, True)
    v, w = (xp.where(at_wall, xp.stack([-s * a[1] - c * a[2], c * a[1] - s * a[2], a[0]]), a) for a in (v, w))
    return v, w, rotors, xp.where(at_wall, 0.0, links)


def _press(z, r, v, w, motor, how, xp, blades):
    """`press` for copies that all touch, with the rotors or with the box alone. Points `P` are 8 or 4."""
    h, friction = how
    place, moved = _points(r, motor[1], xp, blades)
    (x, y, up), none, axis = place, 0.0 * place[0], r[:, 2]
    touches = z + up < NEAR
    rise = xp.where(z + up < 0.0, -RISING, -1.0) * (z + up) / h
    # What an impulse along x, y, z at each point does, `[3 3 P N]`: a torque on the body, less what turns the rotor
    # instead. Where no rotor touches, motors hold them all still against the body.
    turns = xp.stack([xp.stack([none, up, -y]), xp.stack([-up, none, x]), xp.stack([y, -x, none])])
    yaw = YAW if blades else YAW + 4 * ROTOR
    if blades:
        turns = turns - moved[:, None] * axis[:, None]
    along = (turns * axis[:, None]).sum(1)
    firm = 1.0 / yaw - 1.0 / TILT
    felt = 1.0 / MASS + (turns * turns).sum(1) / TILT + firm * along * along + moved * moved / ROTOR
    # All points are corrected at once: with its whole correction each, they would overshoot.
    share = xp.minimum(1.0, 1.4 / xp.maximum(touches.sum(0), 1)) if blades else 0.85
    soft = xp.where(touches, share, 0.0) * _SIDEWAYS / felt
    impulse, own, speed, kick = 0.0 * soft, 0.0, motor[0] + (axis * w).sum(0), motor[3]
    for _ in range(ROUNDS):
        if blades:
            w, speed, kick = _drive(w, speed, kick, motor[2], axis, h, xp)
            own = moved * xp.concatenate([0.0 * speed, speed])
        speeds = v[:, None] + (turns * w[:, None]).sum(1) + own
        a, b, fall = impulse - soft * speeds
        fall = xp.maximum(fall + soft[2] * rise, 0.0)
        kept = xp.minimum(friction * fall / (xp.sqrt(a * a + b * b) + 1e-12), 1.0)
        new = xp.stack([kept * a, kept * b, fall])
        push, impulse = new - impulse, new
        v = v + push.sum(1) / MASS
        twist = (push[:, None] * turns).sum(2).sum(0)
        w = w + twist / TILT + firm * (axis * twist).sum(0) * axis
        if blades:
            speed = speed + (moved * push).sum(0)[4:] / ROTOR
    links = touches[:4].any(0) + touches[4:].sum(0)
    rotors = between(speed - (axis * w).sum(0), -1000.0, 1000.0, xp) if blades else motor[0]
    return between(v, -FASTEST, FASTEST, xp), between(w, -FASTEST, FASTEST, xp), rotors, links * 1.0


def _drive(w, speed, kick, target, axis, h, xp):
    """Motors drive the rotors' own `speed` (about the axis, in the world) back to the target against the body."""
    new = kick + (target + (axis * w).sum(0) - speed) / (1 / ROTOR + 1 / YAW)
    new = between(new, -h * TORQUE, h * TORQUE, xp)
    more = new - kick
    return w - more.sum(0) / YAW * axis, speed + more / ROTOR, new


def _points(r, angle, xp, blades):
    """Lower corners of the box and lowest corner of each rotor, from the centre in the world: `[3 8 N]`.

    And how far each moves per rad that its rotor turns, alike; nothing for the box. Without `blades`, the box alone.
    """
    still = 0.0 * angle
    side = xp.where(r[2][2] < 0.0, -1.0, 1.0)
    ahead, aside, above = HALF[0] * _AHEAD + still, HALF[1] * _ASIDE + still, still - HALF[2] * side
    if not blades:
        return r[:, :1] * ahead + r[:, 1:2] * aside + r[:, 2:] * above, np.zeros((3, 1, 1))
    down = xp.arctan2(-r[2][1], -r[2][0])
    off = angle - down
    corner = down + off - EDGE * xp.round(off / EDGE)
    rim = RIM * xp.cos(corner), RIM * xp.sin(corner)
    ahead, aside = xp.concatenate([ahead, ARM * _ARM_X + rim[0]]), xp.concatenate([aside, ARM * _ARM_Y + rim[1]])
    above = xp.concatenate([above, still + RISE - THICK * side])
    moved = xp.concatenate([still + 0.0 * r[:, :1], r[:, 1:2] * rim[0] - r[:, :1] * rim[1]], 1)
    return r[:, :1] * ahead + r[:, 1:2] * aside + r[:, 2:] * above, moved
