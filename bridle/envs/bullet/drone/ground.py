"""What the ground and the walls do to the drone: impulses at the corners of its box and at the rims of its rotors.

Bullet's rules for one sub-step: a point behind a surface leaves it at 0.9 of its depth per sub-step, a point that touches
does not go in, friction is a share of the pressure; and five rounds in which motors and contacts correct each other.
A rotor is a polygon of 32 corners that turns by 7 rad in a sub-step of 1/60 s: where it touches, a corner comes in at
several m/s, and that throws the drone about. Simpler than Bullet: one corner of a rotor touches at a time, all points are
corrected at once, and only the nearest wall counts.
"""

from __future__ import annotations

import numpy as np

from bridle.envs.bullet.drone.airframe import ARM, HALF, MASS, RISE, ROTOR, TILT, TORQUE, YAW, between, dot

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


def press(place, r, v, w, motor, h, walls, xp):
    """Velocity, spin (three arrays `[N]` each), rotor speeds `[4 N]`, number of links on the ground, after contact.

    `place` is the centre, `r` the rows of the rotation; `motor` is (rotor speeds, angles, targets, angular impulses so
    far), `[4 N]` each. On NumPy only the copies that touch are looked at.
    """
    v, w, rotors, links = _near(place[2], r, v, w, motor, (h, FLOOR), xp)
    if walls:
        x, y, z = place
        wall = (np.pi / 4) * xp.round(xp.arctan2(y, x) / (np.pi / 4))
        c, s = xp.cos(wall), xp.sin(wall)
        gap = xp.where(z < TOP, OCTAGON - c * x - s * y, 2 * REACH)
        if xp is not np or gap.min() < REACH:
            # As if the wall were the ground: its first axis is up, its third leads away from it.
            seen = [(a[2], c * a[1] - s * a[0], -c * a[0] - s * a[1]) for a in (v, w, *zip(*r))]
            turned = list(zip(*seen[2:]))
            *new, rotors, _ = _near(gap, turned, *seen[:2], (rotors, *motor[1:]), (h, WALL), xp)
            v, w = [(-s * a[1] - c * a[2], c * a[1] - s * a[2], a[0]) for a in new]
    return list(v), list(w), rotors, links


def _near(z, r, v, w, motor, how, xp):
    """`press` on the plane z = 0 alone, where the centre is at height `z`; `how` is (sub-step, friction)."""
    tilt = [xp.abs(a) for a in r[2]]
    corner = HALF[0] * (tilt[0] + tilt[1]) + HALF[2] * tilt[2]
    lying = xp.sqrt(xp.maximum(1.0 - tilt[2] * tilt[2], 0.0))
    rim = ARM * xp.maximum(tilt[0], tilt[1]) + RIM * lying + THICK * tilt[2] - RISE * r[2][2]
    blades, corners = z - rim < NEAR, z - corner < NEAR
    v, w, rotors, links = xp.stack(v), xp.stack(w), motor[0], 0.0 * z
    for mine, rotor in ((blades, True), (corners & ~blades, False)):
        if xp is not np:
            new = _press(z, r, v, w, motor, how, xp, rotor)
            v, w, rotors, links = (xp.where(mine, xp.asarray(a), b) for a, b in zip(new, (v, w, rotors, links)))
        elif mine.any():
            who, rotors = np.flatnonzero(mine), rotors.copy()
            few = [[a[who] for a in row] for row in r], v[:, who], w[:, who], [a[:, who] for a in motor]
            v[:, who], w[:, who], rotors[:, who], links[who] = _press(z[who], *few, how, np, rotor)
    return v, w, rotors, links


def _press(z, r, v, w, motor, how, xp, blades):
    h, friction = how
    place, moved = _points(r, motor[1], xp, blades)
    (x, y, up), axis = place, (r[0][2], r[1][2], r[2][2])
    touches = z + up < NEAR
    rise = xp.where(z + up < 0.0, -RISING, -1.0) * (z + up) / h
    # All points are corrected at once: with its whole correction each, they would overshoot.
    share = xp.minimum(1.0, 1.4 / xp.maximum(touches.sum(0), 1)) if blades else 0.85
    stiff = xp.where(touches, share, 0.0)
    # What an impulse along x, y, z at each point does: a torque on the body, less what turns the rotor instead. Where no
    # rotor touches, motors hold them all still against the body.
    none, yaw = 0.0 * x, YAW if blades else YAW + 4 * ROTOR
    turns = [(none, up, -y), (-up, none, x), (y, -x, none)]
    if blades:
        turns = [[t - q * a for t, a in zip(turn, axis)] for turn, q in zip(turns, moved)]
    soft = [stiff / _felt(turn, q, axis, yaw) for turn, q in zip(turns, moved)]
    soft[0], soft[1] = 0.4 * soft[0], 0.4 * soft[1]
    fall, slip, skid = none, none, none
    speed, kick = motor[0] + dot(axis, w), motor[3]
    for _ in range(ROUNDS):
        own = 0.0
        if blades:
            w, speed, kick = _drive(w, speed, kick, motor[2], axis, h, xp)
            own = xp.concatenate([0.0 * speed, speed - dot(axis, w)])
        vx = v[0] + w[1] * up - w[2] * y + own * moved[0]
        vy = v[1] + w[2] * x - w[0] * up + own * moved[1]
        vz = v[2] + w[0] * y - w[1] * x + own * moved[2]
        new = xp.maximum(fall + soft[2] * (rise - vz), 0.0)
        a, b = slip - soft[0] * vx, skid - soft[1] * vy
        kept = xp.minimum(friction * new / (xp.sqrt(a * a + b * b) + 1e-12), 1.0)
        a, b = kept * a, kept * b
        pushes = (a - slip, b - skid, new - fall)
        fall, slip, skid = new, a, b
        v = [u + f.sum(0) / MASS for u, f in zip(v, pushes)]
        twist = [sum(f * t[k] for f, t in zip(pushes, turns)).sum(0) for k in range(3)]
        along = (1.0 / yaw - 1.0 / TILT) * dot(axis, twist)
        w = [u + t / TILT + along * e for u, t, e in zip(w, twist, axis)]
        if blades:
            speed = speed + dot(moved, pushes)[4:] / ROTOR
    links = touches[:4].any(0) + touches[4:].sum(0)
    rotors = speed - dot(axis, w) if blades else motor[0]
    v, w = [[between(u, -FASTEST, FASTEST, xp) for u in a] for a in (v, w)]
    return v, w, between(rotors, -1000.0, 1000.0, xp), links * 1.0


def _drive(w, speed, kick, target, axis, h, xp):
    """Motors drive the rotors' own `speed` (about the axis, in the world) back to the target against the body."""
    new = kick + (target + dot(axis, w) - speed) / (1 / ROTOR + 1 / YAW)
    new = between(new, -h * TORQUE, h * TORQUE, xp)
    more = new - kick
    back = more.sum(0) / YAW
    return [u - back * e for u, e in zip(w, axis)], speed + more / ROTOR, new


def _felt(turn, own, axis, yaw):
    """Inverse mass that an impulse of such torques on body and rotor feels."""
    along = dot(turn, axis)
    return 1.0 / MASS + dot(turn, turn) / TILT + (1.0 / yaw - 1.0 / TILT) * along * along + own * own / ROTOR


def _points(r, angle, xp, blades):
    """Lower corners of the box and lowest corner of each rotor, from the centre in the world: x, y, z `[8 N]`.

    And how far each moves per rad that its rotor turns, alike; nothing for the box. Without `blades`, the box alone.
    """
    still = 0.0 * angle
    side = xp.where(r[2][2] < 0.0, -1.0, 1.0)
    ahead, aside, above = HALF[0] * _AHEAD + still, HALF[1] * _ASIDE + still, still - HALF[2] * side
    if not blades:
        return [row[0] * ahead + row[1] * aside + row[2] * above for row in r], (0.0, 0.0, 0.0)
    down = xp.arctan2(-r[2][1], -r[2][0])
    off = angle - down
    corner = down + off - EDGE * xp.round(off / EDGE)
    rim = RIM * xp.cos(corner), RIM * xp.sin(corner)
    ahead, aside = xp.concatenate([ahead, ARM * _ARM_X + rim[0]]), xp.concatenate([aside, ARM * _ARM_Y + rim[1]])
    above = xp.concatenate([above, still + RISE - THICK * side])
    place = [row[0] * ahead + row[1] * aside + row[2] * above for row in r]
    return place, [xp.concatenate([still, row[1] * rim[0] - row[0] * rim[1]]) for row in r]
